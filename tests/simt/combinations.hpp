// SPDX-License-Identifier: Apache-2.0
// The four ways to run a kernel: two schedules times two copy times.
#pragma once

#include <string>

#include "options.hpp"

namespace simt {

/// Calls run(name) under each combination, `name` to go into messages, and leaves the options as they were.
template <class F> void for_all_combinations(F run) {
    struct Restore {
        Options before = options();
        ~Restore() { options() = before; }
    } restore;
    for (const Schedule schedule : {Schedule::rounds, Schedule::greedy})
        for (const Copies copies : {Copies::at_issue, Copies::at_wait}) {
            options().schedule = schedule;
            options().copies = copies;
            run(std::string(schedule == Schedule::rounds ? "rounds" : "greedy") +
                (copies == Copies::at_issue ? ", copies at issue" : ", copies at wait"));
        }
}

}  // namespace simt
