// SPDX-License-Identifier: Apache-2.0
// Scores in descending order, and the three metrics read off that order: AUROC, average precision and best F1.
//
// Two sorts, of which the large one is done once for all labellings: a Ranking holds the sorted scores alone, and a
// Curve sorts the anomalous entries, few as a rule, and counts how many of all entries lie above each of them. That is
// all that any metric here needs: where only good entries join, a curve runs straight.
// Equal scores form one threshold, as in scikit-learn; an entry counts as predicted where score >= threshold.
// Memory: 12 bytes a score while sorting, 8 afterwards. Counts and sums are 64 bit integers and doubles.
//
// Where only one class is present no metric here is defined: the result is NaN (null in JSON, '-' in tables).
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "dinomaly/anomaly/radix_sort.hpp"
#include "dinomaly/anomaly/regions.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

inline constexpr double undefined_metric = std::numeric_limits<double>::quiet_NaN();

/// n scores in descending order. Internally a score is a key: a 32-bit integer, the smaller the higher the score.
class Ranking {
public:
    /// Sorts n scores on the compute threads. Throws when a score is NaN or infinite or when there are 2^32 scores or
    /// more.
    explicit Ranking(std::span<const float> scores) : keys_(keys_of(scores)), sorted_(sort(keys_)) {}

    std::size_t size() const { return sorted_.size(); }
    /// Score at a rank; rank 0 is the highest score.
    float score(std::size_t rank) const { return score_of(sorted_[rank]); }
    /// Key of the score at a position in the span given to the constructor.
    std::uint32_t key(std::size_t position) const { return keys_[position]; }
    /// All keys, rising.
    std::span<const std::uint32_t> sorted_keys() const { return sorted_.span(); }

    static float score_of(std::uint32_t key) {
        return std::bit_cast<float>((key & sign_bit) != 0 ? key : ~key & ~sign_bit);
    }

private:
    static constexpr std::uint32_t sign_bit = 0x80000000U;

    /// Maps floats to integers in reversed order; adding 0 turns -0 into +0, which compare equal.
    static std::uint32_t key_of(float score) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(score + 0.0F);
        return (bits & sign_bit) != 0 ? bits : ~(bits | sign_bit);
    }

    static detail::Block<std::uint32_t> keys_of(std::span<const float> scores) {
        check(scores.size() <= std::numeric_limits<std::uint32_t>::max(), "ranking", scores.size(),
              " scores, at most 2^32 - 1 expected");
        detail::Block<std::uint32_t> keys(scores.size());
        std::atomic<bool> sound = true;
        detail::Chunks(scores.size()).for_each([&](std::size_t, std::size_t first, std::size_t end) {
            bool finite = true;
            for (std::size_t i = first; i < end; ++i) {
                finite &= std::abs(scores[i]) <= std::numeric_limits<float>::max();
                keys[i] = key_of(scores[i]);
            }
            if (!finite) sound = false;
        });
        if (!sound) refuse(scores);
        return keys;
    }

    /// Blames the first score that is not finite.
    [[noreturn]] static void refuse(std::span<const float> scores) {
        const auto bad = std::ranges::find_if_not(scores, [](float score) { return std::isfinite(score); });
        fail("ranking", "score ", bad - scores.begin(), " is ", *bad, ", a finite number expected");
    }

    static detail::Block<std::uint32_t> sort(const detail::Block<std::uint32_t>& keys) {
        return detail::radix_sorted(keys.span(), [](std::uint32_t key) { return key; });
    }

    detail::Block<std::uint32_t> keys_;    // in the order given
    detail::Block<std::uint32_t> sorted_;  // rising, so that scores fall
};

/// A score that anomalous entries have, and what is predicted at and just above it.
struct Tie {
    std::uint32_t key;
    std::uint32_t hits;     ///< anomalous entries with this score or a higher one
    std::uint32_t above;    ///< entries of both kinds with a higher score
    std::uint32_t through;  ///< entries of both kinds with this score or a higher one
    double overlap;         ///< sum over regions of the part of their area with this score or a higher one

    float score() const { return Ranking::score_of(key); }
    std::int64_t false_positives() const { return std::int64_t{through} - hits; }
};

/// The scores of the anomalous entries, highest first: the corners of every curve that a metric integrates. Keeps
/// references to both arguments.
class Curve {
public:
    /// Throws when the sizes differ.
    Curve(const Ranking& ranking, const Regions& regions) : ranking_(ranking), regions_(regions) {
        check(static_cast<std::int64_t>(ranking.size()) == regions.pixels, "ranking", regions.pixels, " labels for ",
              ranking.size(), " scores");
        const detail::Block<Entry> entries = anomalous_entries();
        find_ties(detail::radix_sorted(entries.span(), [](const Entry& entry) { return entry.key; }));
    }

    const Ranking& ranking() const { return ranking_; }
    const Regions& regions() const { return regions_; }
    const std::vector<Tie>& ties() const { return ties_; }

private:
    struct Entry {
        std::uint32_t key;
        std::uint32_t region;
    };

    /// The anomalous entries in the order of their positions.
    detail::Block<Entry> anomalous_entries() const {
        detail::Block<Entry> entries(static_cast<std::size_t>(regions_.anomalous));
        std::size_t count = 0;
        for (const Run& run : regions_.runs)
            for (std::uint32_t i = run.first; i < run.end; ++i) entries[count++] = {ranking_.key(i), run.region};
        return entries;
    }

    void find_ties(const detail::Block<Entry>& entries) {
        std::vector<double> share;  // what one pixel adds to the overlap of its region
        for (std::int64_t area : regions_.area) share.push_back(1 / static_cast<double>(area));

        const std::span<const std::uint32_t> keys = ranking_.sorted_keys();
        Tie tie{};
        for (std::size_t i = 0; i < entries.size();) {
            tie.key = entries[i].key;
            for (; i < entries.size() && entries[i].key == tie.key; ++i) tie.overlap += share[entries[i].region];
            tie.hits = static_cast<std::uint32_t>(i);
            tie.above = skip(keys, tie.through, [&](std::uint32_t key) { return key < tie.key; });
            tie.through = skip(keys, tie.above, [&](std::uint32_t key) { return key == tie.key; });
            ties_.push_back(tie);
        }
    }

    /// The first rank at or after `rank` whose key does not pass, where those that pass come first. In strides, since
    /// most ties are near each other.
    template <class Passes>
    static std::uint32_t skip(std::span<const std::uint32_t> keys, std::uint32_t rank, const Passes& passes) {
        constexpr std::uint32_t stride = 16;
        while (rank + stride < keys.size() && passes(keys[rank + stride])) rank += stride;
        while (rank < keys.size() && passes(keys[rank])) ++rank;
        return rank;
    }

    const Ranking& ranking_;
    const Regions& regions_;
    std::vector<Tie> ties_;
};

/// Area under the ROC curve: the chance that an anomalous score lies above a good one, ties counting half.
inline double auroc(const Curve& curve) {
    const Regions& classes = curve.regions();
    if (!classes.both_present()) return undefined_metric;
    double pairs = 0;  // in order, an anomalous and a good entry each
    std::int64_t last_hits = 0;
    for (const Tie& tie : curve.ties()) {
        const double tied_hits = static_cast<double>(tie.hits - last_hits);
        const double good_above = static_cast<double>(std::int64_t{tie.above} - last_hits);
        const double good_through = static_cast<double>(tie.false_positives());
        pairs += tied_hits * (static_cast<double>(classes.good()) - (good_above + good_through) / 2);
        last_hits = tie.hits;
    }
    return pairs / static_cast<double>(classes.anomalous) / static_cast<double>(classes.good());
}

/// Average precision: sum over thresholds of precision times the gain in recall (steps, no interpolation).
inline double average_precision(const Curve& curve) {
    const Regions& classes = curve.regions();
    if (!classes.both_present()) return undefined_metric;
    double sum = 0;
    std::uint32_t last_hits = 0;
    for (const Tie& tie : curve.ties()) {
        sum += static_cast<double>(tie.hits) / static_cast<double>(tie.through) *
               static_cast<double>(tie.hits - last_hits);
        last_hits = tie.hits;
    }
    return sum / static_cast<double>(classes.anomalous);
}

/// The largest F1 over all thresholds and where it is reached: predict "anomalous" where score >= threshold.
struct BestF1 {
    double value = undefined_metric;
    double threshold = undefined_metric;
};

/// Best F1 = 2pr/(p + r + 1e-7); of several thresholds with that value the lowest is given.
inline BestF1 best_f1(const Curve& curve) {
    const Regions& classes = curve.regions();
    if (!classes.both_present()) return {};
    BestF1 best{.value = 0};
    for (const Tie& tie : curve.ties()) {  // a threshold that only adds good entries is never the best
        const auto hits = static_cast<double>(tie.hits);
        const double precision = hits / static_cast<double>(tie.through);
        const double recall = hits / static_cast<double>(classes.anomalous);
        const double f1 = 2 * precision * recall / (precision + recall + 1e-7);
        if (f1 >= best.value) best = {f1, tie.score()};
    }
    return best;
}

namespace detail {

/// metric(curve) of scores and their labels; a label other than 0 means anomalous.
template <class Metric>
auto of_labels(std::span<const float> scores, std::span<const std::uint8_t> labels, const Metric& metric) {
    const Ranking ranking(scores);
    const Regions regions = label_regions(labels, static_cast<std::int64_t>(labels.size()), 1);
    return metric(Curve(ranking, regions));
}

}  // namespace detail

/// The same from unsorted scores and labels, for a caller that wants one metric only; a label other than 0 means
/// anomalous.
inline double auroc(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return detail::of_labels(scores, labels, [](const Curve& curve) { return auroc(curve); });
}
inline double average_precision(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return detail::of_labels(scores, labels, [](const Curve& curve) { return average_precision(curve); });
}
inline BestF1 best_f1(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return detail::of_labels(scores, labels, [](const Curve& curve) { return best_f1(curve); });
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
