// SPDX-License-Identifier: Apache-2.0
// Thresholds from good values keep their promise on fresh ones; those from labels have the best F1 there is.
#define BOOST_TEST_MODULE threshold
#include "dinomaly/anomaly/threshold.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <vector>

#include "tests/errors.hpp"

using namespace dinomaly;
using namespace dinomaly::anomaly;
using dinomaly::test::expect_error;

namespace {

std::vector<float> drawn(std::mt19937& random, std::size_t count, float middle) {
    std::lognormal_distribution<float> values(0.0F, 0.5F);
    std::vector<float> out(count);
    for (float& value : out) value = middle * values(random);
    return out;
}

double f1_at(float threshold, const std::vector<float>& good, const std::vector<float>& bad) {
    const auto reached = [&](float value) { return value >= threshold; };
    const auto hits = static_cast<double>(std::ranges::count_if(bad, reached));
    const auto called = hits + static_cast<double>(std::ranges::count_if(good, reached));
    return 2 * hits / (called + static_cast<double>(bad.size()));
}

BOOST_AUTO_TEST_CASE(the_threshold_from_good_values_is_just_above_the_kth) {
    std::vector<float> values;
    for (int i = 1; i <= 9; ++i) values.push_back(static_cast<float>(i));
    const GoodThreshold tenth = threshold_from_good(values, 0.1);  // k = ceil(10 * 0.9) = 9
    BOOST_TEST(tenth.value > 9.0F);
    BOOST_TEST(tenth.value < 9.00001F);
    BOOST_TEST(tenth.rate == 0.1, boost::test_tools::tolerance(1e-12));
    const GoodThreshold third = threshold_from_good(values, 0.35);  // k = ceil(6.5) = 7
    BOOST_TEST(third.value > 7.0F);
    BOOST_TEST(third.value < 7.00001F);
    BOOST_TEST(third.rate == 0.3, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(too_few_good_values_promise_what_they_can) {
    const GoodThreshold one = threshold_from_good(std::vector{0.25F}, 0.01);
    BOOST_TEST(one.value > 0.25F);
    BOOST_TEST(one.rate == 0.5);
    const GoodThreshold four = threshold_from_good(std::vector{0.1F, 0.2F, 0.3F, 0.4F}, 0.01);
    BOOST_TEST(four.value > 0.4F);
    BOOST_TEST(four.rate == 0.2, boost::test_tools::tolerance(1e-12));
}

// Over many draws of 50 values and a fresh one each, the fresh one reaches the threshold as often as promised.
BOOST_AUTO_TEST_CASE(the_promise_holds_on_fresh_values) {
    std::mt19937 random(7);
    for (const double rate : {0.02, 0.1, 0.3}) {
        constexpr int draws = 20000;
        int reached = 0;
        double promised = 0;
        for (int i = 0; i < draws; ++i) {
            std::vector<float> values = drawn(random, 51, 0.1F);
            const float fresh = values.back();
            values.pop_back();
            std::ranges::sort(values);
            const GoodThreshold threshold = threshold_from_good(values, rate);
            promised = threshold.rate;
            if (fresh >= threshold.value) ++reached;
        }
        const double found = static_cast<double>(reached) / draws;
        BOOST_TEST(promised <= rate);
        BOOST_TEST(std::abs(found - promised) < 4 * std::sqrt(promised / draws));
    }
}

BOOST_AUTO_TEST_CASE(bad_calls_are_errors) {
    const std::vector<float> one{0.5F};
    expect_error([&] { threshold_from_good({}, 0.1); }, {"threshold", "no good pictures"});
    expect_error([&] { threshold_from_good(one, 0.0); }, {"false-alarm rate of 0", "above 0 and below 1"});
    expect_error([&] { threshold_from_good(one, 1.0); }, {"false-alarm rate of 1"});
    expect_error([&] { threshold_from_good(std::vector{2.0F, 1.0F}, 0.1); }, {"not sorted"});
    expect_error([&] { threshold_from_good(std::vector{1.0F, INFINITY}, 0.1); }, {"not finite"});
    ValueHistogram histogram;
    expect_error([&] { histogram.add(one, {}); }, {"histogram", "1 values, 0 labels"});
    expect_error([&] { histogram.add(std::vector{NAN}, std::vector<std::uint8_t>{0}); }, {"value 0", "not a number"});
}

BOOST_AUTO_TEST_CASE(the_best_f1_of_pictures_is_found) {
    std::mt19937 random(11);
    for (int round = 0; round < 20; ++round) {
        const std::vector<float> good = drawn(random, 30, 0.1F), bad = drawn(random, 40, 0.2F);
        double best = 0;
        for (const auto* values : {&good, &bad})
            for (const float value : *values) best = std::max(best, f1_at(value, good, bad));
        const float found = best_f1_threshold(good, bad);
        BOOST_TEST(f1_at(found, good, bad) == best, boost::test_tools::tolerance(1e-6));
    }
    const std::vector<float> apart_good{0.1F, 0.2F}, apart_bad{0.4F, 0.6F};
    BOOST_TEST(best_f1_threshold(apart_good, apart_bad) == 0.3F, boost::test_tools::tolerance(1e-6F));
    BOOST_TEST(std::isnan(best_f1_threshold(apart_good, {})));
    BOOST_TEST(std::isnan(best_f1_threshold({}, apart_bad)));
}

BOOST_AUTO_TEST_CASE(the_best_f1_of_pixels_is_found_to_a_step) {
    std::mt19937 random(13);
    const std::vector<float> good = drawn(random, 3000, 0.1F), bad = drawn(random, 200, 0.4F);
    ValueHistogram histogram, first, second;
    histogram.add(good, std::vector<std::uint8_t>(good.size(), 0));
    histogram.add(bad, std::vector<std::uint8_t>(bad.size(), 1));
    first.add(good, std::vector<std::uint8_t>(good.size(), 0));
    second.add(bad, std::vector<std::uint8_t>(bad.size(), 1));
    BOOST_TEST(std::isnan(first.best_f1_threshold()));
    first += second;
    BOOST_TEST(first.best_f1_threshold() == histogram.best_f1_threshold());
    double best = 0;
    for (std::size_t i = 0; i < ValueHistogram::steps; ++i)
        best = std::max(best, f1_at(static_cast<float>(i) * 2 / ValueHistogram::steps, good, bad));
    BOOST_TEST(f1_at(histogram.best_f1_threshold(), good, bad) == best, boost::test_tools::tolerance(1e-12));
}

}  // namespace
