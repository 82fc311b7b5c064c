// SPDX-License-Identifier: Apache-2.0
// The curves behind the figures, to be drawn: ROC, precision over recall, and the per-region overlap.
//
//   roc  (false-positive rate, true-positive rate), from (0, 0) to (1, 1); its area is the AUROC
//   pr   (recall, precision) at every threshold that some anomalous entry has; from recall 0, at the first precision,
//        to recall 1
//   pro  (false-positive rate, overlap of regions), from (0, 0) to the limit of AUPRO; its area over the limit is
//        aupro_exact
// The points are those of the metrics (ranking.hpp, aupro.hpp). A class has up to millions of them; of more than
// max_curve_points those are kept that tell most: Douglas and Peucker's choice, the worst gap first, until none of
// those left out lies further than curve_tolerance from the line that is drawn. A curve without meaning (one class
// absent) has no points.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <span>
#include <vector>

#include "dinomaly/anomaly/aupro.hpp"
#include "dinomaly/anomaly/metrics.hpp"
#include "dinomaly/anomaly/ranking.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

inline constexpr std::size_t max_curve_points = 400;
inline constexpr double curve_tolerance = 2e-4;

struct CurvePoint {
    double x = 0, y = 0;

    friend bool operator==(const CurvePoint&, const CurvePoint&) = default;
};

/// Points from left to right, to be joined by straight lines.
struct Curves {
    std::vector<CurvePoint> roc, pr;
    std::vector<CurvePoint> pro;  ///< of pixels only
};

namespace detail {

/// Points first .. last of a curve, drawn as one line, and the one between that lies furthest from it.
struct CurveGap {
    std::size_t first, last, furthest = 0;
    double distance = 0;

    CurveGap(std::span<const CurvePoint> points, std::size_t begin, std::size_t end) : first(begin), last(end) {
        const CurvePoint from = points[begin];
        const double dx = points[end].x - from.x, dy = points[end].y - from.y, length = std::hypot(dx, dy);
        for (std::size_t i = begin + 1; i < end; ++i) {
            const double px = points[i].x - from.x, py = points[i].y - from.y;
            const double away = length > 0 ? std::abs(dx * py - dy * px) / length : std::hypot(px, py);
            if (away > distance) distance = away, furthest = i;
        }
    }
    bool operator<(const CurveGap& other) const { return distance < other.distance; }
};

}  // namespace detail

/// At most max_curve_points of the points, the first and the last among them, in their order.
inline std::vector<CurvePoint> thinned(std::span<const CurvePoint> points) {
    if (points.size() <= 2) return {points.begin(), points.end()};
    std::vector<std::size_t> kept{0, points.size() - 1};
    std::priority_queue<detail::CurveGap> gaps;
    gaps.emplace(points, 0, points.size() - 1);
    const double tolerance = points.size() <= max_curve_points ? 0 : curve_tolerance;
    while (!gaps.empty() && kept.size() < max_curve_points) {
        const detail::CurveGap worst = gaps.top();
        gaps.pop();
        if (worst.distance <= tolerance) break;
        kept.push_back(worst.furthest);
        gaps.emplace(points, worst.first, worst.furthest);
        gaps.emplace(points, worst.furthest, worst.last);
    }
    std::ranges::sort(kept);
    std::vector<CurvePoint> out;
    for (const std::size_t i : kept) out.push_back(points[i]);
    return out;
}

/// The ROC curve.
inline std::vector<CurvePoint> roc_curve(const Curve& curve) {
    const Regions& classes = curve.regions();
    if (!classes.both_present()) return {};
    const auto point = [&](std::int64_t false_positives, std::int64_t hits) {
        return CurvePoint{static_cast<double>(false_positives) / static_cast<double>(classes.good()),
                          static_cast<double>(hits) / static_cast<double>(classes.anomalous)};
    };
    std::vector<CurvePoint> points{{0, 0}};
    std::int64_t hits = 0;
    for (const Tie& tie : curve.ties()) {
        points.push_back(point(tie.above - hits, hits));
        hits = tie.hits;
        points.push_back(point(tie.false_positives(), hits));
    }
    points.push_back({1, 1});
    return thinned(points);
}

/// Precision over recall.
inline std::vector<CurvePoint> pr_curve(const Curve& curve) {
    const Regions& classes = curve.regions();
    if (!classes.both_present()) return {};
    std::vector<CurvePoint> points;
    for (const Tie& tie : curve.ties()) {
        const double precision = static_cast<double>(tie.hits) / static_cast<double>(tie.through);
        if (points.empty()) points.push_back({0, precision});
        points.push_back({static_cast<double>(tie.hits) / static_cast<double>(classes.anomalous), precision});
    }
    return thinned(points);
}

/// The per-region overlap over the false-positive rate, up to aupro_fpr_limit.
inline std::vector<CurvePoint> pro_curve(const Curve& curve) {
    const Regions& regions = curve.regions();
    if (!regions.both_present()) return {};
    std::vector<CurvePoint> points{{0, 0}};
    /// Goes on to the point; false when that reaches the limit, where the curve is cut.
    const auto advance = [&](std::int64_t false_positives, double overlap) {
        auto [fpr, pro] = detail::pro_point(regions, false_positives, overlap);
        const CurvePoint last = points.back();
        if (fpr > aupro_fpr_limit) {
            pro = std::lerp(last.y, pro, (aupro_fpr_limit - last.x) / (fpr - last.x));
            fpr = aupro_fpr_limit;
        }
        points.push_back({fpr, pro});
        return fpr < aupro_fpr_limit;
    };
    Tie before{};
    for (const Tie& tie : curve.ties()) {
        if (!advance(std::int64_t{tie.above} - before.hits, before.overlap) ||
            !advance(tie.false_positives(), tie.overlap))
            return thinned(points);
        before = tie;
    }
    advance(regions.good(), before.overlap);
    return thinned(points);
}

/// The curves of whole pictures from their scores; a label other than 0 means anomalous.
inline Curves image_curves(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return detail::of_labels(scores, labels, [](const Curve& curve) {
        return Curves{roc_curve(curve), pr_curve(curve), {}};
    });
}

/// The curves of the pixels of one class, as pixel_metrics() takes them.
inline Curves pixel_curves(const Ranking& maps, std::span<const float> masks, StackSize size, MaskRule rule) {
    const Regions regions = label_regions(mask_labels(masks, rule), size);
    const Curve curve(maps, regions);
    return {roc_curve(curve), pr_curve(curve), pro_curve(curve)};
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
