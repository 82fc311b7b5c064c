// SPDX-License-Identifier: Apache-2.0
// Scores in descending order, and the three metrics read off that order: AUROC, average precision and best F1.
//
// The sort is the costly part, so it is done once: a Ranking serves all metrics and any labelling of the same scores.
// Equal scores form one threshold, as in scikit-learn; an entry counts as predicted where score >= threshold.
// Memory: 16 bytes a score while sorting, 8 afterwards. Counts and sums are 64 bit integers and doubles.
//
// Where only one class is present no metric here is defined: the result is NaN (null in JSON, '-' in tables).
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

inline constexpr double undefined_metric = std::numeric_limits<double>::quiet_NaN();

/// The order of n scores, highest first.
class Ranking {
public:
    /// Sorts n scores by radix in O(n). Throws when a score is NaN or infinite or when there are 2^32 scores or more.
    explicit Ranking(std::span<const float> scores) {
        check(scores.size() <= std::numeric_limits<std::uint32_t>::max(), "ranking", scores.size(),
              " scores, at most 2^32 - 1 expected");
        entries_.reserve(scores.size());
        for (float score : scores) {
            const auto index = static_cast<std::uint32_t>(entries_.size());
            check(std::isfinite(score), "ranking", "score ", index, " is ", score, ", a finite number expected");
            entries_.push_back({descending_key(score), index});
        }
        sort_by_key();
    }

    std::size_t size() const { return entries_.size(); }
    /// Score at a rank; rank 0 is the highest score.
    float score(std::size_t rank) const { return score_of(entries_[rank].key); }
    /// Position of that score in the span given to the constructor.
    std::uint32_t index(std::size_t rank) const { return entries_[rank].index; }
    /// Whether the next rank holds a lower score, so that a threshold can lie between the two.
    bool ends_tie(std::size_t rank) const {
        return rank + 1 == entries_.size() || entries_[rank].key != entries_[rank + 1].key;
    }

private:
    struct Entry {
        std::uint32_t key;
        std::uint32_t index;
    };

    static constexpr std::uint32_t sign_bit = 0x80000000U;

    /// Maps floats to integers in reversed order; adding 0 turns -0 into +0, which compare equal.
    static std::uint32_t descending_key(float score) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(score + 0.0F);
        return (bits & sign_bit) != 0 ? bits : ~(bits | sign_bit);
    }
    static float score_of(std::uint32_t key) {
        return std::bit_cast<float>((key & sign_bit) != 0 ? key : ~key & ~sign_bit);
    }

    /// Least significant digit first: three stable passes of 11 bits.
    void sort_by_key() {
        constexpr std::uint32_t digit_bits = 11;
        constexpr std::uint32_t digit_mask = (1U << digit_bits) - 1;
        std::vector<Entry> sorted(entries_.size());
        for (std::uint32_t shift = 0; shift < 32; shift += digit_bits) {
            std::array<std::uint32_t, digit_mask + 1> next{};
            for (const Entry& entry : entries_) ++next[(entry.key >> shift) & digit_mask];
            std::uint32_t start = 0;
            for (std::uint32_t& slot : next) start += std::exchange(slot, start);
            for (const Entry& entry : entries_) sorted[next[(entry.key >> shift) & digit_mask]++] = entry;
            entries_.swap(sorted);
        }
    }

    std::vector<Entry> entries_;
};

/// What is predicted at one threshold: all scores >= threshold.
struct ThresholdCounts {
    float threshold;
    std::int64_t true_positives;
    std::int64_t false_positives;
};

/// Calls visit(ThresholdCounts) at each distinct score, highest first. A label other than 0 means anomalous.
template <class Visit>
void for_each_threshold(const Ranking& ranking, std::span<const std::uint8_t> labels, Visit&& visit) {
    check(labels.size() == ranking.size(), "ranking", labels.size(), " labels for ", ranking.size(), " scores");
    std::int64_t true_positives = 0;
    for (std::size_t rank = 0; rank < ranking.size(); ++rank) {
        true_positives += labels[ranking.index(rank)] != 0 ? 1 : 0;
        if (!ranking.ends_tie(rank)) continue;
        const auto predicted = static_cast<std::int64_t>(rank) + 1;
        visit(ThresholdCounts{ranking.score(rank), true_positives, predicted - true_positives});
    }
}

/// Sizes of the two classes.
struct ClassCounts {
    std::int64_t anomalous = 0;
    std::int64_t good = 0;
    bool both_present() const { return anomalous > 0 && good > 0; }
};

inline ClassCounts count_classes(std::span<const std::uint8_t> labels) {
    ClassCounts counts;
    for (std::uint8_t label : labels) ++(label != 0 ? counts.anomalous : counts.good);
    return counts;
}

/// Area under the ROC curve: the chance that an anomalous score lies above a good one, ties counting half.
inline double auroc(const Ranking& ranking, std::span<const std::uint8_t> labels) {
    const ClassCounts classes = count_classes(labels);
    double area = 0;
    ThresholdCounts last{};
    for_each_threshold(ranking, labels, [&](const ThresholdCounts& now) {
        area += static_cast<double>(now.false_positives - last.false_positives) *
                static_cast<double>(now.true_positives + last.true_positives) / 2;
        last = now;
    });
    if (!classes.both_present()) return undefined_metric;
    return area / static_cast<double>(classes.anomalous) / static_cast<double>(classes.good);
}

/// Average precision: sum over thresholds of precision times the gain in recall (steps, no interpolation).
inline double average_precision(const Ranking& ranking, std::span<const std::uint8_t> labels) {
    const ClassCounts classes = count_classes(labels);
    double sum = 0;
    std::int64_t last_true_positives = 0;
    for_each_threshold(ranking, labels, [&](const ThresholdCounts& now) {
        const auto hits = static_cast<double>(now.true_positives);
        const double precision = hits / (hits + static_cast<double>(now.false_positives));
        sum += precision * static_cast<double>(now.true_positives - last_true_positives);
        last_true_positives = now.true_positives;
    });
    return classes.both_present() ? sum / static_cast<double>(classes.anomalous) : undefined_metric;
}

/// The largest F1 over all thresholds and where it is reached: predict "anomalous" where score >= threshold.
struct BestF1 {
    double value = undefined_metric;
    double threshold = undefined_metric;
};

/// Best F1 = 2pr/(p + r + 1e-7); of several thresholds with that value the lowest is given.
inline BestF1 best_f1(const Ranking& ranking, std::span<const std::uint8_t> labels) {
    const ClassCounts classes = count_classes(labels);
    BestF1 best{.value = 0};
    for_each_threshold(ranking, labels, [&](const ThresholdCounts& now) {
        const auto hits = static_cast<double>(now.true_positives);
        const double precision = hits / (hits + static_cast<double>(now.false_positives));
        const double recall = hits / static_cast<double>(classes.anomalous);
        const double f1 = 2 * precision * recall / (precision + recall + 1e-7);
        if (f1 >= best.value) best = {f1, now.threshold};
    });
    return classes.both_present() ? best : BestF1{};
}

/// The same from unsorted scores, for a caller that wants one metric only.
inline double auroc(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return auroc(Ranking(scores), labels);
}
inline double average_precision(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return average_precision(Ranking(scores), labels);
}
inline BestF1 best_f1(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return best_f1(Ranking(scores), labels);
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
