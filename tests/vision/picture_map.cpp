// SPDX-License-Identifier: Apache-2.0
// What was drawn at a known place of a picture comes back to it from the map, whatever the sizes between.
#define BOOST_TEST_MODULE vision_picture_map

#include "dinomaly/vision/picture_map.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "dinomaly/vision/normalize.hpp"
#include "dinomaly/vision/resize.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

struct Case {
    PictureSize picture;
    Preprocess sizes;
};

const std::vector<Case> cases{{{448, 448}, {.size = 448, .crop = 392}},
                              {{900, 900}, {.size = 288, .crop = 252}},
                              {{640, 480}, {.size = 448, .crop = 392}},
                              {{101, 333}, {.size = 448, .crop = 392}},
                              {{1500, 700}, {.size = {512, 256}, .crop = {448, 224}}},
                              {{300, 900}, {.size = {201, 450}, .crop = {140, 448}}},
                              {{64, 64}, {.size = 448, .crop = 448}}};

/// White in the rectangle, else black.
Image picture_with(PictureSize size, const Window& white) {
    Image image = make_image(size.width, size.height, 1);
    for (int y = white.top; y < white.top + white.height; ++y)
        for (int x = white.left; x < white.left + white.width; ++x) image.row(y)[x] = 255;
    return image;
}

/// The rectangle around all values of a half or more.
Window found_in(const PictureMap& map) {
    const std::vector<float> values = map.values();
    Window box{map.width(), map.height(), 0, 0};
    int right = 0, bottom = 0;
    for (int y = 0; y < map.height(); ++y)
        for (int x = 0; x < map.width(); ++x) {
            if (!(values[static_cast<std::size_t>(y) * static_cast<std::size_t>(map.width()) +
                         static_cast<std::size_t>(x)] >= 0.5F))
                continue;
            box.left = std::min(box.left, x);
            box.top = std::min(box.top, y);
            right = std::max(right, x + 1);
            bottom = std::max(bottom, y + 1);
        }
    box.width = right - box.left;
    box.height = bottom - box.top;
    return box;
}

/// The map's value at a pixel, by the words of the header's first lines.
double expected_value(const std::vector<float>& map, int map_width, int map_height, const Case& c, int x, int y) {
    const auto along = [](int pixel, int pixels, int size, int offset, int crop) {
        return ((pixel + 0.5) * size / pixels - offset) / crop;
    };
    const PictureSize size = c.sizes.size, crop = c.sizes.crop, offset = c.sizes.offset();
    const double u = along(x, c.picture.width, size.width, offset.width, crop.width);
    const double v = along(y, c.picture.height, size.height, offset.height, crop.height);
    if (u < 0 || u >= 1 || v < 0 || v >= 1) return std::nan("");
    const auto at = [&](double row, double column) {
        const auto i = static_cast<std::size_t>(std::clamp(row, 0.0, map_height - 1.0));
        const auto j = static_cast<std::size_t>(std::clamp(column, 0.0, map_width - 1.0));
        return static_cast<double>(map[i * static_cast<std::size_t>(map_width) + j]);
    };
    const double column = u * map_width - 0.5, row = v * map_height - 0.5;
    const double left = std::floor(column), top = std::floor(row);
    return std::lerp(std::lerp(at(top, left), at(top, left + 1), column - left),
                     std::lerp(at(top + 1, left), at(top + 1, left + 1), column - left), row - top);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_square_comes_back_to_its_place) {
    for (const Case& c : cases) {
        const PictureSize p = c.picture;
        for (const double part : {0.3, 0.5}) {
            const Window square{static_cast<int>(part * p.width), static_cast<int>(0.4 * p.height), p.width / 5,
                                p.height / 6};
            const Image cropped = resize_and_crop(picture_with(p, square), c.sizes);
            for (const int side : {0, 256}) {
                const Image small = side == 0 ? cropped : resize(cropped, side, side, {0, 0, side, side});
                std::vector<float> map;
                for (std::uint8_t value : small.pixels) map.push_back(static_cast<float>(value) / 255);
                const Window found = found_in(PictureMap(map, small.width, small.height, p, c.sizes));
                BOOST_TEST_CONTEXT("picture " << p << ", size " << c.sizes.size << ", crop " << c.sizes.crop << ", map "
                                              << small.width << "x" << small.height) {
                    BOOST_TEST(std::abs(found.left - square.left) <= 1);
                    BOOST_TEST(std::abs(found.top - square.top) <= 1);
                    BOOST_TEST(std::abs(found.left + found.width - square.left - square.width) <= 1);
                    BOOST_TEST(std::abs(found.top + found.height - square.top - square.height) <= 1);
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(each_value_is_what_the_definition_says) {
    for (const Case& c : cases) {
        constexpr int map_width = 9, map_height = 7;
        std::vector<float> map;
        for (int i = 0; i < map_width * map_height; ++i) map.push_back(static_cast<float>((i * 37) % 64) / 32);
        const PictureMap in_picture(map, map_width, map_height, c.picture, c.sizes);
        const Window covered = in_picture.covered();
        const std::vector<float> values = in_picture.values();
        BOOST_REQUIRE(static_cast<std::int64_t>(values.size()) == c.picture.pixels());
        std::size_t i = 0;
        for (int y = 0; y < c.picture.height; ++y)
            for (int x = 0; x < c.picture.width; ++x, ++i) {
                const double expected = expected_value(map, map_width, map_height, c, x, y);
                const bool inside = x >= covered.left && x < covered.left + covered.width && y >= covered.top &&
                                    y < covered.top + covered.height;
                BOOST_REQUIRE_EQUAL(inside, !std::isnan(expected));
                BOOST_REQUIRE_EQUAL(inside, !std::isnan(values[i]));
                if (inside) BOOST_REQUIRE_SMALL(static_cast<double>(values[i]) - expected, 1e-5);
            }
    }
}

BOOST_AUTO_TEST_CASE(places_on_the_map_have_places_in_the_picture) {
    const Preprocess sizes{.size = {200, 100}, .crop = {140, 70}};  // offsets 30 and 15 (14 below, by rounding to even)
    const std::vector<float> map(8 * 4);
    const PictureMap in_picture(map, 8, 4, {400, 300}, sizes);
    BOOST_TEST(in_picture.picture_x(0) == 60);
    BOOST_TEST(in_picture.picture_x(8) == 340);
    BOOST_TEST(in_picture.picture_x(4) == 200);
    BOOST_TEST(in_picture.picture_y(0) == 3 * sizes.offset().height);
    BOOST_TEST(in_picture.picture_y(4) == 3 * (sizes.offset().height + 70));
    BOOST_TEST(in_picture.covered().left == 60);
    BOOST_TEST(in_picture.covered().width == 280);
}

BOOST_AUTO_TEST_CASE(a_picture_too_small_for_the_crop_has_no_values) {
    const std::vector<float> map(4, 1.0F);
    const PictureMap none(map, 2, 2, 2, {.size = 56, .crop = 14});
    BOOST_TEST(none.covered().width == 0);
    BOOST_TEST(none.covered().height == 0);
    for (float value : none.values()) BOOST_TEST(std::isnan(value));
    const PictureMap one(map, 2, 2, 1, {.size = 56, .crop = 14});
    BOOST_TEST(one.values().front() == 1.0F);
}

BOOST_AUTO_TEST_CASE(impossible_sizes_are_refused) {
    const std::vector<float> map(6);
    const Preprocess sizes{.size = 28, .crop = 28};
    const auto says = [](const std::string& text) {
        return [text](const Error& error) { return std::string(error.what()) == text; };
    };
    BOOST_CHECK_EXCEPTION(PictureMap(map, 2, 2, 8, sizes), Error,
                          says("[picture map] a map of 6 values, 2x2 expected"));
    BOOST_CHECK_EXCEPTION(PictureMap(map, 2, 3, PictureSize(0, 4), sizes), Error,
                          says("[picture map] a picture of 0x4, at least 1x1 expected"));
    BOOST_CHECK_THROW(PictureMap(map, 0, 3, 8, sizes), Error);
    BOOST_CHECK_THROW(PictureMap(map, 2, 3, 8, (Preprocess{.size = 28, .crop = 30})), Error);
}
