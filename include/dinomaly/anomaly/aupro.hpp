// SPDX-License-Identifier: Apache-2.0
// AUPRO: the area under the per-region overlap (PRO) as a function of the false-positive rate (FPR), up to FPR 0.3.
//
//   PRO(t) = mean over regions of (predicted pixels of the region) / (its area),   FPR(t) = predicted good / all good
//
// Small and large defects weigh the same. Two forms, each one pass over the ranked pixels:
//   aupro_200    the authors' form, held by published tables: 200 thresholds, FPR rescaled by the largest one kept
//   aupro_exact  the integral over all thresholds, divided by 0.3
// Both are NaN where the masks hold no region or no good pixel.
// PRO: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dinomaly/anomaly/ranking.hpp"
#include "dinomaly/anomaly/regions.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

inline constexpr double aupro_fpr_limit = 0.3;

namespace detail {

/// A point of the curve that AUPRO integrates.
struct ProPoint {
    double fpr = 0;
    double pro = 0;
};

inline double trapezoid(ProPoint a, ProPoint b) {
    return (b.fpr - a.fpr) * (a.pro + b.pro) / 2;
}

/// Takes the ranked pixels one by one and knows the point of the curve after each.
class ProCurve {
public:
    ProCurve(const Ranking& ranking, const Regions& regions) : ranking_(ranking), regions_(regions) {
        check(ranking.size() == regions.label.size(), "aupro", regions.label.size(), " mask values for ",
              ranking.size(), " scores");
        share_.reserve(regions.area.size());
        for (std::int64_t area : regions.area) share_.push_back(1 / static_cast<double>(area));
    }

    bool defined() const { return regions_.count() > 0 && regions_.good_pixels() > 0; }
    bool at_end() const { return rank_ == ranking_.size(); }
    float next_score() const { return ranking_.score(rank_); }
    ProPoint point() const {
        return {static_cast<double>(predicted_good_) / static_cast<double>(regions_.good_pixels()),
                overlap_sum_ / static_cast<double>(regions_.count())};
    }

    /// Predicts the next pixel.
    void advance() {
        const auto label = static_cast<std::size_t>(regions_.label[ranking_.index(rank_++)]);
        if (label == 0)
            ++predicted_good_;
        else
            overlap_sum_ += share_[label];
    }

    /// Predicts all pixels that share the next score.
    void advance_tie() {
        while (!ranking_.ends_tie(rank_)) advance();
        advance();
    }

private:
    const Ranking& ranking_;
    const Regions& regions_;
    std::vector<double> share_;  // what one pixel adds to the overlap of its region
    std::size_t rank_ = 0;
    std::int64_t predicted_good_ = 0;
    double overlap_sum_ = 0;
};

}  // namespace detail

/// AUPRO as the authors of Dinomaly compute it: thresholds min + (max - min) i / 200 for i = 0..199, in double;
/// predicted where score > threshold; points with fpr < 0.3, fpr divided by the largest kept; trapezoid rule.
/// NaN also where no kept threshold predicts a good pixel, since the division has no meaning then.
inline double aupro_200(const Ranking& ranking, const Regions& regions) {
    constexpr int steps = 200;
    detail::ProCurve curve(ranking, regions);
    if (!curve.defined()) return undefined_metric;

    const double low = ranking.score(ranking.size() - 1);
    const double high = ranking.score(0);
    double area = 0;
    detail::ProPoint last{};
    for (int i = steps - 1; i >= 0; --i) {
        const double threshold = low + (high - low) * i / steps;
        while (!curve.at_end() && curve.next_score() > threshold) curve.advance();
        const detail::ProPoint point = curve.point();
        if (point.fpr >= aupro_fpr_limit) break;
        if (i < steps - 1) area += detail::trapezoid(last, point);
        last = point;
    }
    return last.fpr > 0 ? area / last.fpr : undefined_metric;
}

/// AUPRO over all thresholds, from (0, 0) to fpr 0.3 with linear interpolation at the limit, divided by 0.3.
inline double aupro_exact(const Ranking& ranking, const Regions& regions) {
    detail::ProCurve curve(ranking, regions);
    if (!curve.defined()) return undefined_metric;

    double area = 0;
    detail::ProPoint last{};
    while (last.fpr < aupro_fpr_limit) {
        curve.advance_tie();
        detail::ProPoint point = curve.point();
        if (point.fpr > aupro_fpr_limit) {
            const double part = (aupro_fpr_limit - last.fpr) / (point.fpr - last.fpr);
            point = {aupro_fpr_limit, last.pro + part * (point.pro - last.pro)};
        }
        area += detail::trapezoid(last, point);
        last = point;
    }
    return area / aupro_fpr_limit;
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
