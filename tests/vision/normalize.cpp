// SPDX-License-Identifier: Apache-2.0
// Crop and normalisation against exact numbers.
#define BOOST_TEST_MODULE vision_normalize

#include "dinomaly/vision/normalize.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/plain_resize.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;

BOOST_AUTO_TEST_CASE(values_are_those_of_float_arithmetic) {
    Image image = make_image(14, 14, 3);
    image.pixels[0] = 0;
    image.pixels[3 * 5 + 1] = 128;
    image.pixels[3 * 195 + 2] = 255;
    const std::vector<float> x = to_input(image, {.size = 14, .crop = 14});
    BOOST_TEST(x.size() == 588U);
    BOOST_TEST(x[0] == -2.1179039478302F);
    BOOST_TEST(x[196 + 5] == 0.20518219470977783F);
    BOOST_TEST(x[2 * 196 + 195] == 2.640000104904175F);
}

namespace {

/// Pictures are wider than high and the other way round, larger and smaller than what they become.
const std::vector<PictureSize> pictures{{37, 90}, {300, 140}, {126, 98}, {126, 300}, {40, 98}};
const Preprocess oblong{.size = {126, 98}, .crop = {112, 42}};

Image noise(PictureSize size, int channels) {
    Image image = make_image(size.width, size.height, channels);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * i * 31 % 251);
    return image;
}

std::string text_of_error(const Preprocess& sizes) {
    try {
        sizes.validate();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(oblong_pictures_are_resized_and_cut_by_side) {
    BOOST_CHECK((oblong.offset() == PictureSize{7, 28}));
    BOOST_TEST(oblong.count() == 3U * 112 * 42);
    for (const PictureSize size : pictures)
        for (const int channels : {1, 3}) {
            const Image picture = noise(size, channels), whole = dinomaly::test::plain_resize(picture, 126, 98);
            const Image cropped = resize_and_crop(picture, oblong);
            BOOST_TEST(cropped.width == 112);
            BOOST_TEST(cropped.height == 42);
            const std::vector<float> x = to_input(picture, oblong), truth = to_mask(picture, oblong);
            const Image grey = dinomaly::test::plain_resize(to_grey(picture), 126, 98);
            for (int row = 0; row < 42; ++row)
                for (int column = 0; column < 112; ++column) {
                    const auto at = static_cast<std::size_t>(112 * row + column);
                    BOOST_REQUIRE(truth[at] == static_cast<float>(grey.row(row + 28)[column + 7]) / 255.0F);
                    for (int c = 0; c < 3; ++c) {
                        const int from = channels * (column + 7) + (channels == 3 ? c : 0);
                        const auto plane = static_cast<std::size_t>(c);
                        const float expected =
                            (static_cast<float>(whole.row(row + 28)[from]) / 255.0F - pixel_mean[plane]) /
                            pixel_deviation[plane];
                        BOOST_REQUIRE(x[plane * 112 * 42 + at] == expected);
                    }
                }
        }
}

BOOST_AUTO_TEST_CASE(errors_name_the_side) {
    const auto is = [](const Preprocess& sizes, const std::string& text) {
        BOOST_TEST(text_of_error(sizes) == "[preprocess] " + text);
    };
    is({.size = {112, 84}, .crop = {98, 98}}, "crop 98x98 is larger than size 112x84: height 98, at most 84 expected");
    is({.size = {84, 112}, .crop = {98, 98}}, "crop 98x98 is larger than size 84x112: width 98, at most 84 expected");
    is({.size = {112, 84}, .crop = {98, 75}},
       "crop 98x75 is not a multiple of the patch, 14: height 75, 70 or 84 expected");
    is({.size = {112, 84}, .crop = {5, 70}},
       "crop 5x70 is not a multiple of the patch, 14: width 5, 14 or 28 expected");
    is({.size = {112, 84}, .crop = {98, 0}}, "a picture of 98x0, at least 1x1 expected");
    BOOST_TEST(text_of_error({.size = {112, 84}, .crop = {98, 70}}) == "");
}

BOOST_AUTO_TEST_CASE(the_offset_rounds_a_half_to_the_even_number) {
    BOOST_TEST((Preprocess{.size = 448, .crop = 392}).offset() == 28);
    BOOST_TEST((Preprocess{.size = 15, .crop = 14}).offset() == 0);
    BOOST_TEST((Preprocess{.size = 17, .crop = 14}).offset() == 2);
    BOOST_TEST((Preprocess{.size = 19, .crop = 14}).offset() == 2);
    BOOST_TEST((Preprocess{.size = 21, .crop = 14}).offset() == 4);
    BOOST_TEST((Preprocess{.size = 14, .crop = 14}).offset() == 0);
}

BOOST_AUTO_TEST_CASE(the_crop_is_the_middle) {
    Image image = make_image(18, 18, 1);
    for (int y = 0; y < 18; ++y)
        for (int x = 0; x < 18; ++x) image.row(y)[x] = static_cast<std::uint8_t>(10 * y + x);
    const Image cropped = resize_and_crop(image, {.size = 18, .crop = 14});
    BOOST_TEST(cropped.width == 14);
    BOOST_TEST(cropped.height == 14);
    BOOST_TEST(cropped.row(0)[0] == 22);
    BOOST_TEST(cropped.row(13)[13] == 165);
}

BOOST_AUTO_TEST_CASE(grey_pictures_become_rgb_after_the_resize_as_before_it) {
    Image grey = make_image(37, 29, 1);
    for (std::size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = static_cast<std::uint8_t>(i * 89 % 256);
    const Preprocess sizes{.size = 18, .crop = 14};
    BOOST_CHECK(to_input(grey, sizes) == to_input(to_rgb(grey), sizes));
}

BOOST_AUTO_TEST_CASE(masks_are_scaled_to_one) {
    Image mask = make_image(14, 14, 1);
    mask.pixels[3] = 255;
    mask.pixels[4] = 51;
    const std::vector<float> truth = to_mask(mask, {.size = 14, .crop = 14});
    BOOST_TEST(truth.size() == 196U);
    BOOST_TEST(truth[2] == 0.0F);
    BOOST_TEST(truth[3] == 1.0F);
    BOOST_TEST(truth[4] == 0.2F);
}

BOOST_AUTO_TEST_CASE(impossible_sizes_are_refused) {
    BOOST_CHECK_NO_THROW((Preprocess{}).validate());
    BOOST_CHECK_THROW((Preprocess{.size = 392, .crop = 406}).validate(), Error);
    BOOST_CHECK_THROW((Preprocess{.size = 448, .crop = 390}).validate(), Error);
    BOOST_CHECK_THROW((Preprocess{.size = 0, .crop = 0}).validate(), Error);
    BOOST_CHECK_THROW((Preprocess{.size = 448, .crop = -14}).validate(), Error);
    BOOST_CHECK_THROW((Preprocess{.size = 448, .crop = 392, .patch = 0}).validate(), Error);
    std::vector<float> room(5);
    BOOST_CHECK_THROW(normalize(make_image(2, 2, 3), room), Error);
}
