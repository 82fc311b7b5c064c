// SPDX-License-Identifier: Apache-2.0
// From which value on something counts as bad: from good pictures alone with a stated rate of false alarms, or from
// labelled ones at the best F1.
//
// Good pictures alone (split conformal prediction, Vovk et al. 2005): of n good pictures that the model did not learn
// from, the k-th smallest score, k = ceil((n + 1)(1 - rate)), is exceeded by the score of another good picture with a
// probability of at most `rate`, whatever the scores' distribution, as long as the pictures come from the same source.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "dinomaly/anomaly/ranking.hpp"
#include "dinomaly/core/error.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

/// A threshold from good pictures, and its promise: another good picture reaches it with at most this probability.
struct GoodThreshold {
    float value = 0;
    double rate = 1;
};

/// The threshold that a good picture reaches with a probability of at most `rate`; `sorted` are the values of good
/// pictures, ascending. Too few of them for this rate give the one above the largest, whose promise is 1 / (n + 1).
/// Throws when there are none, a rate is not above 0 and below 1, or a value is not finite.
inline GoodThreshold threshold_from_good(std::span<const float> sorted, double rate) {
    check(!sorted.empty(), "threshold", "no good pictures to find it from");
    check(rate > 0 && rate < 1, "threshold", "a false-alarm rate of ", rate, ", above 0 and below 1 expected");
    check(std::ranges::is_sorted(sorted) && std::isfinite(sorted.front()) && std::isfinite(sorted.back()), "threshold",
          "values that are not finite, or not sorted");
    const auto n = static_cast<double>(sorted.size());
    constexpr double rounding = 1e-9;  // (n + 1)(1 - 0.1) = 9 must not become 10
    const double k = std::min(n, std::max(1.0, std::ceil((n + 1) * (1 - rate) - rounding)));
    const float reached = sorted[static_cast<std::size_t>(k) - 1];
    return {std::nextafter(reached, std::numeric_limits<float>::infinity()), 1 - k / (n + 1)};
}

/// How many values of good and of bad things fall into each of 4096 equal steps of 0 .. 2, the range of a map: enough
/// to find the best F1 of millions of pixels, and two of them can be added.
class ValueHistogram {
public:
    static constexpr std::size_t steps = 4096;
    static constexpr float largest = 2.0F;

    /// Adds values; a label other than 0 marks a bad one. Throws when there are not as many labels, or for a NaN.
    void add(std::span<const float> values, std::span<const std::uint8_t> labels) {
        check(values.size() == labels.size(), "histogram", values.size(), " values, ", labels.size(), " labels");
        for (std::size_t i = 0; i < values.size(); ++i) {
            check(!std::isnan(values[i]), "histogram", "value ", i, " is not a number");
            const float step = std::clamp(values[i] / largest * steps, 0.0F, steps - 1.0F);
            ++(labels[i] != 0 ? bad_ : good_)[static_cast<std::size_t>(step)];
        }
    }
    ValueHistogram& operator+=(const ValueHistogram& other) {
        for (std::size_t i = 0; i < steps; ++i) {
            good_[i] += other.good_[i];
            bad_[i] += other.bad_[i];
        }
        return *this;
    }

    /// The value at and above which calling things bad has the best F1, to 1/2048; NaN when nothing is bad.
    float best_f1_threshold() const {
        std::uint64_t all_bad = 0;
        for (const std::uint64_t count : bad_) all_bad += count;
        if (all_bad == 0) return std::numeric_limits<float>::quiet_NaN();
        double best = -1;
        std::size_t at = 0;
        std::uint64_t true_bad = 0, called_bad = 0;
        for (std::size_t i = steps; i-- > 0;) {
            true_bad += bad_[i];
            called_bad += bad_[i] + good_[i];
            const double f1 = 2.0 * static_cast<double>(true_bad) / static_cast<double>(called_bad + all_bad);
            if (f1 > best) best = f1, at = i;
        }
        return static_cast<float>(at) * largest / steps;
    }

private:
    std::array<std::uint64_t, steps> good_{}, bad_{};
};

/// The threshold at and above which calling pictures bad has the best F1: halfway between the lowest score that is then
/// called bad and the next one below, so that both stay on their side when scores move a little. NaN without both
/// kinds.
inline float best_f1_threshold(std::span<const float> good, std::span<const float> bad) {
    if (good.empty() || bad.empty()) return std::numeric_limits<float>::quiet_NaN();
    std::vector<float> scores(good.begin(), good.end());
    scores.insert(scores.end(), bad.begin(), bad.end());
    std::vector<std::uint8_t> labels(good.size(), 0);
    labels.resize(scores.size(), 1);
    const auto lowest = static_cast<float>(best_f1(scores, labels).threshold);
    float below = -std::numeric_limits<float>::infinity();
    for (const float score : scores)
        if (score < lowest) below = std::max(below, score);
    const float halfway = below + (lowest - below) / 2;
    return halfway > below ? halfway : lowest;
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
