// SPDX-License-Identifier: Apache-2.0
// AUPRO: the area under the per-region overlap (PRO) as a function of the false-positive rate (FPR), up to FPR 0.3.
//
//   PRO(t) = mean over regions of (predicted pixels of the region) / (its area),   FPR(t) = predicted good / all good
//
// Small and large defects weigh the same. Two forms, each read off the curve's corners:
//   aupro_200    the authors' form, held by published tables: 200 thresholds, FPR rescaled by the largest one kept
//   aupro_exact  the integral over all thresholds, divided by 0.3
// Both are NaN where the masks hold no region or no good pixel.
// PRO: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dinomaly/anomaly/ranking.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

inline constexpr double aupro_fpr_limit = 0.3;

namespace detail {

/// A point of the curve that AUPRO integrates.
struct ProPoint {
    double fpr = 0;
    double pro = 0;
};

inline ProPoint pro_point(const Regions& regions, std::int64_t false_positives, double overlap) {
    return {static_cast<double>(false_positives) / static_cast<double>(regions.good()),
            overlap / static_cast<double>(regions.count())};
}

inline double trapezoid(ProPoint a, ProPoint b) {
    return (b.fpr - a.fpr) * (a.pro + b.pro) / 2;
}

}  // namespace detail

/// AUPRO as the authors of Dinomaly compute it: thresholds min + (max - min) i / 200 for i = 0..199, in double;
/// predicted where score > threshold; points with fpr < 0.3, fpr divided by the largest kept; trapezoid rule.
/// NaN also where no kept threshold predicts a good pixel, since the division has no meaning then.
inline double aupro_200(const Curve& curve) {
    constexpr int steps = 200;
    if (!curve.regions().both_present()) return undefined_metric;

    const std::span<const std::uint32_t> keys = curve.ranking().sorted_keys();
    const double low = Ranking::score_of(keys.back()), high = Ranking::score_of(keys.front());
    double area = 0;
    detail::ProPoint last{};
    auto tie = curve.ties().begin();  // the first that is not predicted
    for (int i = steps - 1; i >= 0; --i) {
        const double threshold = low + (high - low) * i / steps;
        while (tie != curve.ties().end() && tie->score() > threshold) ++tie;
        const auto predicted =
            std::ranges::partition_point(keys, [=](std::uint32_t key) { return Ranking::score_of(key) > threshold; }) -
            keys.begin();
        const Tie none{}, &lowest = tie == curve.ties().begin() ? none : *(tie - 1);
        const detail::ProPoint point =
            detail::pro_point(curve.regions(), predicted - std::int64_t{lowest.hits}, lowest.overlap);
        if (point.fpr >= aupro_fpr_limit) break;
        if (i < steps - 1) area += detail::trapezoid(last, point);
        last = point;
    }
    return last.fpr > 0 ? area / last.fpr : undefined_metric;
}

/// AUPRO over all thresholds, from (0, 0) to fpr 0.3 with linear interpolation at the limit, divided by 0.3.
inline double aupro_exact(const Curve& curve) {
    const Regions& regions = curve.regions();
    if (!regions.both_present()) return undefined_metric;

    double area = 0;
    detail::ProPoint last{};
    /// Goes on to the point; false when that reaches the limit.
    const auto advance = [&](detail::ProPoint point) {
        if (point.fpr > aupro_fpr_limit) {
            const double part = (aupro_fpr_limit - last.fpr) / (point.fpr - last.fpr);
            point = {aupro_fpr_limit, last.pro + part * (point.pro - last.pro)};
        }
        area += detail::trapezoid(last, point);
        last = point;
        return point.fpr < aupro_fpr_limit;
    };
    Tie before{};
    for (const Tie& tie : curve.ties()) {
        if (!advance(detail::pro_point(regions, std::int64_t{tie.above} - before.hits, before.overlap)) ||
            !advance(detail::pro_point(regions, tie.false_positives(), tie.overlap)))
            return area / aupro_fpr_limit;
        before = tie;
    }
    advance(detail::pro_point(regions, regions.good(), before.overlap));
    return area / aupro_fpr_limit;
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
