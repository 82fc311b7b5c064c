// SPDX-License-Identifier: Apache-2.0
// The heat colours grow brighter with the value and stay in range for any input.
#define BOOST_TEST_MODULE vision_colormap

#include "dinomaly/vision/colormap.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

using namespace dinomaly::vision;

namespace {

/// Luminance of a display colour, 0 .. 1.
double luminance(const Color& color) {
    const auto linear = [](std::uint8_t value) { return std::pow(value / 255.0, 2.2); };
    return 0.2126 * linear(color[0]) + 0.7152 * linear(color[1]) + 0.0722 * linear(color[2]);
}

}  // namespace

BOOST_AUTO_TEST_CASE(lightness_grows_in_even_steps) {
    double before = std::cbrt(luminance(heat_color(0)));
    const double step = (std::cbrt(luminance(heat_color(1))) - before) / 8;
    for (int i = 1; i <= 8; ++i) {
        const double lightness = std::cbrt(luminance(heat_color(static_cast<float>(i) / 8)));
        BOOST_TEST(lightness - before > 0.5 * step);
        BOOST_TEST(lightness - before < 1.6 * step);
        before = lightness;
    }
}

BOOST_AUTO_TEST_CASE(neighbours_look_alike) {
    for (int i = 1; i < 256; ++i) {
        const Color a = heat_color(static_cast<float>(i - 1) / 255);
        const Color b = heat_color(static_cast<float>(i) / 255);
        for (std::size_t c = 0; c < 3; ++c) BOOST_REQUIRE(std::abs(a[c] - b[c]) < 8);
        BOOST_REQUIRE(luminance(a) <= luminance(b));
    }
}

BOOST_AUTO_TEST_CASE(values_out_of_range) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    BOOST_CHECK(heat_color(-3) == heat_color(0));
    BOOST_CHECK(heat_color(7) == heat_color(1));
    BOOST_CHECK(heat_color(infinity) == heat_color(1));
    BOOST_CHECK(heat_color(-infinity) == heat_color(0));
    BOOST_CHECK(heat_color(std::numeric_limits<float>::quiet_NaN()) == heat_color(0));
    BOOST_CHECK(heat_color(0) != heat_color(1));
}
