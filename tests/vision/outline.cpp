// SPDX-License-Identifier: Apache-2.0
// The outline lies where the map has the threshold's value, is closed, and is seen on any background.
#define BOOST_TEST_MODULE vision_outline

#include "dinomaly/vision/outline.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

using namespace dinomaly::vision;

namespace {

const Preprocess whole{.size = 28, .crop = 28};
const Preprocess middle{.size = 56, .crop = 28};

std::vector<float> random_map(int values, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> map;
    for (int i = 0; i < values; ++i) map.push_back(static_cast<float>(random() % 1000) / 1000);
    return map;
}

/// Ends of strokes, to a thousandth of a pixel, and how many strokes meet there.
std::map<std::pair<long, long>, int> ends_of(const std::vector<Stroke>& strokes) {
    std::map<std::pair<long, long>, int> ends;
    for (const Stroke& s : strokes)
        for (const Point& p : {s.from, s.to}) ++ends[{std::lround(p.x * 1e3), std::lround(p.y * 1e3)}];
    return ends;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_outline_is_closed_and_lies_at_the_threshold) {
    for (const float threshold : {0.3F, 0.5F, 0.8F}) {
        // 100 pixels a map pixel: a pixel's value is that of any place in it, to a hundredth of the largest slope.
        const PictureMap map(random_map(6 * 5, 11), 6, 5, {1200, 1000}, middle);
        const std::vector<Stroke> strokes = outline(map, threshold);
        BOOST_TEST(strokes.size() > 10);
        const std::vector<float> values = map.values();
        for (const auto& [place, count] : ends_of(strokes)) {
            BOOST_TEST(count % 2 == 0);
            const double x = static_cast<double>(place.first) / 1e3, y = static_cast<double>(place.second) / 1e3;
            BOOST_REQUIRE(x >= 300 && x <= 900 && y >= 250 && y <= 750);
            if (x == 300 || x == 900 || y == 250 || y == 750) continue;  // along the map's edge
            const float value = values[static_cast<std::size_t>(y) * 1200 + static_cast<std::size_t>(x)];
            BOOST_TEST(std::abs(value - threshold) < 0.02F);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_region_that_leaves_the_map_ends_at_its_edge) {
    const PictureMap map(std::vector<float>(4, 1.0F), 2, 2, {80, 40}, middle);
    double length = 0;
    for (const Stroke& s : outline(map, 0.5F)) {
        length += std::hypot(s.to.x - s.from.x, s.to.y - s.from.y);
        for (const Point& p : {s.from, s.to})
            BOOST_TEST((p.x == 20 || p.x == 60 || p.y == 10 || p.y == 30), p.x << " " << p.y);
    }
    BOOST_TEST(length == 2 * (40 + 20), boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(opposite_corners_belong_together) {
    for (const std::vector<float>& values : {std::vector<float>{1, 0, 0, 1}, {0, 1, 1, 0}}) {
        const PictureMap map(values, 2, 2, {80, 80}, whole);
        for (const auto& [place, count] : ends_of(outline(map, 0.5F))) BOOST_TEST(count % 2 == 0);
    }
}

BOOST_AUTO_TEST_CASE(nothing_reaches_the_threshold) {
    const PictureMap map(random_map(16, 1), 4, 4, {30, 30}, whole);
    BOOST_TEST(outline(map, 1.5F).empty());
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    BOOST_TEST(outline(map, nan).empty());
    BOOST_TEST(outline(PictureMap(std::vector<float>(4, nan), 2, 2, {30, 30}, whole), 0.5F).empty());
    for (const Stroke& s : outline(PictureMap(std::vector<float>{0, infinity, nan, 0}, 2, 2, {30, 30}, whole), 0.5F))
        BOOST_TEST((std::isfinite(s.from.x) && std::isfinite(s.to.y)));
}

BOOST_AUTO_TEST_CASE(it_is_seen_on_white_and_on_black) {
    std::vector<float> hot(8 * 8, 0.0F);
    hot[3 * 8 + 3] = 1;
    const PictureMap map(hot, 8, 8, {200, 200}, whole);
    for (const std::uint8_t ground : {std::uint8_t{0}, std::uint8_t{255}}) {
        Image out = make_image(200, 200, 3);
        out.pixels.assign(out.pixels.size(), ground);
        draw_outline(out, outline(map, 0.5F));
        int white = 0, black = 0;
        for (int x = 0; x < 200; ++x) {
            white += out.row(87)[3 * x] > 220 ? 1 : 0;  // row 87 goes through the hot spot's middle
            black += out.row(87)[3 * x] < 90 ? 1 : 0;
        }
        BOOST_TEST(white >= 2);
        BOOST_TEST(black >= 2);
        BOOST_TEST(out.row(0)[0] == ground);
    }
    BOOST_TEST(outline_pen({100, 100}).width == 1.6);
    BOOST_TEST(outline_pen({4000, 3000}).width == 10);
}
