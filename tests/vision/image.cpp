// SPDX-License-Identifier: Apache-2.0
// Sizes that are refused and the conversions between grey and RGB.
#define BOOST_TEST_MODULE vision_image

#include "dinomaly/vision/image.hpp"

#include <boost/test/unit_test.hpp>

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

int luma(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    return to_grey({1, 1, 3, {red, green, blue}}).pixels.at(0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(grey_is_rounded_luma) {
    BOOST_TEST(luma(24, 19, 9) == 19);
    BOOST_TEST(luma(255, 0, 0) == 76);
    BOOST_TEST(luma(0, 255, 0) == 150);
    BOOST_TEST(luma(0, 0, 255) == 29);
    BOOST_TEST(luma(1, 2, 3) == 2);
    BOOST_TEST(luma(200, 100, 50) == 124);
    BOOST_TEST(luma(255, 255, 255) == 255);
}

BOOST_AUTO_TEST_CASE(rgb_repeats_grey_and_goes_back) {
    const Image grey{2, 1, 1, {7, 250}};
    const Image rgb = to_rgb(grey);
    BOOST_CHECK(rgb == (Image{2, 1, 3, {7, 7, 7, 250, 250, 250}}));
    BOOST_CHECK(to_rgb(rgb) == rgb);
    BOOST_CHECK(to_grey(rgb) == grey);
    BOOST_CHECK(to_grey(grey) == grey);
}

BOOST_AUTO_TEST_CASE(rows_lie_one_after_the_other) {
    Image image = make_image(3, 2, 3);
    image.row(1)[2] = 9;
    BOOST_TEST(image.stride() == 9U);
    BOOST_TEST(image.pixels.size() == 18U);
    BOOST_TEST(image.pixels[11] == 9);
}

BOOST_AUTO_TEST_CASE(impossible_pictures_are_refused) {
    BOOST_CHECK_THROW(make_image(0, 4, 3), Error);
    BOOST_CHECK_THROW(make_image(4, -1, 3), Error);
    BOOST_CHECK_THROW(make_image(4, 4, 2), Error);
    BOOST_CHECK_THROW(make_image(1 << 15, (1 << 13) + 1, 1), Error);
    BOOST_CHECK_THROW(check_size("huge", std::int64_t{1} << 62, std::int64_t{1} << 62), Error);
    BOOST_CHECK_NO_THROW(check_size("largest", 1 << 14, 1 << 14));
    BOOST_CHECK_THROW(check_image("test", Image{2, 2, 3, {1, 2, 3}}), Error);
}
