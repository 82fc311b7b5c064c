// SPDX-License-Identifier: Apache-2.0
// Strokes cover the pixels that are near to them, and no others.
#define BOOST_TEST_MODULE vision_strokes

#include "dinomaly/vision/strokes.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

Image grey(int width, int height) {
    Image image = make_image(width, height, 3);
    image.pixels.assign(image.pixels.size(), 100);
    return image;
}

}  // namespace

BOOST_AUTO_TEST_CASE(coverage_falls_with_the_distance) {
    const Pen pen{.width = 3, .color = {200, 200, 200}, .rim = 2, .rim_color = {0, 0, 0}};
    const std::vector<Stroke> strokes{{{5, 4}, {22, 17}}, {{22, 17}, {30, 2}}};
    Image out = grey(40, 24);
    draw_strokes(out, strokes, pen);
    for (int y = 0; y < 24; ++y)
        for (int x = 0; x < 40; ++x) {
            double nearest = 1e9;
            for (const Stroke& s : strokes)
                for (int i = 0; i <= 4000; ++i)
                    nearest = std::min(nearest, std::hypot(std::lerp(s.from.x, s.to.x, i / 4000.0) - x - 0.5,
                                                           std::lerp(s.from.y, s.to.y, i / 4000.0) - y - 0.5));
            const double dark = std::clamp(1.5 + 2 + 0.5 - nearest, 0.0, 1.0);
            const double light = std::clamp(1.5 + 0.5 - nearest, 0.0, 1.0);
            const double expected = std::lerp(std::lerp(100.0, 0.0, dark), 200.0, light);
            BOOST_REQUIRE_SMALL(out.row(y)[3 * x] - expected, 5.0);
        }
}

BOOST_AUTO_TEST_CASE(what_lies_outside_is_left_out) {
    Image out = grey(8, 8);
    draw_strokes(out, std::vector<Stroke>{{{-100, -50}, {-20, 900}}, {{50, 50}, {1e7, 1e7}}}, {.width = 2});
    BOOST_CHECK(out == grey(8, 8));
    draw_strokes(out, std::vector<Stroke>{{{-5, 4}, {50, 4}}}, {.width = 2});
    for (int x = 0; x < 8; ++x)
        for (int y = 0; y < 8; ++y) BOOST_TEST(out.row(y)[3 * x] == (y == 3 || y == 4 ? 255 : 100));
    draw_strokes(out, {}, {.width = 2});
}

BOOST_AUTO_TEST_CASE(a_stroke_without_length_is_a_dot) {
    Image out = grey(7, 7);
    draw_strokes(out, std::vector<Stroke>{{{3.5, 3.5}, {3.5, 3.5}}}, {.width = 1});
    BOOST_TEST(out.row(3)[3 * 3] == 255);
    BOOST_TEST(out.row(3)[3 * 5] == 100);
}

BOOST_AUTO_TEST_CASE(grey_pictures_are_refused) {
    Image image = make_image(4, 4, 1);
    BOOST_CHECK_EXCEPTION(draw_strokes(image, {}, {}), Error, [](const Error& error) {
        return std::string(error.what()) == "[draw_strokes] 1 channels, 3 expected";
    });
}
