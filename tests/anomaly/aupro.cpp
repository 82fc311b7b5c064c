// SPDX-License-Identifier: Apache-2.0
// Both forms of AUPRO by hand and against plain computations that visit every pixel at every threshold.
#define BOOST_TEST_MODULE anomaly_aupro
#include "dinomaly/anomaly/aupro.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <set>
#include <vector>

using namespace dinomaly;
using namespace dinomaly::anomaly;

namespace {

constexpr double tolerance = 1e-12;

struct Case {
    std::vector<float> maps;
    std::vector<std::uint8_t> masks;
    StackSize size;

    Regions regions() const { return label_regions(masks, size); }
    double exact() const {
        return of_curve([](const Curve& curve) { return aupro_exact(curve); });
    }
    double with_200() const {
        return of_curve([](const Curve& curve) { return aupro_200(curve); });
    }

private:
    template <class Metric> double of_curve(const Metric& metric) const {
        const Ranking ranking(maps);
        const Regions found = regions();
        return metric(Curve(ranking, found));
    }
};

struct Point {
    double fpr;
    double pro;
};

/// The point of the curve where pixels with predicted(score) are taken; O(pixels).
template <class Predicted> Point point_at(const Case& data, Predicted predicted) {
    const Regions regions = data.regions();
    std::vector<double> hits(regions.area.size());
    double wrong = 0;
    for (float score : data.maps) wrong += predicted(score) ? 1 : 0;
    for (const Run& run : regions.runs)
        for (std::uint32_t i = run.first; i < run.end; ++i) {
            if (!predicted(data.maps[i])) continue;
            ++hits[run.region];
            --wrong;
        }
    double pro = 0;
    for (std::size_t k = 0; k < hits.size(); ++k) pro += hits[k] / static_cast<double>(regions.area[k]);
    return {wrong / static_cast<double>(regions.good()), pro / static_cast<double>(regions.count())};
}

double plain_exact(const Case& data) {
    const std::set<float, std::greater<>> thresholds(data.maps.begin(), data.maps.end());
    double area = 0;
    Point last{0, 0};
    for (float threshold : thresholds) {
        Point now = point_at(data, [=](float score) { return score >= threshold; });
        if (now.fpr > 0.3) now = {0.3, last.pro + (now.pro - last.pro) * (0.3 - last.fpr) / (now.fpr - last.fpr)};
        area += (now.fpr - last.fpr) * (now.pro + last.pro) / 2;
        last = now;
        if (now.fpr >= 0.3) break;
    }
    return area / 0.3;
}

double plain_200(const Case& data) {
    const auto [low, high] = std::ranges::minmax(data.maps);
    std::vector<Point> kept;
    for (int i = 0; i < 200; ++i) {
        const double threshold = double{low} + (double{high} - double{low}) * i / 200;
        const Point now = point_at(data, [=](float score) { return double{score} > threshold; });
        if (now.fpr < 0.3) kept.push_back(now);
    }
    double area = 0;
    for (std::size_t i = 1; i < kept.size(); ++i)
        area += (kept[i - 1].fpr - kept[i].fpr) * (kept[i].pro + kept[i - 1].pro) / 2;
    return area / kept[0].fpr;
}

Case random_case(std::mt19937& random, int levels) {
    std::normal_distribution<float> normal;
    Case data{{}, {}, {3, 9, 11}};
    for (std::int64_t i = 0; i < data.size.pixels(); ++i) {
        const bool bad = random() % 5 == 0;
        const float score = normal(random) + (bad ? 1.0F : 0.0F);
        const auto scale = static_cast<float>(levels);
        data.maps.push_back(levels > 0 ? std::round(score * scale) / scale : score);
        data.masks.push_back(bad ? 1 : 0);
    }
    return data;
}

BOOST_AUTO_TEST_CASE(small_and_large_regions_weigh_the_same) {
    // Ten good pixels, a region of one pixel found at once, a region of four never found below fpr 0.3.
    Case data{
        {9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8.5F, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}, {1, 1, 15}};
    BOOST_CHECK_CLOSE_FRACTION(data.exact(), 0.5, tolerance);
}

BOOST_AUTO_TEST_CASE(the_exact_form_interpolates_at_the_limit) {
    // All scores equal: one straight line from (0, 0) to (1, 1), so the area to 0.3 is 0.3^2 / 2.
    Case data{std::vector<float>(20, 1.0F), std::vector<std::uint8_t>(20), {1, 4, 5}};
    data.masks[0] = data.masks[1] = 1;
    BOOST_CHECK_CLOSE_FRACTION(data.exact(), 0.15, tolerance);
    BOOST_CHECK(std::isnan(data.with_200()));  // nothing lies above a threshold
}

BOOST_AUTO_TEST_CASE(a_perfect_map_reaches_one) {
    Case data{{}, {}, {1, 10, 10}};
    for (int i = 0; i < 100; ++i) {
        data.masks.push_back(i >= 90 ? 1 : 0);
        data.maps.push_back(static_cast<float>(i));
    }
    BOOST_CHECK_CLOSE_FRACTION(data.exact(), 1.0, tolerance);
    BOOST_CHECK_CLOSE_FRACTION(data.with_200(), 1.0, tolerance);
}

BOOST_AUTO_TEST_CASE(random_maps_agree_with_plain_computations) {
    std::mt19937 random(11);
    for (int trial = 0; trial < 40; ++trial) {
        const Case data = random_case(random, trial % 2 == 0 ? 0 : 4);
        BOOST_REQUIRE_CLOSE_FRACTION(data.exact(), plain_exact(data), tolerance);
        BOOST_REQUIRE_CLOSE_FRACTION(data.with_200(), plain_200(data), tolerance);
    }
}

BOOST_AUTO_TEST_CASE(a_score_on_a_threshold_is_not_predicted) {
    // Scores 0..200, so that every threshold is a score; bad are 200, 170 and 150, each its own region.
    Case data{{}, std::vector<std::uint8_t>(201), {1, 1, 201}};
    for (int i = 0; i <= 200; ++i) data.maps.push_back(static_cast<float>(i));
    data.masks[200] = data.masks[170] = data.masks[150] = 1;
    // Kept are 200 at fpr 0 down to the last fpr below 0.3, 59/198. PRO is 1/3, from fpr 29/198 on 2/3, from 48/198
    // on 1.
    const double expected = (29 * (1.0 / 3) + 19 * (2.0 / 3) + 11) / 59;
    BOOST_CHECK_CLOSE_FRACTION(data.with_200(), expected, tolerance);
    BOOST_CHECK_CLOSE_FRACTION(plain_200(data), expected, tolerance);
}

BOOST_AUTO_TEST_CASE(no_region_or_no_good_pixel_is_undefined) {
    for (const std::uint8_t label : {std::uint8_t{0}, std::uint8_t{1}}) {
        const Case data{{1, 2, 3, 4}, std::vector<std::uint8_t>(4, label), {1, 2, 2}};
        BOOST_CHECK(std::isnan(data.with_200()));
        BOOST_CHECK(std::isnan(data.exact()));
    }
}

BOOST_AUTO_TEST_CASE(maps_and_masks_must_have_one_size) {
    const Case data{{1, 2, 3, 4}, {0, 1}, {1, 1, 2}};
    BOOST_CHECK_THROW(data.exact(), Error);
    BOOST_CHECK_THROW(data.with_200(), Error);
}

}  // namespace
