// SPDX-License-Identifier: Apache-2.0
// Elementwise functions: accuracy against long double over sweeps of all exponents, special values, and a scalar giving
// the bits of a lane.
#define BOOST_TEST_MODULE math

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "dinomaly/core/math.hpp"

namespace math = dinomaly::math;
using dinomaly::Packet;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float denormal = std::numeric_limits<float>::denorm_min();
constexpr int width = Packet<float>::width;

/// Every 4999th float from -limit to limit in the order of their bits, thus all exponents alike; and a fine linear
/// grid.
std::vector<float> sweep(float limit) {
    std::vector<float> points;
    const auto last = std::bit_cast<std::uint32_t>(limit);
    for (std::uint32_t bits = 0; bits <= last; bits += 4999) {
        points.push_back(std::bit_cast<float>(bits));
        points.push_back(-points.back());
    }
    const float linear_limit = std::min(limit, 12.0F);
    for (int i = -200000; i <= 200000; ++i) points.push_back(linear_limit * static_cast<float>(i) / 200000.0F);
    return points;
}

/// |got - want| in units of the last place of want, subnormals included.
double ulps(float got, long double want) {
    if (std::isnan(got) || std::isinf(got)) return std::numeric_limits<double>::infinity();
    const int exponent = want == 0 ? -126 : std::max(std::ilogb(want), -126);
    return static_cast<double>(std::abs(got - want) / std::ldexp(1.0L, exponent - 23));
}

struct Worst {
    double ulp = 0, absolute = 0, relative = 0;
    float at = 0;  ///< where ulp was reached
};

template <class Function, class Reference>
Worst worst(const std::vector<float>& points, Function function, Reference reference) {
    Worst result;
    for (float x : points) {
        const long double want = reference(static_cast<long double>(x));
        const float got = function(x);
        const double error = ulps(got, want);
        if (error > result.ulp) result.ulp = error, result.at = x;
        result.absolute = std::max(result.absolute, static_cast<double>(std::abs(got - want)));
        if (want != 0) result.relative = std::max(result.relative, static_cast<double>(std::abs((got - want) / want)));
    }
    BOOST_TEST_MESSAGE("worst " << result.ulp << " ulp at " << result.at << ", absolute " << result.absolute
                                << ", relative " << result.relative);
    return result;
}

long double exact_normal_cdf(long double x) {
    return 0.5L * std::erfc(-x / std::sqrt(2.0L));
}

template <class Function> void expect_same_bits(const char* name, Function function) {
    std::vector<float> points = sweep(std::numeric_limits<float>::max());
    for (float special : {0.0F, -0.0F, infinity, -infinity, not_a_number, denormal, -denormal})
        points.push_back(special);
    while (points.size() % width != 0) points.push_back(1.0F);
    std::size_t different = 0;
    for (std::size_t i = 0; i < points.size(); i += width) {
        float lanes[width];
        function(Packet<float>::load(points.data() + i)).store(lanes);
        for (std::size_t k = 0; k < width; ++k) {
            const float scalar = function(points[i + k]);
            if (std::isnan(scalar) && std::isnan(lanes[k])) continue;
            if (std::bit_cast<std::uint32_t>(scalar) == std::bit_cast<std::uint32_t>(lanes[k])) continue;
            if (different++ == 0)
                BOOST_TEST_MESSAGE(name << '(' << points[i + k] << "): " << scalar << ' ' << lanes[k]);
        }
    }
    BOOST_TEST(different == 0U, name << " differs at " << different << " points");
}

/// Bits, so that the sign of zero counts and NaN equals NaN.
void expect_value(float got, float want) {
    BOOST_TEST(((std::isnan(got) && std::isnan(want)) || (got == want && std::signbit(got) == std::signbit(want))),
               "got " << got << ", expected " << want);
}

}  // namespace

BOOST_AUTO_TEST_CASE(exp_within_2_ulp) {
    const auto result = worst(
        sweep(88.72F), [](float x) { return math::exp(x); }, [](auto x) { return std::exp(x); });
    BOOST_TEST(result.ulp <= 2.0);
    const auto subnormal = worst(
        {-88.0F, -90.0F, -95.5F, -100.0F, -103.0F, -103.9F, -104.0F, -110.0F}, [](float x) { return math::exp(x); },
        [](auto x) { return std::exp(x); });
    BOOST_TEST(subnormal.ulp <= 2.0);
    expect_value(math::exp(88.73F), infinity);
    expect_value(math::exp(1e30F), infinity);
    expect_value(math::exp(infinity), infinity);
    expect_value(math::exp(-infinity), 0.0F);
    expect_value(math::exp(-1e30F), 0.0F);
    expect_value(math::exp(0.0F), 1.0F);
    expect_value(math::exp(-0.0F), 1.0F);
    expect_value(math::exp(not_a_number), not_a_number);
    expect_value(math::exp(-not_a_number), not_a_number);
}

BOOST_AUTO_TEST_CASE(log_within_2_ulp) {
    std::vector<float> points;
    for (float x : sweep(std::numeric_limits<float>::max()))
        if (x > 0) points.push_back(x);
    for (int i = -100000; i <= 100000; ++i) points.push_back(1.0F + static_cast<float>(i) * 0x1p-18F);
    const auto result = worst(
        points, [](float x) { return math::log(x); }, [](auto x) { return std::log(x); });
    BOOST_TEST(result.ulp <= 2.0);
    BOOST_TEST(math::log(denormal) == std::log(denormal), boost::test_tools::tolerance(1e-6F));
    expect_value(math::log(1.0F), 0.0F);
    expect_value(math::log(0.0F), -infinity);
    expect_value(math::log(-0.0F), -infinity);
    expect_value(math::log(-1.0F), not_a_number);
    expect_value(math::log(-denormal), not_a_number);
    expect_value(math::log(-infinity), not_a_number);
    expect_value(math::log(infinity), infinity);
    expect_value(math::log(not_a_number), not_a_number);
}

BOOST_AUTO_TEST_CASE(tanh_within_6_ulp) {
    const auto result = worst(
        sweep(std::numeric_limits<float>::max()), [](float x) { return math::tanh(x); },
        [](auto x) { return std::tanh(x); });
    BOOST_TEST(result.ulp <= 6.0);
    expect_value(math::tanh(-0.0F), -0.0F);
    expect_value(math::tanh(infinity), 1.0F);
    expect_value(math::tanh(-infinity), -1.0F);
    expect_value(math::tanh(not_a_number), not_a_number);
}

BOOST_AUTO_TEST_CASE(erf_within_6_ulp) {
    const auto result = worst(
        sweep(std::numeric_limits<float>::max()), [](float x) { return math::erf(x); },
        [](auto x) { return std::erf(x); });
    BOOST_TEST(result.ulp <= 6.0);
    expect_value(math::erf(-0.0F), -0.0F);
    expect_value(math::erf(infinity), 1.0F);
    expect_value(math::erf(-infinity), -1.0F);
    expect_value(math::erf(not_a_number), not_a_number);
}

BOOST_AUTO_TEST_CASE(normal_cdf_has_both_tails) {
    const auto cdf = [](float x) { return math::normal_cdf(x); };
    BOOST_TEST(worst(sweep(std::numeric_limits<float>::max()), cdf, exact_normal_cdf).absolute <= 1e-7);
    BOOST_TEST(worst(sweep(8.0F), cdf, exact_normal_cdf).relative <= 1e-5);
    expect_value(math::normal_cdf(0.0F), 0.5F);
    expect_value(math::normal_cdf(infinity), 1.0F);
    expect_value(math::normal_cdf(-infinity), 0.0F);
    expect_value(math::normal_cdf(not_a_number), not_a_number);
}

BOOST_AUTO_TEST_CASE(normal_pdf_is_its_slope) {
    const auto pdf = [](long double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0L)); };
    BOOST_TEST(worst(
                   sweep(8.0F), [](float x) { return math::normal_pdf(x); }, pdf)
                   .relative <= 1e-5);
    const double step = 1e-5;
    for (double x : {-3.0, -0.4, 0.0, 1.7})
        BOOST_TEST(math::normal_pdf(x) == (math::normal_cdf(x + step) - math::normal_cdf(x - step)) / (2 * step),
                   boost::test_tools::tolerance(1e-7));
}

BOOST_AUTO_TEST_CASE(sigmoid_keeps_its_lower_tail) {
    const auto result = worst(
        sweep(87.0F), [](float x) { return math::sigmoid(x); }, [](auto x) { return 1 / (1 + std::exp(-x)); });
    BOOST_TEST(result.ulp <= 4.0);
    expect_value(math::sigmoid(infinity), 1.0F);
    expect_value(math::sigmoid(-infinity), 0.0F);
    expect_value(math::sigmoid(not_a_number), not_a_number);
}

BOOST_AUTO_TEST_CASE(sqrt_abs_sign_pow) {
    expect_value(math::sqrt(2.0F), std::sqrt(2.0F));
    expect_value(math::sqrt(-1.0F), not_a_number);
    expect_value(math::abs(-0.0F), 0.0F);
    expect_value(math::abs(-infinity), infinity);
    expect_value(math::sign(-3.0F), -1.0F);
    expect_value(math::sign(0.0F), 0.0F);
    expect_value(math::sign(denormal), 1.0F);
    expect_value(math::sign(not_a_number), not_a_number);
    expect_value(math::pow(-2.0F, 3.0F), -8.0F);
    expect_value(math::pow(-2.0F, 0.5F), not_a_number);
    expect_value(math::pow(0.0F, 0.0F), 1.0F);
}

BOOST_AUTO_TEST_CASE(min_and_max_keep_the_nan_of_the_second) {
    const auto check = []<class T>(T) {
        const auto first_lane = [](auto x) {
            if constexpr (math::is_packet<T>)
                return x.max();
            else
                return x;
        };
        using Value = math::value_type<T>;
        const T undefined = std::numeric_limits<Value>::quiet_NaN();
        BOOST_TEST(std::isnan(first_lane(math::min(T(1), undefined))));
        BOOST_TEST(std::isnan(first_lane(math::max(T(1), undefined))));
        BOOST_TEST(first_lane(math::min(undefined, T(1))) == Value(1));
        BOOST_TEST(first_lane(math::max(undefined, T(1))) == Value(1));
        BOOST_TEST(first_lane(math::min(T(1), T(2))) == Value(1));
        BOOST_TEST(first_lane(math::min(T(2), T(1))) == Value(1));
        BOOST_TEST(first_lane(math::max(T(1), T(2))) == Value(2));
        BOOST_TEST(first_lane(math::max(T(2), T(1))) == Value(2));
        BOOST_TEST(first_lane(math::select(math::is_nan(undefined), T(3), T(4))) == Value(3));
        BOOST_TEST(first_lane(math::select(math::is_nan(T(0)), T(3), T(4))) == Value(4));
    };
    check(1.0F);
    check(1.0);
    check(Packet<float>(1));
    check(Packet<double>(1));
}

BOOST_AUTO_TEST_CASE(scalar_gives_the_bits_of_a_lane) {
    expect_same_bits("exp", [](auto x) { return math::exp(x); });
    expect_same_bits("log", [](auto x) { return math::log(x); });
    expect_same_bits("tanh", [](auto x) { return math::tanh(x); });
    expect_same_bits("erf", [](auto x) { return math::erf(x); });
    expect_same_bits("sigmoid", [](auto x) { return math::sigmoid(x); });
    expect_same_bits("normal_cdf", [](auto x) { return math::normal_cdf(x); });
    expect_same_bits("normal_pdf", [](auto x) { return math::normal_pdf(x); });
    expect_same_bits("sqrt", [](auto x) { return math::sqrt(x); });
    expect_same_bits("abs", [](auto x) { return math::abs(x); });
    expect_same_bits("sign", [](auto x) { return math::sign(x); });
    expect_same_bits("sin", [](auto x) { return math::sin(x); });
    expect_same_bits("cos", [](auto x) { return math::cos(x); });
    expect_same_bits("pow", [](auto x) { return math::pow(x, decltype(x)(1.5)); });
}

BOOST_AUTO_TEST_CASE(double_goes_through_the_standard_library) {
    constexpr int double_width = Packet<double>::width;
    for (double start = -9.0; start < 9.0; start += 0.37) {
        double x[double_width];
        for (int i = 0; i < double_width; ++i) x[i] = start + i * 0.05;
        const auto packet = Packet<double>::load(x);
        const auto expect_lanes = [&](auto function, auto reference, double tolerance = 1e-15) {
            double lanes[double_width];
            function(packet).store(lanes);
            for (int i = 0; i < double_width; ++i) {
                BOOST_TEST(lanes[i] == reference(x[i]), boost::test_tools::tolerance(tolerance));
                BOOST_TEST(function(x[i]) == lanes[i]);
            }
        };
        expect_lanes([](auto v) { return math::exp(v); }, [](double v) { return std::exp(v); });
        expect_lanes([](auto v) { return math::log(math::abs(v)); }, [](double v) { return std::log(std::abs(v)); });
        expect_lanes([](auto v) { return math::tanh(v); }, [](double v) { return std::tanh(v); });
        expect_lanes([](auto v) { return math::erf(v); }, [](double v) { return std::erf(v); });
        expect_lanes([](auto v) { return math::sin(v); }, [](double v) { return std::sin(v); });
        expect_lanes([](auto v) { return math::cos(v); }, [](double v) { return std::cos(v); });
        expect_lanes([](auto v) { return math::sqrt(math::abs(v)); }, [](double v) { return std::sqrt(std::abs(v)); });
        expect_lanes([](auto v) { return math::pow(v, decltype(v)(3)); }, [](double v) { return std::pow(v, 3.0); });
        expect_lanes([](auto v) { return math::sigmoid(v); }, [](double v) { return 1 / (1 + std::exp(-v)); });
        expect_lanes([](auto v) { return math::normal_cdf(v); },
                     [](double v) { return static_cast<double>(exact_normal_cdf(v)); }, 2e-14);
    }
}
