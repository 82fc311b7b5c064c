// SPDX-License-Identifier: Apache-2.0
// Defects of maps, against a flood fill over all pixels.
#define BOOST_TEST_MODULE anomaly_defects

#include "dinomaly/anomaly/defects.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace dinomaly::anomaly;
using dinomaly::Error;
using dinomaly::vision::PictureMap;
using dinomaly::vision::PictureSize;
using dinomaly::vision::Preprocess;

namespace {

/// Collects what is connected to each pixel that reaches the threshold, in reading order of the first pixels.
std::vector<Defect> flood_fill(const PictureMap& map, float threshold) {
    const int width = map.width(), height = map.height();
    std::vector<float> values = map.values();
    const auto at = [&](int x, int y) -> float& {
        return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
    };
    std::vector<Defect> defects;
    for (int y0 = 0; y0 < height; ++y0)
        for (int x0 = 0; x0 < width; ++x0) {
            if (!(at(x0, y0) >= threshold)) continue;
            Defect defect;
            defect.peak = -1;
            int left = x0, right = x0, top = y0, bottom = y0;
            double sum = 0;
            std::vector<std::pair<int, int>> open{{x0, y0}};
            std::vector<std::pair<int, int>> peaks;
            const auto visit = [&](int x, int y) {
                const float value = at(x, y);
                at(x, y) = -1;
                ++defect.area;
                sum += static_cast<double>(value);
                if (value > defect.peak) peaks.clear();
                if (value >= defect.peak) peaks.emplace_back(y, x);
                defect.peak = std::max(defect.peak, value);
                left = std::min(left, x);
                right = std::max(right, x);
                top = std::min(top, y);
                bottom = std::max(bottom, y);
            };
            visit(x0, y0);
            while (!open.empty()) {
                const auto [x, y] = open.back();
                open.pop_back();
                for (int v = std::max(0, y - 1); v <= std::min(height - 1, y + 1); ++v)
                    for (int u = std::max(0, x - 1); u <= std::min(width - 1, x + 1); ++u)
                        if (at(u, v) >= threshold) {
                            visit(u, v);
                            open.emplace_back(u, v);
                        }
            }
            const auto [peak_y, peak_x] = *std::ranges::min_element(peaks);
            defect.peak_x = peak_x;
            defect.peak_y = peak_y;
            defect.box = {left, top, right - left + 1, bottom - top + 1};
            defect.mean = static_cast<float>(sum / static_cast<double>(defect.area));
            defects.push_back(defect);
        }
    return defects;
}

std::vector<float> random_map(int values, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> map;
    for (int i = 0; i < values; ++i) map.push_back(static_cast<float>(random() % 1000) / 500);
    return map;
}

const Preprocess whole{.size = 28, .crop = 28};

}  // namespace

BOOST_AUTO_TEST_CASE(regions_are_those_of_a_flood_fill) {
    std::size_t seen = 0;
    for (const PictureSize picture : {PictureSize{60, 40}, PictureSize{37, 91}, PictureSize{12, 12}})
        for (const Preprocess& sizes : {whole, Preprocess{.size = {64, 48}, .crop = {42, 28}}})
            for (const float threshold : {0.5F, 1.2F, 1.7F}) {
                const PictureMap map(random_map(12 * 10, 7), 12, 10, picture, sizes);
                std::vector<Defect> expected = flood_fill(map, threshold);
                std::ranges::stable_sort(expected, [](const Defect& a, const Defect& b) {
                    return a.peak != b.peak ? a.peak > b.peak : a.area > b.area;
                });
                const std::vector<Defect> found = find_defects(map, threshold);
                BOOST_REQUIRE_EQUAL(found.size(), expected.size());
                seen += found.size();
                for (std::size_t i = 0; i < found.size(); ++i) {
                    BOOST_TEST(found[i].area == expected[i].area);
                    BOOST_TEST(found[i].box.left == expected[i].box.left);
                    BOOST_TEST(found[i].box.top == expected[i].box.top);
                    BOOST_TEST(found[i].box.width == expected[i].box.width);
                    BOOST_TEST(found[i].box.height == expected[i].box.height);
                    BOOST_TEST(found[i].peak == expected[i].peak);
                    BOOST_TEST(found[i].peak_x == expected[i].peak_x);
                    BOOST_TEST(found[i].peak_y == expected[i].peak_y);
                    BOOST_TEST(found[i].mean == expected[i].mean, boost::test_tools::tolerance(1e-5F));
                }
            }
    BOOST_TEST(seen > 30);
}

BOOST_AUTO_TEST_CASE(pixels_that_touch_by_a_corner_are_one_defect) {
    const std::vector<float> map{1, 0, 0, 1};
    // With more pixels between the two, those of the saddle, 0.5, part them.
    BOOST_TEST(find_defects(PictureMap(map, 2, 2, 2, whole), 0.9F).size() == 1);
    BOOST_TEST(find_defects(PictureMap(map, 2, 2, 8, whole), 0.9F).size() == 2);
}

BOOST_AUTO_TEST_CASE(a_value_equal_to_the_threshold_counts) {
    const std::vector<float> map(4, 0.25F);
    const std::vector<Defect> defects = find_defects(PictureMap(map, 2, 2, {30, 20}, whole), 0.25F);
    BOOST_REQUIRE_EQUAL(defects.size(), 1);
    BOOST_TEST(defects.front().area == 600);
    BOOST_TEST(defects.front().mean == 0.25F);
    BOOST_TEST(find_defects(PictureMap(map, 2, 2, {30, 20}, whole), 0.26F).empty());
}

BOOST_AUTO_TEST_CASE(small_ones_are_dropped_only_when_asked) {
    const PictureMap map(random_map(16 * 16, 3), 16, 16, {80, 80}, whole);
    const std::vector<Defect> all = find_defects(map, 1.5F);
    std::vector<Defect> large = all;
    std::erase_if(large, [](const Defect& defect) { return defect.area < 20; });
    BOOST_TEST(large.size() < all.size());
    BOOST_REQUIRE_EQUAL(find_defects(map, 1.5F, 20).size(), large.size());
    for (const Defect& defect : find_defects(map, 1.5F, 20)) BOOST_TEST(defect.area >= 20);
}

BOOST_AUTO_TEST_CASE(values_without_a_number_belong_to_none) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> map{nan, 1, 1, 1};
    BOOST_TEST(find_defects(PictureMap(map, 2, 2, 2, whole), 0.5F).front().area == 3);
    const PictureMap sound(std::vector<float>(4, 1.0F), 2, 2, 2, whole);
    BOOST_CHECK_EXCEPTION(find_defects(sound, nan), Error, [](const Error& error) {
        return std::string(error.what()) == "[find_defects] the threshold is not a number";
    });
    BOOST_TEST(find_defects(PictureMap(map, 2, 2, 2, {.size = 56, .crop = 14}), 0.5F).empty());
}
