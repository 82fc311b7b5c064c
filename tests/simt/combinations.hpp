// SPDX-License-Identifier: Apache-2.0
// The four ways to run a kernel, two schedules times two copy times, and the two ways to order what streams do.
#pragma once

#include <string>

#include "options.hpp"

namespace simt {

/// Leaves the options as they were.
struct OptionsGuard {
    OptionsGuard() = default;
    ~OptionsGuard() { options() = before; }
    OptionsGuard(const OptionsGuard&) = delete;
    OptionsGuard& operator=(const OptionsGuard&) = delete;

    const Options before = options();
};

/// Calls run(name) under each combination, `name` to go into messages, and leaves the options as they were.
template <class F> void for_all_combinations(F run) {
    const OptionsGuard guard;
    for (const Schedule schedule : {Schedule::rounds, Schedule::greedy})
        for (const Copies copies : {Copies::at_issue, Copies::at_wait}) {
            options().schedule = schedule;
            options().copies = copies;
            run(std::string(schedule == Schedule::rounds ? "rounds" : "greedy") +
                (copies == Copies::at_issue ? ", copies at issue" : ", copies at wait"));
        }
}

/// The same with streams that do their work at once, and late.
template <class F> void for_both_streams(F run) {
    const OptionsGuard guard;
    for (const Streams streams : {Streams::at_once, Streams::late}) {
        options().streams = streams;
        run(std::string(streams == Streams::at_once ? "at once" : "late"));
    }
}

}  // namespace simt
