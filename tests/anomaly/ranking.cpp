// SPDX-License-Identifier: Apache-2.0
// The order of scores, and AUROC, AP and F1 against values worked out by hand and computed the plain way.
#define BOOST_TEST_MODULE anomaly_ranking
#include "dinomaly/anomaly/ranking.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <set>
#include <vector>

using namespace dinomaly;
using namespace dinomaly::anomaly;
using Labels = std::vector<std::uint8_t>;
using Scores = std::vector<float>;

namespace {

constexpr double exact = 1e-12;

/// Many ties, both zeros and the ends of the range.
Scores mixed_scores(std::size_t count) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0.0F, 3.0F);
    Scores scores(count);
    for (float& score : scores) score = std::round(normal(random) * 50) / 50;
    scores[10] = 0.0F;
    scores[20] = -0.0F;
    scores[30] = std::numeric_limits<float>::max();
    scores[40] = std::numeric_limits<float>::lowest();
    scores[50] = std::numeric_limits<float>::denorm_min();
    return scores;
}

BOOST_AUTO_TEST_CASE(scores_fall_with_their_rank) {
    for (std::size_t count : {std::size_t{1000}, std::size_t{200'000}}) {  // one chunk, and several
        Scores scores = mixed_scores(count);
        const Ranking ranking(scores);
        BOOST_REQUIRE_EQUAL(ranking.size(), count);
        for (std::size_t i = 0; i < count; ++i) BOOST_REQUIRE_EQUAL(Ranking::score_of(ranking.key(i)), scores[i]);
        std::ranges::sort(scores, std::greater<>());
        for (std::size_t rank = 0; rank < count; ++rank) BOOST_REQUIRE_EQUAL(ranking.score(rank), scores[rank]);
    }
}

BOOST_AUTO_TEST_CASE(the_sort_is_stable) {
    struct Entry {
        std::uint32_t key, index;
        bool operator==(const Entry&) const = default;
    };
    std::mt19937 random(8);
    for (std::uint32_t keys : {0U, 1U, 2U, 1000U, 1U << 20, 0xffffffffU}) {  // 0: all keys are equal
        for (std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{77}, std::size_t{150'001}}) {
            std::vector<Entry> entries;
            for (std::uint32_t i = 0; i < count; ++i)
                entries.push_back({keys == 0 ? 5 : static_cast<std::uint32_t>(random()) % keys, i});
            const auto sorted = detail::radix_sorted(std::span<const Entry>(entries), [](Entry e) { return e.key; });
            std::ranges::stable_sort(entries, {}, &Entry::key);
            BOOST_REQUIRE(std::ranges::equal(sorted.span(), entries));
        }
    }
}

/// Area, precision and F1 at each distinct score, one after the other; O(n^2).
struct Plain {
    double auroc = 0, ap = 0;
    BestF1 f1{.value = 0};

    Plain(const Scores& scores, const Labels& labels) {
        const double bad = static_cast<double>(std::ranges::count_if(labels, [](auto label) { return label != 0; }));
        const double good = static_cast<double>(labels.size()) - bad;
        double last_hits = 0, last_false = 0;
        for (float threshold : std::set<float, std::greater<>>(scores.begin(), scores.end())) {
            double hits = 0, wrong = 0;
            for (std::size_t i = 0; i < scores.size(); ++i)
                if (scores[i] >= threshold) ++(labels[i] != 0 ? hits : wrong);
            auroc += (wrong - last_false) * (hits + last_hits) / 2 / bad / good;
            ap += hits / (hits + wrong) * (hits - last_hits) / bad;
            const double p = hits / (hits + wrong), r = hits / bad, value = 2 * p * r / (p + r + 1e-7);
            if (value >= f1.value) f1 = {value, threshold};
            last_hits = hits;
            last_false = wrong;
        }
    }
};

BOOST_AUTO_TEST_CASE(random_scores_agree_with_plain_computations) {
    std::mt19937 random(9);
    std::normal_distribution<float> normal;
    for (int trial = 0; trial < 60; ++trial) {
        const std::size_t count = 2 + random() % 120;
        const float levels = trial % 3 == 0 ? 1000.0F : 3.0F;
        const unsigned rarity = 2 + static_cast<unsigned>(trial) % 7;
        Scores scores;
        Labels labels;
        for (std::size_t i = 0; i < count; ++i) {
            labels.push_back(i == 0 || (i > 1 && random() % rarity == 0) ? 1 : 0);
            scores.push_back(std::round(levels * (normal(random) + static_cast<float>(labels.back()))) / levels);
        }
        const Plain plain(scores, labels);
        BOOST_REQUIRE_CLOSE_FRACTION(auroc(scores, labels), plain.auroc, exact);
        BOOST_REQUIRE_CLOSE_FRACTION(average_precision(scores, labels), plain.ap, exact);
        BOOST_REQUIRE_CLOSE_FRACTION(best_f1(scores, labels).value, plain.f1.value, exact);
        BOOST_REQUIRE_EQUAL(best_f1(scores, labels).threshold, plain.f1.threshold);
    }
}

BOOST_AUTO_TEST_CASE(four_scores_by_hand) {
    const Scores scores{0.1F, 0.4F, 0.35F, 0.8F};
    const Labels labels{0, 0, 1, 1};
    // 3 of the 4 pairs (bad, good) are in order; precision is 1 at recall 1/2 and 2/3 at recall 1.
    BOOST_CHECK_CLOSE_FRACTION(auroc(scores, labels), 0.75, exact);
    BOOST_CHECK_CLOSE_FRACTION(average_precision(scores, labels), 0.5 * 1 + 0.5 * 2 / 3, exact);
    const BestF1 best = best_f1(scores, labels);
    BOOST_CHECK_CLOSE_FRACTION(best.value, 2 * (2.0 / 3) / (2.0 / 3 + 1 + 1e-7), exact);
    BOOST_CHECK_EQUAL(best.threshold, 0.35F);
}

BOOST_AUTO_TEST_CASE(ties_form_one_threshold) {
    const Scores scores{2, 1, 1, 1, 0};
    const Labels labels{1, 1, 0, 1, 0};
    // Pairs: 2>1, 2>0, 1=1 (half), 1>0, 1=1 (half), 1>0: 5 of 6.
    BOOST_CHECK_CLOSE_FRACTION(auroc(scores, labels), 5.0 / 6, exact);
    // Thresholds 2, 1, 0: precision 1, 3/4, 3/5 at recall 1/3, 1, 1.
    BOOST_CHECK_CLOSE_FRACTION(average_precision(scores, labels), 1.0 / 3 + 0.75 * 2 / 3, exact);
    BOOST_CHECK_CLOSE_FRACTION(best_f1(scores, labels).value, 2 * 0.75 / (1.75 + 1e-7), exact);
    BOOST_CHECK_EQUAL(best_f1(scores, labels).threshold, 1.0F);
}

BOOST_AUTO_TEST_CASE(equal_scores_tell_nothing) {
    const Scores scores(8, 0.25F);
    const Labels labels{1, 0, 0, 0, 1, 0, 0, 0};
    BOOST_CHECK_CLOSE_FRACTION(auroc(scores, labels), 0.5, exact);
    BOOST_CHECK_CLOSE_FRACTION(average_precision(scores, labels), 0.25, exact);
    BOOST_CHECK_CLOSE_FRACTION(best_f1(scores, labels).value, 2 * 0.25 / (1.25 + 1e-7), exact);
}

BOOST_AUTO_TEST_CASE(the_two_zeros_are_equal) {
    BOOST_CHECK_CLOSE_FRACTION(auroc(Scores{0.0F, -0.0F}, Labels{1, 0}), 0.5, exact);
}

BOOST_AUTO_TEST_CASE(of_equal_f1_the_lowest_threshold_is_given) {
    const Scores scores{4, 3, 2, 1};
    const Labels labels{1, 0, 0, 1};
    // Thresholds 4 and 1 both give F1 = 2/3: p 1, r 1/2 and p 1/2, r 1.
    BOOST_CHECK_EQUAL(best_f1(scores, labels).threshold, 1.0F);
}

BOOST_AUTO_TEST_CASE(one_class_only_is_undefined) {
    for (const Labels& labels : {Labels{0, 0, 0}, Labels{1, 1, 1}}) {
        const Scores scores{1, 2, 3};
        BOOST_CHECK(std::isnan(auroc(scores, labels)));
        BOOST_CHECK(std::isnan(average_precision(scores, labels)));
        BOOST_CHECK(std::isnan(best_f1(scores, labels).value));
        BOOST_CHECK(std::isnan(best_f1(scores, labels).threshold));
    }
    BOOST_CHECK(std::isnan(auroc(Scores{}, Labels{})));
}

BOOST_AUTO_TEST_CASE(bad_input_is_an_error) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    BOOST_CHECK_THROW(Ranking(Scores{1, nan, 2}), Error);
    BOOST_CHECK_THROW(Ranking(Scores{1, -inf}), Error);
    BOOST_CHECK_THROW(auroc(Scores{1, 2, 3}, Labels{0, 1}), Error);
}

}  // namespace
