// SPDX-License-Identifier: Apache-2.0
// How the emulation runs kernels, and the error that it throws when one misbehaves.
//
// The two schedules and the two copy times each show faults that the others hide, so a kernel is tested under all four
// combinations (combinations.hpp). When a stream does its work is a choice beside these: at once hides every missing
// wait between the host and a stream or between two streams, late shows it. Runs repeat exactly: what is drawn depends
// on the seed and the block alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>

namespace simt {

enum class Schedule {
    rounds,  // every thread that can go on runs to its next meeting point, in an order drawn anew each round
    greedy,  // one warp, drawn anew each time, runs as far as it can go, then the next
};
enum class Copies {
    at_issue,  // copy_async copies at once
    at_wait,   // copy_async spoils its target; the copy is made when the thread waits for its group
};
enum class Streams {
    at_once,  // a stream does its work as it is handed over
    late,     // a stream does nothing until something waits for it
};

struct Options {
    Schedule schedule = Schedule::rounds;
    Copies copies = Copies::at_issue;
    Streams streams = Streams::at_once;
    std::uint64_t seed = 1;
    std::size_t device_bytes = std::size_t{8} << 30;  // cudaMalloc fails beyond
    bool blas_takes_addends = true;  // false: cuBLASLt has no algorithm with a bias, nor with C apart from D
    bool runs = true;                // false: kernels and products are counted, not run, and memory holds anything
};

/// The options of the launches to come.
inline Options& options() {
    static Options current;
    return current;
}

/// What the device was told to do so far.
struct Counts {
    std::uint64_t kernels = 0, products = 0;
};
inline Counts& counts() {
    static Counts so_far;
    return so_far;
}

/// A kernel that would hang, or would do what the hardware leaves undefined.
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

namespace detail {

inline constexpr unsigned warp_size = 32;
inline constexpr int poison = 0xff;  // as bytes of a float or a bfloat16: NaN

template <class... Parts> [[noreturn]] void fail(const Parts&... parts) {
    std::ostringstream text;
    text << "[simt] ";
    (text << ... << parts);
    throw Error(text.str());
}

}  // namespace detail

}  // namespace simt
