// SPDX-License-Identifier: Apache-2.0
// The machine's peak: how many operations a second its cores do when nothing but multiply-adds is asked of them. What a
// product reaches of it says how good the product is, on any machine.
//
// A loop that stays in registers, with enough independent sums to hide the latency of the instruction, on every compute
// thread. Sums cannot be folded away: a later multiply-add needs the rounded result of the one before.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <utility>

#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/packet.hpp"
#include "dinomaly/core/precision.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

// As many sums as leave registers for the factors: there are 16 registers with AVX, 32 with AVX-512 and on ARM.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int peak_sums = 24;
#else
inline constexpr int peak_sums = 12;
#endif

/// sum = sum * factor + term, in float.
struct PeakFp32 {
    using Sum = native::Floats;
    static constexpr int operations = 2 * native::Lanes<float>::width;
    Sum factor = native::broadcast(0.5F), term = native::broadcast(1.0F);

    Sum first(int i) const { return native::broadcast(static_cast<float>(i)); }
    Sum step(Sum sum) const { return native::fma(sum, factor, term); }
    static double value(Sum sum) { return static_cast<double>(sum[0]); }
};

#if defined(__AVX512BF16__)

/// Each float of the sum takes in two products of bfloat16.
struct PeakBf16 {
    using Sum = __m512;
    static constexpr int operations = 4 * 16;
    __m512bh factor = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5F), _mm512_set1_ps(0.5F));

    Sum first(int i) const { return _mm512_set1_ps(static_cast<float>(i)); }
    Sum step(Sum sum) const { return _mm512_dpbf16_ps(sum, factor, factor); }
    static double value(Sum sum) { return static_cast<double>(sum[0]); }
};

#else
using PeakBf16 = PeakFp32;  // bfloat16 is widened to float on such a machine
#endif

#if defined(__AVX512VNNI__)

/// Each 32-bit integer of the sum takes in four products of bytes.
struct PeakInt8 {
    using Sum = native::Lanes<float>::Mask;  // g++ 12 copies each sum of another type once a step
    static constexpr int operations = 8 * 16;
    __m512i factor = _mm512_set1_epi8(1);

    Sum first(int i) const { return i - Sum{}; }
    Sum step(Sum sum) const {
        return std::bit_cast<Sum>(_mm512_dpbusd_epi32(std::bit_cast<__m512i>(sum), factor, factor));
    }
    static double value(Sum sum) { return static_cast<double>(sum[0]); }
};

#else
using PeakInt8 = PeakFp32;  // nothing faster is used for bytes on such a machine
#endif

/// `rounds` steps of every sum on the calling thread; returns what they add up to.
template <class Work, int... I> double peak_loop(std::int64_t rounds, std::integer_sequence<int, I...>) {
    const Work work;
    typename Work::Sum sums[] = {work.first(I)...};
    for (std::int64_t round = 0; round < rounds; ++round) ((sums[I] = work.step(sums[I])), ...);
    return (Work::value(sums[I]) + ...);
}

/// Operations a second on all compute threads: the best of several runs of about a hundredth of a second.
template <class Work> double peak_speed() {
    using Clock = std::chrono::steady_clock;
    constexpr int runs = 12;
    const int threads = thread_pool().threads();
    std::atomic<double> sink{0};  // whoever reads it sees every sum
    std::int64_t rounds = 1000;
    double best = 0;
    for (int run = 0; run < runs;) {
        const Clock::time_point start = Clock::now();
        parallel_for(threads, [&](std::int64_t) {
            sink.store(peak_loop<Work>(rounds, std::make_integer_sequence<int, peak_sums>{}));
        });
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (seconds < 0.01) {
            rounds *= 2;
            continue;
        }
        const double operations = static_cast<double>(rounds) * threads * peak_sums * Work::operations;
        best = std::max(best, operations / seconds);
        ++run;
    }
    return best;
}

}  // namespace detail

/// Operations a second, a multiply-add being two, that the compute threads reach in products of this precision with the
/// instructions this program was compiled for. Takes a quarter of a second.
inline double measure_peak(Precision precision) {
    switch (precision) {
        case Precision::bf16: return detail::peak_speed<detail::PeakBf16>();
        case Precision::int8: return detail::peak_speed<detail::PeakInt8>();
        default: return detail::peak_speed<detail::PeakFp32>();
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
