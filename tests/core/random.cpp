// SPDX-License-Identifier: Apache-2.0
// Philox against the known answers of its authors, packets against scalars, and the distributions by their moments.
#define BOOST_TEST_MODULE random

#include "dinomaly/core/random.hpp"

#include <algorithm>
#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "dinomaly/core/error.hpp"

using namespace dinomaly;
using Types = boost::mpl::list<float, double>;
using Words = std::vector<std::uint32_t>;

namespace {

Words words(const Philox& random, std::uint64_t block) {
    const auto [word] = random.block(block);
    return {word[0], word[1], word[2], word[3]};
}

struct Moments {
    double mean = 0, variance = 0, skewness = 0, kurtosis = 0, least = 0, largest = 0;
};

Moments moments(const std::vector<double>& values) {
    const double count = static_cast<double>(values.size());
    Moments m;
    m.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    for (double x : values) {
        m.variance += std::pow(x - m.mean, 2) / count;
        m.skewness += std::pow(x - m.mean, 3) / count;
        m.kurtosis += std::pow(x - m.mean, 4) / count;
    }
    m.skewness /= std::pow(m.variance, 1.5);
    m.kurtosis /= m.variance * m.variance;
    const auto [least, largest] = std::minmax_element(values.begin(), values.end());
    m.least = *least;
    m.largest = *largest;
    return m;
}

template <class Draw> std::vector<double> draws(std::size_t count, Draw draw) {
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = draw(i);
    return values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(known_answers_of_the_authors) {
    const std::uint64_t ones = std::numeric_limits<std::uint64_t>::max();
    const auto expect = [](const Words& got, const Words& want) {
        BOOST_TEST(got == want, boost::test_tools::per_element());
    };
    expect(words(Philox{0, 0}, 0), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    expect(words(Philox{ones, ones}, ones), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    expect(words(Philox{0x299f31d0a4093822, 0x0370734413198a2e}, 0x85a308d3243f6a88),
           {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(packets_are_the_scalars, T, Types) {
    constexpr int width = Packet<T>::width;
    const std::uint64_t last = std::numeric_limits<std::uint64_t>::max() / 4 * 4 - 64;
    for (const Philox random : {Philox{0, 0}, Philox{7, 3}, Philox{0xfedcba9876543210, 0x123456789abcdef0}})
        for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{1} << 34, (std::uint64_t{1} << 34) - 8, last})
            for (std::uint64_t index = start; index < start + 17; ++index) {
                T got[width];
                random.uniform_packet<T>(index).store(got);
                for (int i = 0; i < width; ++i)
                    BOOST_TEST(got[i] == static_cast<T>(random.uniform(index + static_cast<std::uint64_t>(i))));
            }
}

BOOST_AUTO_TEST_CASE(uniform_has_its_moments) {
    const Philox random{1, 2};
    const auto m = moments(draws(400000, [&](std::size_t i) { return static_cast<double>(random.uniform(i)); }));
    BOOST_TEST(std::abs(m.mean - 0.5) < 0.002);
    BOOST_TEST(std::abs(m.variance - 1.0 / 12) < 0.001);
    BOOST_TEST(m.least >= 0.0);
    BOOST_TEST(m.largest < 1.0);
}

BOOST_AUTO_TEST_CASE(streams_and_seeds_differ) {
    const auto correlation = [](const Philox& a, const Philox& b) {
        double sum = 0;
        for (std::uint64_t i = 0; i < 100000; ++i) sum += (a.uniform(i) - 0.5) * (b.uniform(i) - 0.5);
        return sum * 12 / 100000;
    };
    BOOST_TEST(std::abs(correlation({1, 0}, {2, 0})) < 0.015);
    BOOST_TEST(std::abs(correlation({1, 0}, {1, 1})) < 0.015);
    BOOST_TEST(correlation({1, 0}, {1, 0}) > 0.98);
}

BOOST_AUTO_TEST_CASE(normal_has_its_moments) {
    const Philox random{3, 0};
    const auto m = moments(draws(400000, [&](std::size_t i) { return normal(random, i); }));
    BOOST_TEST(std::abs(m.mean) < 0.006);
    BOOST_TEST(std::abs(m.variance - 1) < 0.01);
    BOOST_TEST(std::abs(m.skewness) < 0.02);
    BOOST_TEST(std::abs(m.kurtosis - 3) < 0.04);
}

BOOST_AUTO_TEST_CASE(truncated_normal_has_its_moments) {
    const Philox random{4, 0};
    // Of the standard normal between -3 and 3 the variance is 1 - 6 phi(3)/(2 Phi(3) - 1) = 0.97334.
    const auto m =
        moments(draws(400000, [&](std::size_t i) { return truncated_normal(random, i, 0.01, -0.03, 0.03); }));
    BOOST_TEST(std::abs(m.mean) < 6e-5);
    BOOST_TEST(std::abs(m.variance / 1e-4 - 0.97334) < 0.01);
    BOOST_TEST(m.least >= -0.03);
    BOOST_TEST(m.largest <= 0.03);
    BOOST_TEST(m.largest > 0.0299);
    // Above 1 alone the mean is (phi(1) - phi(3))/(Phi(3) - Phi(1)) = 1.5101.
    const auto tail = moments(draws(100000, [&](std::size_t i) { return truncated_normal(random, i, 1, 1, 3); }));
    BOOST_TEST(std::abs(tail.mean - 1.5101) < 0.006);

    BOOST_CHECK_THROW(truncated_normal(random, 0, 0, -1, 1), Error);
    BOOST_CHECK_THROW(truncated_normal(random, 0, 1, 1, 1), Error);
    BOOST_CHECK_THROW(truncated_normal(random, 0, NAN, -1, 1), Error);
}

BOOST_AUTO_TEST_CASE(inverse_erf_inverts_erf) {
    double worst = 0;
    for (int i = -59000; i <= 59000; ++i) {
        const double y = i * 1e-4;
        const double x = std::erf(y);
        if (std::abs(x) == 1) continue;
        // One unit in the last place of x moves y by this much: it cannot be known better.
        const double unavoidable = 0x1p-53 * std::abs(x) * std::exp(y * y);
        worst = std::max(worst, std::abs(inverse_erf(x) - y) / (std::abs(y) * 4e-16 + unavoidable + 1e-300));
    }
    BOOST_TEST(worst <= 4.0);
    BOOST_TEST(inverse_erf(1e-200) == 1e-200 * std::sqrt(std::acos(-1.0)) / 2, boost::test_tools::tolerance(1e-15));
    BOOST_TEST(inverse_erf(0.0) == 0.0);
    BOOST_TEST(inverse_erf(1.0) == std::numeric_limits<double>::infinity());
    BOOST_TEST(inverse_erf(-1.0) == -std::numeric_limits<double>::infinity());
    BOOST_TEST(std::isnan(inverse_erf(1.5)));
    BOOST_TEST(std::isnan(inverse_erf(NAN)));
}

BOOST_AUTO_TEST_CASE(generator_goes_on_from_a_position) {
    Generator a(5, 1);
    a.uniform();
    a.normal();
    a.below(10);
    Generator b(5, 1);
    b.seek(a.position());
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(a.uniform() == b.uniform());
        BOOST_TEST(a.normal() == b.normal());
        BOOST_TEST(a.truncated_normal(1, -2, 2) == b.truncated_normal(1, -2, 2));
        BOOST_TEST(a.below(1000) == b.below(1000));
    }
}

BOOST_AUTO_TEST_CASE(below_is_even) {
    Generator random(6);
    std::vector<int> count(7);
    for (int i = 0; i < 70000; ++i) ++count[random.below(7)];
    for (int seen : count) BOOST_TEST(std::abs(seen - 10000) < 400);
    BOOST_TEST(random.below(1) == 0U);
    BOOST_CHECK_THROW(random.below(0), Error);
}
