// SPDX-License-Identifier: Apache-2.0
// A heat map lands on the pixels it was computed from.
#define BOOST_TEST_MODULE vision_overlay

#include "dinomaly/vision/overlay.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

const Preprocess whole{.size = 28, .crop = 28};
const Preprocess middle{.size = 56, .crop = 28};
const OverlayStyle opaque{.low = 0, .high = 1, .opacity = 1};

Color color_at(const Image& image, int x, int y) {
    const std::uint8_t* pixel = image.row(y) + 3 * x;
    return {pixel[0], pixel[1], pixel[2]};
}

Image plain(int width, int height) {
    Image image = make_image(width, height, 3);
    image.pixels.assign(image.pixels.size(), 100);
    return image;
}

}  // namespace

BOOST_AUTO_TEST_CASE(outside_the_crop_the_picture_stays) {
    const std::vector<float> map(16, 1.0F);
    const Image out = overlay(plain(80, 40), map, 4, 4, middle, opaque);
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 80; ++x) {
            const bool inside = x >= 20 && x < 60 && y >= 10 && y < 30;
            BOOST_REQUIRE((color_at(out, x, y) == (inside ? heat_color(1) : Color{100, 100, 100})));
        }
}

BOOST_AUTO_TEST_CASE(a_hot_spot_lands_where_it_belongs) {
    std::vector<float> map(8 * 8, 0.0F);
    map[2 * 8 + 5] = 1;  // row 2, column 5: middle at 5.5/8 of the width, 2.5/8 of the height
    const Image out = overlay(plain(160, 80), map, 8, 8, whole, opaque);
    int hottest_x = 0;
    int hottest_y = 0;
    int hottest = -1;
    for (int y = 0; y < 80; ++y)
        for (int x = 0; x < 160; ++x) {
            const Color color = color_at(out, x, y);
            const int heat = color[0] + color[1] + color[2];
            if (heat > hottest) {
                hottest = heat;
                hottest_x = x;
                hottest_y = y;
            }
        }
    BOOST_TEST(std::abs(hottest_x - 109.5) < 1);
    BOOST_TEST(std::abs(hottest_y - 24.5) < 1);
    BOOST_CHECK((color_at(out, 0, 79) == heat_color(0)));
}

BOOST_AUTO_TEST_CASE(oblong_sizes_and_maps_keep_their_sides_apart) {
    // The width loses 14 of 70 pixels at either side, the height 7 of 28.
    const Preprocess oblong{.size = {70, 28}, .crop = {42, 14}};
    const std::vector<float> map{0, 0, 0, 0, 0, 1};  // 3 x 2, hot in the corner
    const Image out = overlay(plain(100, 40), map, 3, 2, oblong, opaque);
    for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 100; ++x) {
            const bool inside = x >= 20 && x < 80 && y >= 10 && y < 30;
            if (!inside) BOOST_REQUIRE((color_at(out, x, y) == Color{100, 100, 100}));
        }
    BOOST_CHECK((color_at(out, 79, 29) == heat_color(1)));
    BOOST_CHECK((color_at(out, 79, 10) == heat_color(0)));
    BOOST_CHECK((color_at(out, 20, 29) == heat_color(0)));
    // Of the second row the pixel (65, 29) lies between the second and the third value: (65.5 - 20) / 60 * 3 - 1/2.
    BOOST_CHECK((color_at(out, 65, 29) == heat_color(0.775F)));
}

BOOST_AUTO_TEST_CASE(between_map_pixels_values_are_straight_lines) {
    const std::vector<float> map{0, 1};  // one row of two
    const Image out = overlay(plain(8, 2), map, 2, 1, whole, opaque);
    const float expected[] = {0, 0, 0.125F, 0.375F, 0.625F, 0.875F, 1, 1};
    for (int x = 0; x < 8; ++x) BOOST_CHECK((color_at(out, x, 1) == heat_color(expected[x])));
}

BOOST_AUTO_TEST_CASE(range_and_opacity) {
    const std::vector<float> map{5};
    BOOST_CHECK((color_at(overlay(plain(1, 1), map, 1, 1, whole, {4, 6, 1}), 0, 0) == heat_color(0.5F)));
    BOOST_CHECK((color_at(overlay(plain(1, 1), map, 1, 1, whole, {4, 6, 0}), 0, 0) == Color{100, 100, 100}));
    const Color half = color_at(overlay(plain(1, 1), map, 1, 1, whole, {1, 5, 0.5F}), 0, 0);
    for (std::size_t c = 0; c < 3; ++c) BOOST_TEST(half[c] == std::lround((100 + heat_color(1)[c]) * 0.5F));
    const std::vector<float> broken{std::numeric_limits<float>::quiet_NaN()};
    BOOST_CHECK((color_at(overlay(plain(1, 1), broken, 1, 1, whole, opaque), 0, 0) == heat_color(0)));
}

BOOST_AUTO_TEST_CASE(grey_pictures_become_rgb) {
    const std::vector<float> map{0};
    const Image out = overlay(Image{1, 1, 1, {77}}, map, 1, 1, whole, {0, 1, 0});
    BOOST_CHECK(out == (Image{1, 1, 3, {77, 77, 77}}));
}

BOOST_AUTO_TEST_CASE(an_absolute_scale_has_the_threshold_in_its_middle) {
    const OverlayStyle style = absolute_style(0.2F);
    BOOST_TEST(style.low == 0.0F);
    BOOST_TEST(style.high == 0.4F);
    BOOST_TEST(style.opacity_at(0) == 0.0F);
    BOOST_TEST(style.opacity_at(0.25F) == style.opacity / 4);
    BOOST_TEST(style.opacity_at(0.5F) == style.opacity);
    BOOST_TEST(style.opacity_at(1) == style.opacity);
    for (const float bad : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN()})
        BOOST_CHECK_THROW(absolute_style(bad), Error);
}

BOOST_AUTO_TEST_CASE(a_cold_map_gives_no_warm_pixel) {
    // Warm is what has more red than blue on a grey picture. Below half of the threshold nothing has.
    const OverlayStyle style = absolute_style(0.2F);
    for (const float value : {0.0F, 0.02F, 0.06F, 0.1F}) {
        const Image out = overlay(plain(8, 8), std::vector<float>(4, value), 2, 2, whole, style);
        const Color color = color_at(out, 3, 4);
        BOOST_TEST(color[0] <= color[2]);
    }
    BOOST_CHECK(overlay(plain(8, 8), std::vector<float>(4, 0.0F), 2, 2, whole, style) == plain(8, 8));
    Image orange = plain(8, 8);
    for (std::size_t i = 2; i < orange.pixels.size(); i += 3) orange.pixels[i] = 0;
    const Color part = color_at(overlay(orange, std::vector<float>(4, 0.05F), 2, 2, whole, style), 3, 4);
    BOOST_TEST(part[0] <= part[2]);  // an orange part in grey
    const Color hot = color_at(overlay(plain(8, 8), std::vector<float>(4, 0.2F), 2, 2, whole, style), 3, 4);
    BOOST_TEST(hot[0] > hot[2] + 20);
}

BOOST_AUTO_TEST_CASE(one_value_has_one_colour_whatever_the_rest_of_the_map) {
    const OverlayStyle style = absolute_style(0.2F);
    const Image one = overlay(plain(2, 2), std::vector<float>{0.3F, 0, 0, 0}, 2, 2, whole, style);
    const Image other = overlay(plain(2, 2), std::vector<float>{0.3F, 0.9F, 0.4F, 0.1F}, 2, 2, whole, style);
    BOOST_CHECK((color_at(one, 0, 0) == color_at(other, 0, 0)));
    BOOST_CHECK((color_at(one, 1, 1) != color_at(other, 1, 1)));
}

BOOST_AUTO_TEST_CASE(what_was_not_judged_is_shaded) {
    OverlayStyle style = opaque;
    style.shade = 1;
    const Image out = overlay(plain(80, 40), std::vector<float>(16, 1.0F), 4, 4, middle, style);
    for (const auto& [x, y] : {std::pair{0, 0}, {79, 39}, {19, 20}, {60, 20}, {40, 9}, {40, 30}})
        BOOST_CHECK((color_at(out, x, y) == Color{96, 96, 96}));
    for (const auto& [x, y] : {std::pair{20, 10}, {59, 29}}) BOOST_CHECK((color_at(out, x, y) == heat_color(1)));
}

BOOST_AUTO_TEST_CASE(impossible_requests_are_refused) {
    const PictureMap other(std::vector<float>(4), 2, 2, {3, 2}, whole);
    BOOST_CHECK_EXCEPTION(overlay(plain(2, 2), other, opaque), Error, [](const Error& error) {
        return std::string(error.what()) == "[overlay] a picture of 2x2, one of 3x2 expected, as the map";
    });
    OverlayStyle style = opaque;
    style.shade = -1;
    BOOST_CHECK_THROW(overlay(plain(3, 2), other, style), Error);
    const std::vector<float> map(4);
    BOOST_CHECK_THROW(overlay(plain(2, 2), map, 2, 3, whole, opaque), Error);
    BOOST_CHECK_THROW(overlay(plain(2, 2), map, 2, 2, whole, {1, 1, 0.5F}), Error);
    BOOST_CHECK_THROW(overlay(plain(2, 2), map, 2, 2, whole, {0, 1, 1.5F}), Error);
    BOOST_CHECK_THROW(overlay(Image{}, map, 2, 2, whole, opaque), Error);
}
