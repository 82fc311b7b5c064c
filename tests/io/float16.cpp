// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_float16
#include "dinomaly/io/float16.hpp"

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "dinomaly/core/bfloat16.hpp"

using namespace dinomaly;
using io::float_from_half;
using io::half_from_float;
using io::round_to_odd;

namespace {

/// The value of a half by the definition, with powers of two instead of bits.
double half_by_definition(int bits) {
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    const int exponent = (bits >> 10) & 31, mantissa = bits & 1023;
    if (exponent == 31) return mantissa == 0 ? sign * HUGE_VAL : std::numeric_limits<double>::quiet_NaN();
    return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

/// The nearest half by the definition: |value| counted in units of its binade, rounded half to even.
std::uint16_t nearest_half(double value) {
    const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double magnitude = std::abs(value);
    if (magnitude >= 65520) return static_cast<std::uint16_t>(sign | 0x7c00);
    const int exponent = magnitude < 0x1p-14 ? -14 : std::ilogb(magnitude);
    const double units = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
    return static_cast<std::uint16_t>(sign | (((exponent + 14) << 10) + static_cast<int>(units)));
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_half_has_its_value_and_survives_the_way_back) {
    for (int bits = 0; bits < 65536; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = float_from_half(half);
        const double expected = half_by_definition(bits);
        BOOST_REQUIRE(std::isnan(expected) ? std::isnan(value) : static_cast<double>(value) == expected);
        BOOST_REQUIRE(std::signbit(value) == ((bits & 0x8000) != 0));
        BOOST_REQUIRE(half_from_float(value) == half);
    }
}

BOOST_AUTO_TEST_CASE(known_values) {
    BOOST_TEST(half_from_float(1.0F) == 0x3c00);
    BOOST_TEST(half_from_float(-2.0F) == 0xc000);
    BOOST_TEST(half_from_float(65504.0F) == 0x7bff);
    BOOST_TEST(half_from_float(65519.996F) == 0x7bff);
    BOOST_TEST(half_from_float(65520.0F) == 0x7c00);
    BOOST_TEST(half_from_float(std::numeric_limits<float>::infinity()) == 0x7c00);
    BOOST_TEST(half_from_float(-std::numeric_limits<float>::max()) == 0xfc00);
    BOOST_TEST(half_from_float(0x1p-24F) == 0x0001);
    BOOST_TEST(half_from_float(0x1p-25F) == 0x0000);  // a tie goes to the even neighbour
    BOOST_TEST(half_from_float(0x1.000002p-25F) == 0x0001);
    BOOST_TEST(half_from_float(0x1.8p-24F) == 0x0002);
    BOOST_TEST(half_from_float(0x1.ffep-15F) == 0x0400);  // the largest subnormals round up to the smallest normal
    BOOST_TEST(half_from_float(-0.0F) == 0x8000);
    BOOST_TEST(half_from_float(std::bit_cast<float>(0x7f800001U)) == 0x7e00);  // NaN, payload lost in the low bits
}

BOOST_AUTO_TEST_CASE(floats_between_halves_go_to_the_nearest) {
    for (int bits = 0; bits < 0x7bff; ++bits) {  // just under, at and just over the middle of every gap
        const double low = half_by_definition(bits), high = half_by_definition(bits + 1);
        const auto middle = static_cast<float>((low + high) / 2);
        for (const float value : {std::nextafter(middle, 0.0F), middle, std::nextafter(middle, 1e9F)}) {
            BOOST_REQUIRE(half_from_float(value) == nearest_half(static_cast<double>(value)));
            BOOST_REQUIRE(half_from_float(-value) == nearest_half(static_cast<double>(-value)));
        }
    }
}

BOOST_AUTO_TEST_CASE(doubles_are_rounded_once) {
    const double over_the_tie = 1 + 0x1p-11 + 0x1p-40;  // as a float a tie, which would fall to 1
    BOOST_TEST(half_from_float(static_cast<float>(over_the_tie)) == 0x3c00);
    BOOST_TEST(half_from_float(round_to_odd(over_the_tie)) == 0x3c01);
    BOOST_TEST(half_from_float(round_to_odd(1e300)) == 0x7c00);
    BOOST_TEST(half_from_float(round_to_odd(-1e-300)) == 0x8000);
    BOOST_TEST(bfloat16(round_to_odd(1 + 0x1p-8 + 0x1p-40)).bits == 0x3f81);

    std::mt19937 random(7);
    std::uniform_real_distribution<double> mantissa(-2, 2);
    std::uniform_int_distribution<int> exponent(-30, 17);
    for (int i = 0; i < 200'000; ++i) {
        const double value = std::ldexp(mantissa(random), exponent(random));
        BOOST_REQUIRE(half_from_float(round_to_odd(value)) == nearest_half(value));
    }
}
