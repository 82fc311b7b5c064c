// SPDX-License-Identifier: Apache-2.0
// The heat colours grow brighter with the value and stay in range for any input.
#define BOOST_TEST_MODULE vision_colormap

#include "dinomaly/vision/colormap.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
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

BOOST_AUTO_TEST_CASE(the_map_is_inferno) {
    // matplotlib.colormaps["inferno"], entries 0, 32, .. 224 and 255 of 256.
    const Color expected[] = {{0, 0, 4},     {33, 12, 74},  {87, 16, 110},  {138, 34, 106}, {188, 55, 84},
                              {228, 90, 49}, {249, 142, 9}, {249, 203, 53}, {252, 255, 164}};
    for (int i = 0; i <= 8; ++i) {
        const Color color = heat_color(static_cast<float>(std::min(32 * i, 255)) / 255);
        for (std::size_t c = 0; c < 3; ++c) BOOST_TEST(std::abs(color[c] - expected[i][c]) <= 2);
    }
}

BOOST_AUTO_TEST_CASE(order_of_values_is_order_of_brightness_without_red_or_green_cones) {
    // Machado, Oliveira and Fernandes 2009: protanopia and deuteranopia, full severity, in linear RGB.
    const double missing[][9] = {
        {0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998},
        {0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881}};
    for (const auto& m : missing) {
        double before = -1;
        for (int i = 0; i <= 16; ++i) {
            const Color color = heat_color(static_cast<float>(i) / 16);
            double rgb[3];
            for (std::size_t c = 0; c < 3; ++c) rgb[c] = std::pow(color[c] / 255.0, 2.2);
            double seen[3];
            for (std::size_t c = 0; c < 3; ++c)
                seen[c] = std::max(0.0, m[3 * c] * rgb[0] + m[3 * c + 1] * rgb[1] + m[3 * c + 2] * rgb[2]);
            const double lightness = std::cbrt(0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2]);
            BOOST_TEST(lightness > before);
            before = lightness;
        }
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
