// SPDX-License-Identifier: Apache-2.0
// Verdicts counted: how many parts of each kind were judged right and wrong at a threshold.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "dinomaly/evaluate.hpp"

namespace dinomaly {

struct Verdicts {
    std::size_t found = 0, missed = 0;     ///< bad parts that count as bad, and as good
    std::size_t passed = 0, rejected = 0;  ///< good parts that count as good, and as bad

    std::size_t bad() const { return found + missed; }
    std::size_t good() const { return passed + rejected; }
    std::size_t wrong() const { return missed + rejected; }
    std::size_t all() const { return bad() + good(); }

    Verdicts& operator+=(const Verdicts& other) {
        found += other.found, missed += other.missed;
        passed += other.passed, rejected += other.rejected;
        return *this;
    }
};

/// A score at the threshold counts as bad.
inline bool is_judged_bad(double score, double threshold) {
    return score >= threshold;
}

/// The verdicts at a threshold; none where it is not known (NaN).
inline Verdicts count_verdicts(std::span<const PictureResult> pictures, double threshold) {
    Verdicts counts;
    if (std::isnan(threshold)) return counts;
    for (const PictureResult& picture : pictures) {
        const bool judged_bad = is_judged_bad(picture.score, threshold);
        ++(picture.anomalous ? judged_bad ? counts.found : counts.missed
           : judged_bad      ? counts.rejected
                             : counts.passed);
    }
    return counts;
}

}  // namespace dinomaly
