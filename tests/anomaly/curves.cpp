// SPDX-License-Identifier: Apache-2.0
// Curves by hand, against plain computations at every threshold, and by their areas against the metrics.
#define BOOST_TEST_MODULE anomaly_curves
#include "dinomaly/anomaly/curves.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <set>
#include <vector>

using namespace dinomaly;
using namespace dinomaly::anomaly;

namespace {

using Points = std::vector<CurvePoint>;

struct Case {
    std::vector<float> scores;
    std::vector<std::uint8_t> labels;
};

/// Scores that overlap; `levels` above 0 makes many of them equal.
Case random_case(std::size_t count, int levels, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> noise(0, 1);
    Case data;
    for (std::size_t i = 0; i < count; ++i) {
        const bool bad = i % 5 == 0;
        float score = noise(random) + (bad ? 1.5F : 0.0F);
        if (levels > 0) score = std::round(score * static_cast<float>(levels));
        data.scores.push_back(score);
        data.labels.push_back(bad ? 1 : 0);
    }
    return data;
}

double trapezoids(const Points& points) {
    double area = 0;
    for (std::size_t i = 1; i < points.size(); ++i)
        area += (points[i].x - points[i - 1].x) * (points[i].y + points[i - 1].y) / 2;
    return area;
}

/// Each step as high as its end: average precision sums so.
double steps(const Points& points) {
    double area = 0;
    for (std::size_t i = 1; i < points.size(); ++i) area += (points[i].x - points[i - 1].x) * points[i].y;
    return area;
}

/// How far a point lies from the polyline.
double distance(CurvePoint point, const Points& line) {
    double least = INFINITY;
    for (std::size_t i = 1; i < line.size(); ++i) {
        const CurvePoint a = line[i - 1];
        const double dx = line[i].x - a.x, dy = line[i].y - a.y, square = dx * dx + dy * dy;
        const double along = square > 0 ? ((point.x - a.x) * dx + (point.y - a.y) * dy) / square : 0;
        const double part = std::clamp(along, 0.0, 1.0);
        least = std::min(least, std::hypot(point.x - a.x - part * dx, point.y - a.y - part * dy));
    }
    return least;
}

/// What is predicted at a threshold, counted entry by entry.
struct Counts {
    double hits = 0, wrong = 0, bad = 0, good = 0;
};
Counts counts_at(const Case& data, float threshold) {
    Counts counts;
    for (std::size_t i = 0; i < data.scores.size(); ++i) {
        const bool predicted = data.scores[i] >= threshold;
        (data.labels[i] != 0 ? counts.bad : counts.good) += 1;
        if (predicted) (data.labels[i] != 0 ? counts.hits : counts.wrong) += 1;
    }
    return counts;
}

float lowest_bad(const Case& data) {
    float lowest = INFINITY;
    for (std::size_t i = 0; i < data.scores.size(); ++i)
        if (data.labels[i] != 0) lowest = std::min(lowest, data.scores[i]);
    return lowest;
}

BOOST_AUTO_TEST_CASE(curves_by_hand) {
    // Falling: bad .9, good .8, bad and good .5, good .1.
    const std::vector<float> scores{0.5F, 0.9F, 0.1F, 0.8F, 0.5F};
    const std::vector<std::uint8_t> labels{1, 1, 0, 0, 0};
    const Curves curves = image_curves(scores, labels);
    const Points roc{{0, 0}, {0, 0.5}, {1.0 / 3, 0.5}, {2.0 / 3, 1}, {1, 1}};
    BOOST_CHECK(curves.roc == roc);
    const Points pr{{0, 1}, {0.5, 1}, {1, 0.5}};
    BOOST_CHECK(curves.pr == pr);
    BOOST_CHECK(curves.pro.empty());
}

BOOST_AUTO_TEST_CASE(every_threshold_lies_on_the_curve) {
    for (const int levels : {0, 3, 40}) {
        const Case data = random_case(600, levels, 7);
        const Curves curves = image_curves(data.scores, data.labels);
        for (const float threshold : std::set<float>(data.scores.begin(), data.scores.end())) {
            const Counts c = counts_at(data, threshold);
            BOOST_CHECK_SMALL(distance({c.wrong / c.good, c.hits / c.bad}, curves.roc), 1e-12);
            const bool of_bad = counts_at(data, std::nextafter(threshold, INFINITY)).hits < c.hits;
            if (of_bad) BOOST_CHECK_SMALL(distance({c.hits / c.bad, c.hits / (c.hits + c.wrong)}, curves.pr), 1e-12);
        }
        BOOST_CHECK_SMALL(trapezoids(curves.roc) - auroc(data.scores, data.labels), 1e-12);
        BOOST_CHECK_SMALL(steps(curves.pr) - average_precision(data.scores, data.labels), 1e-12);
    }
}

BOOST_AUTO_TEST_CASE(a_thinned_curve_keeps_its_ends_and_its_area) {
    for (const unsigned seed : {1U, 2U, 3U}) {
        const Case data = random_case(200'000, seed == 3 ? 60 : 0, seed);
        const Curves curves = image_curves(data.scores, data.labels);
        for (const Points* points : {&curves.roc, &curves.pr}) {
            BOOST_CHECK_LE(points->size(), max_curve_points);
            BOOST_CHECK(std::ranges::is_sorted(*points, {}, &CurvePoint::x));
            BOOST_CHECK_EQUAL(points->front().x, 0);
            BOOST_CHECK_EQUAL(points->back().x, 1);
        }
        BOOST_CHECK((curves.roc.front() == CurvePoint{0, 0}) && (curves.roc.back() == CurvePoint{1, 1}));
        const Counts all_hit = counts_at(data, lowest_bad(data));
        BOOST_CHECK_CLOSE(curves.pr.back().y, all_hit.hits / (all_hit.hits + all_hit.wrong), 1e-9);
        BOOST_CHECK_SMALL(trapezoids(curves.roc) - auroc(data.scores, data.labels), 1e-3);
        BOOST_CHECK_SMALL(trapezoids(curves.pr) - average_precision(data.scores, data.labels), 2e-3);
        if (seed != 3) BOOST_CHECK_GT(curves.roc.size(), 50U);
    }
    // The worst for thinning: a staircase of a thousand steps.
    Case stairs;
    for (int i = 0; i < 2000; ++i) {
        stairs.scores.push_back(static_cast<float>(-i));
        stairs.labels.push_back(i % 2 == 0 ? 1 : 0);
    }
    const Points roc = image_curves(stairs.scores, stairs.labels).roc;
    BOOST_CHECK_LE(roc.size(), max_curve_points);
    BOOST_CHECK_SMALL(trapezoids(roc) - auroc(stairs.scores, stairs.labels), 1e-3);
}

BOOST_AUTO_TEST_CASE(overlap_of_regions) {
    std::mt19937 random(5);
    std::normal_distribution<float> noise(0, 1);
    constexpr StackSize size{4, 60, 70};
    std::vector<float> maps, masks;
    for (std::int64_t i = 0; i < size.pixels(); ++i) {
        const std::int64_t x = i % 70, y = i / 70 % 60;
        const bool bad = (x > 10 && x < 40 && y > 5 && y < 30) || (x > 50 && x < 55 && y > 50 && y < 54);
        masks.push_back(bad ? 1.0F : 0.0F);
        maps.push_back(noise(random) + (bad ? 2.0F : 0.0F));
    }
    const Ranking ranking(maps);
    const Curves curves = pixel_curves(ranking, masks, size, MaskRule::above_zero);
    const PixelMetrics metrics = pixel_metrics(ranking, masks, size, MaskRule::above_zero);
    BOOST_CHECK_SMALL(trapezoids(curves.roc) - metrics.auroc, 1e-3);
    BOOST_CHECK_SMALL(trapezoids(curves.pr) - metrics.ap, 2e-3);
    BOOST_CHECK_SMALL(trapezoids(curves.pro) / aupro_fpr_limit - metrics.aupro_exact, 1e-3);
    BOOST_CHECK((curves.pro.front() == CurvePoint{0, 0}));
    BOOST_CHECK_EQUAL(curves.pro.back().x, aupro_fpr_limit);

    // Against counting at some thresholds.
    const Regions regions = label_regions(mask_labels(masks, MaskRule::above_zero), size);
    for (const float threshold : {4.0F, 3.0F, 2.0F, 1.5F, 1.0F}) {
        std::vector<double> hits(regions.area.size());
        double wrong = 0;
        for (const float value : maps) wrong += value >= threshold ? 1 : 0;
        for (const Run& run : regions.runs)
            for (std::uint32_t i = run.first; i < run.end; ++i)
                if (maps[i] >= threshold) ++hits[run.region], --wrong;
        double pro = 0;
        for (std::size_t k = 0; k < hits.size(); ++k) pro += hits[k] / static_cast<double>(regions.area[k]);
        const CurvePoint point{wrong / static_cast<double>(regions.good()), pro / static_cast<double>(hits.size())};
        BOOST_CHECK_SMALL(distance(point, curves.pro), curve_tolerance);
    }
}

BOOST_AUTO_TEST_CASE(without_both_kinds_there_is_no_curve) {
    const std::vector<float> scores{1, 2, 3};
    for (const bool bad : {false, true}) {
        const Curves curves = image_curves(scores, std::vector<std::uint8_t>(3, bad ? 1 : 0));
        BOOST_CHECK(curves.roc.empty() && curves.pr.empty());
    }
    const std::vector<float> maps(16, 1.0F), masks(16, 0.0F);
    BOOST_CHECK(pixel_curves(Ranking(maps), masks, {1, 4, 4}, MaskRule::above_half).pro.empty());
}

}  // namespace
