// SPDX-License-Identifier: Apache-2.0
// Connected regions of small masks drawn as text, of random masks against a flood fill, and on any number of threads.
#define BOOST_TEST_MODULE anomaly_regions
#include "dinomaly/anomaly/regions.hpp"

#include <algorithm>
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

/// The regions painted over the stack: 0 for a good pixel, k + 1 for region k.
std::vector<std::int32_t> painted(const Regions& regions) {
    std::vector<std::int32_t> label(static_cast<std::size_t>(regions.pixels));
    for (const Run& run : regions.runs)
        for (std::uint32_t i = run.first; i < run.end; ++i) label[i] = static_cast<std::int32_t>(run.region) + 1;
    return label;
}

BOOST_AUTO_TEST_CASE(corners_connect) {
    const Regions regions = label_text({"#...",  //
                                        ".#..",  //
                                        "..#.",  //
                                        ".#.#"});
    BOOST_CHECK_EQUAL(regions.count(), 1);
    BOOST_CHECK_EQUAL(regions.area[0], 5);
    BOOST_CHECK_EQUAL(regions.anomalous, 5);
    BOOST_CHECK_EQUAL(regions.good(), 11);
}

BOOST_AUTO_TEST_CASE(rows_do_not_wrap_at_the_border) {
    const Regions regions = label_text({"...#",  //
                                        "#...",  //
                                        "...#"});
    BOOST_CHECK_EQUAL(regions.count(), 3);
    BOOST_CHECK((regions.runs == std::vector<Run>{{3, 4, 0}, {4, 5, 1}, {11, 12, 2}}));
}

BOOST_AUTO_TEST_CASE(arms_that_meet_later_are_one_region) {
    const Regions regions = label_text({"#.#.#",  //
                                        "#.#.#",  //
                                        "#####",  //
                                        ".....",  //
                                        "##..#"});
    BOOST_CHECK_EQUAL(regions.count(), 3);
    BOOST_CHECK((regions.area == std::vector<std::int64_t>{11, 2, 1}));
}

BOOST_AUTO_TEST_CASE(pictures_of_a_stack_stay_apart) {
    const std::vector<std::uint8_t> masks(2 * 3 * 3, 255);
    const Regions regions = label_regions(masks, {2, 3, 3});
    BOOST_CHECK((regions.area == std::vector<std::int64_t>{9, 9}));
}

BOOST_AUTO_TEST_CASE(empty_masks_have_no_region) {
    BOOST_CHECK_EQUAL(label_text({"...", "..."}).count(), 0);
    BOOST_CHECK_EQUAL(label_regions({}, StackSize{}).count(), 0);
    BOOST_CHECK_EQUAL(label_regions({}, {1LL << 30, 0, 7}).count(), 0);
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
        BOOST_REQUIRE(painted(regions) == expected);
        for (std::int32_t k = 1; k <= count; ++k)
            BOOST_REQUIRE_EQUAL(regions.area[static_cast<std::size_t>(k - 1)], std::ranges::count(expected, k));
    }
}

BOOST_AUTO_TEST_CASE(any_number_of_threads_gives_the_same_regions) {
    std::mt19937 random(4);
    std::vector<std::uint8_t> masks(23 * 31 * 37);
    for (auto& value : masks) value = random() % 100 < 40 ? 1 : 0;
    std::vector<Regions> found;
    for (int threads : {1, 2, 5}) {
        backend::thread_pool().resize(threads);
        found.push_back(label_regions(masks, {23, 31, 37}));
    }
    for (const Regions& regions : found) {
        BOOST_CHECK(regions.runs == found[0].runs);
        BOOST_CHECK(regions.area == found[0].area);
    }
    // The pictures one by one give the same, moved to their places.
    std::size_t run = 0;
    std::uint32_t before = 0;
    for (std::uint32_t picture = 0; picture < 23; ++picture) {
        const std::uint32_t first = picture * 31 * 37;
        const Regions one = label_regions(std::span(masks).subspan(first, 31 * 37), 37, 31);
        for (const Run& r : one.runs)
            BOOST_REQUIRE((found[0].runs[run++] == Run{first + r.first, first + r.end, before + r.region}));
        before += static_cast<std::uint32_t>(one.count());
    }
    BOOST_CHECK_EQUAL(run, found[0].runs.size());
}

BOOST_AUTO_TEST_CASE(wrong_sizes_are_errors) {
    const std::vector<std::uint8_t> mask(6);
    BOOST_CHECK_THROW(label_regions(mask, 2, 2), Error);
    BOOST_CHECK_THROW(label_regions(mask, -2, -3), Error);
    BOOST_CHECK_THROW(label_regions(mask, {1LL << 30, 1LL << 30, 1LL << 30}), Error);
    BOOST_CHECK_THROW(label_regions(mask, {1LL << 40, 6, 1}), Error);
}

}  // namespace
