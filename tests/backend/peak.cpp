// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE peak
#include "dinomaly/backend/cpu/peak.hpp"

#include <boost/test/unit_test.hpp>
#include <chrono>

using namespace dinomaly;

namespace {

/// Links a second of a chain of multiply-adds, each of which waits for the one before; the best of several runs.
double chain_speed() {
    constexpr int links = 1 << 20;
    double best = 0;
    for (int run = 0; run < 12; ++run) {
        volatile float start = 3;
        float x = start;
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < links; ++i) x = native::fma(x, 0.5F, 1.0F);
        start = x;
        best = std::max(best, links / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

}  // namespace

// A chain takes 3 to 8 cycles a link; in that time a core starts 1 to 4 vector instructions a cycle, or half as many
// where it splits wide ones or another thread shares it, which slows no chain. A loop that the compiler folded away, or
// one that waits for its own results, at most a link at a time, is outside of these bounds.
BOOST_AUTO_TEST_CASE(a_peak_is_what_a_processor_can_do) {
    backend::thread_pool().resize(1);
    const double link = chain_speed();
    const auto check_bounds = [&](double peak, int operations) {
        BOOST_TEST(peak > 1.2 * link * operations);
        BOOST_TEST(peak < 4 * 8 * link * operations);
    };
    check_bounds(backend::measure_peak(Precision::fp32), backend::detail::PeakFp32::operations);
    check_bounds(backend::measure_peak(Precision::bf16), backend::detail::PeakBf16::operations);
    check_bounds(backend::measure_peak(Precision::int8), backend::detail::PeakInt8::operations);
}

BOOST_AUTO_TEST_CASE(every_step_counts) {
    using namespace backend::detail;
    const auto sums = std::make_integer_sequence<int, 2>{};
    BOOST_TEST(peak_loop<PeakFp32>(0, sums) == 0 + 1);
    BOOST_TEST(peak_loop<PeakFp32>(1, sums) == 1 + 1.5);
#if defined(__AVX512BF16__)
    BOOST_TEST(peak_loop<PeakBf16>(6, sums) == 3 + 4);
#endif
#if defined(__AVX512VNNI__)
    BOOST_TEST(peak_loop<PeakInt8>(5, sums) == 20 + 21);
#endif
}

BOOST_AUTO_TEST_CASE(precisions_have_names) {
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8})
        BOOST_TEST((find_precision(precision_name(precision)) == precision));
    BOOST_CHECK_THROW(find_precision("fp16"), Error);
}
