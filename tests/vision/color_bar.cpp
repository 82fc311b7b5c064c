// SPDX-License-Identifier: Apache-2.0
// The colour bar shows each value's colour at its height, beside an unchanged picture.
#define BOOST_TEST_MODULE vision_color_bar

#include "dinomaly/vision/color_bar.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

Color color_at(const Image& image, int x, int y) {
    const std::uint8_t* pixel = image.row(y) + 3 * x;
    return {pixel[0], pixel[1], pixel[2]};
}

Image plain(int width, int height, std::uint8_t value = 100) {
    Image image = make_image(width, height, 3);
    image.pixels.assign(image.pixels.size(), value);
    return image;
}

/// Pixels brighter than the ground in the numbers' part of some rows.
int ink(const Image& image, const ColorBarLayout& layout, int from, int end) {
    int count = 0;
    for (int y = std::max(0, from); y < std::min(image.height, end); ++y)
        for (int x = layout.bar.left + layout.bar.width + layout.text; x < image.width; ++x)
            count += image.row(y)[3 * x] > 100 ? 1 : 0;
    return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(colours_stand_at_their_values) {
    const OverlayStyle style{.low = 0.1F, .high = 0.5F};
    for (const PictureSize size : {PictureSize{300, 400}, PictureSize{1600, 900}, PictureSize{10, 10}}) {
        const Image out = with_color_bar(plain(size.width, size.height), style);
        const Window bar = ColorBarLayout(size, 0).bar;
        BOOST_TEST(out.height >= size.height);
        for (int y = 0; y < size.height; ++y)
            for (int x = 0; x < size.width; ++x) BOOST_REQUIRE((color_at(out, x, y) == Color{100, 100, 100}));
        for (int y = 0; y < bar.height; ++y) {
            const Color expected = heat_color(1 - (static_cast<float>(y) + 0.5F) / static_cast<float>(bar.height));
            BOOST_REQUIRE((color_at(out, bar.left + bar.width / 2, bar.top + y) == expected));
        }
    }
}

BOOST_AUTO_TEST_CASE(numbers_stand_beside_their_ticks_alone) {
    const PictureSize size{500, 400};
    const OverlayStyle style{.low = 0, .high = 0.4F};
    const Image out = with_color_bar(plain(size.width, size.height), style);
    const ColorBarLayout layout(size, 0);
    for (int i = 0; i < 4; ++i) {
        const int tick = layout.bar.top + i * layout.bar.height / 4;
        BOOST_TEST(ink(out, layout, tick - layout.text, tick + layout.text) > 20);
        BOOST_TEST(ink(out, layout, tick + layout.text, tick + layout.bar.height / 4 - layout.text) == 0);
    }
}

BOOST_AUTO_TEST_CASE(the_threshold_crosses_the_bar) {
    const PictureSize size{800, 800};
    const OverlayStyle style = absolute_style(0.15F);
    const Image with = with_color_bar(plain(800, 800), style, 0.15F), without = with_color_bar(plain(800, 800), style);
    const ColorBarLayout layout(size, 0);
    const int middle = layout.bar.top + layout.bar.height / 2, x = layout.bar.left + layout.bar.width / 2;
    BOOST_CHECK((color_at(with, x, middle) == Color{255, 255, 255}));
    BOOST_CHECK((color_at(without, x, middle) != Color{255, 255, 255}));
    BOOST_TEST(ink(with, layout, middle - layout.text, middle + layout.text) >
               ink(without, layout, middle - layout.text, middle + layout.text));
    // Out of the range, or unknown, it is left out.
    for (const float other : {0.31F, -1.0F, std::numeric_limits<float>::quiet_NaN()})
        BOOST_CHECK(with_color_bar(plain(800, 800), style, other) == without);
}

BOOST_AUTO_TEST_CASE(numbers_tell_values_of_the_range_apart) {
    BOOST_TEST(detail::number_text(0.0724F, 0.3F) == "0.072");
    BOOST_TEST(detail::number_text(0.5F, 1) == "0.50");
    BOOST_TEST(detail::number_text(12, 40) == "12.0");
    BOOST_TEST(detail::number_text(-250, 500) == "-250");
    for (char c : std::string_view("0123456789.-")) BOOST_TEST(!detail::glyph(c).empty());
}

BOOST_AUTO_TEST_CASE(grey_pictures_become_rgb_and_empty_ones_are_refused) {
    const Image out = with_color_bar(make_image(20, 20, 1), {});
    BOOST_TEST(out.channels == 3);
    BOOST_CHECK_THROW(with_color_bar(Image{}, {}), Error);
    BOOST_CHECK_THROW(with_color_bar(plain(4, 4), {.low = 1, .high = 1}), Error);
}
