// SPDX-License-Identifier: Apache-2.0
// Connected regions of small masks drawn as text, and of random masks against a flood fill.
#define BOOST_TEST_MODULE anomaly_regions
#include "dinomaly/anomaly/regions.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

using namespace dinomaly;
using namespace dinomaly::anomaly;

namespace {

Regions label_text(const std::vector<std::string>& rows) {
    std::vector<std::uint8_t> mask;
    for (const std::string& row : rows)
        for (char c : row) mask.push_back(c == '#' ? 1 : 0);
    return label_regions(mask, static_cast<std::int64_t>(rows[0].size()), static_cast<std::int64_t>(rows.size()));
}

BOOST_AUTO_TEST_CASE(corners_connect) {
    const Regions regions = label_text({"#...",  //
                                        ".#..",  //
                                        "..#.",  //
                                        ".#.#"});
    BOOST_CHECK_EQUAL(regions.count(), 1);
    BOOST_CHECK_EQUAL(regions.area[1], 5);
    BOOST_CHECK_EQUAL(regions.good_pixels(), 11);
}

BOOST_AUTO_TEST_CASE(rows_do_not_wrap_at_the_border) {
    const Regions regions = label_text({"...#",  //
                                        "#...",  //
                                        "...#"});
    BOOST_CHECK_EQUAL(regions.count(), 3);
    BOOST_CHECK((regions.label == std::vector<std::int32_t>{0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3}));
}

BOOST_AUTO_TEST_CASE(arms_that_meet_later_are_one_region) {
    const Regions regions = label_text({"#.#.#",  //
                                        "#.#.#",  //
                                        "#####",  //
                                        ".....",  //
                                        "##..#"});
    BOOST_CHECK_EQUAL(regions.count(), 3);
    BOOST_CHECK((regions.area == std::vector<std::int64_t>{11, 11, 2, 1}));
}

BOOST_AUTO_TEST_CASE(pictures_of_a_stack_stay_apart) {
    const std::vector<std::uint8_t> masks(2 * 3 * 3, 255);
    const Regions regions = label_regions(masks, {2, 3, 3});
    BOOST_CHECK((regions.area == std::vector<std::int64_t>{0, 9, 9}));
}

BOOST_AUTO_TEST_CASE(empty_masks_have_no_region) {
    BOOST_CHECK_EQUAL(label_text({"...", "..."}).count(), 0);
    BOOST_CHECK_EQUAL(label_regions({}, StackSize{}).count(), 0);
}

/// Sets all pixels connected to one to a label; the slow and obvious way.
void flood(const std::vector<std::uint8_t>& mask, std::vector<std::int32_t>& label, int width, int height, int x, int y,
           std::int32_t value) {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const auto i = static_cast<std::size_t>(y * width + x);
    if (mask[i] == 0 || label[i] != 0) return;
    label[i] = value;
    for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx) flood(mask, label, width, height, x + dx, y + dy, value);
}

BOOST_AUTO_TEST_CASE(random_masks_agree_with_a_flood_fill) {
    std::mt19937 random(3);
    for (int trial = 0; trial < 200; ++trial) {
        const int width = 1 + static_cast<int>(random() % 24);
        const int height = 1 + static_cast<int>(random() % 24);
        std::vector<std::uint8_t> mask(static_cast<std::size_t>(width * height));
        for (auto& value : mask) value = random() % 100 < 42 ? 1 : 0;

        std::vector<std::int32_t> expected(mask.size());
        std::int32_t count = 0;
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x) {
                const auto i = static_cast<std::size_t>(y * width + x);
                if (mask[i] != 0 && expected[i] == 0) flood(mask, expected, width, height, x, y, ++count);
            }
        const Regions regions = label_regions(mask, width, height);
        BOOST_REQUIRE_EQUAL(regions.count(), count);
        BOOST_REQUIRE(regions.label == expected);
    }
}

BOOST_AUTO_TEST_CASE(wrong_sizes_are_errors) {
    const std::vector<std::uint8_t> mask(6);
    BOOST_CHECK_THROW(label_regions(mask, 2, 2), Error);
    BOOST_CHECK_THROW(label_regions(mask, -2, -3), Error);
    BOOST_CHECK_THROW(label_regions(mask, {1LL << 30, 1LL << 30, 1LL << 30}), Error);
    BOOST_CHECK_THROW(label_regions(mask, {1LL << 40, 6, 1}), Error);
}

}  // namespace
