// SPDX-License-Identifier: Apache-2.0
// The order of scores, and AUROC, AP and F1 against values worked out by hand.
#define BOOST_TEST_MODULE anomaly_ranking
#include "dinomaly/anomaly/ranking.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

using namespace dinomaly;
using namespace dinomaly::anomaly;
using Labels = std::vector<std::uint8_t>;
using Scores = std::vector<float>;

namespace {

constexpr double exact = 1e-12;

BOOST_AUTO_TEST_CASE(order_is_that_of_a_stable_sort) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal(0.0F, 3.0F);
    Scores scores(5000);
    for (float& score : scores) score = std::round(normal(random) * 50) / 50;
    scores[10] = 0.0F;
    scores[20] = -0.0F;
    scores[30] = std::numeric_limits<float>::max();
    scores[40] = std::numeric_limits<float>::lowest();
    scores[50] = std::numeric_limits<float>::denorm_min();

    std::vector<std::uint32_t> expected(scores.size());
    std::iota(expected.begin(), expected.end(), 0U);
    std::ranges::stable_sort(expected, [&](auto a, auto b) { return scores[a] > scores[b]; });

    const Ranking ranking(scores);
    BOOST_REQUIRE_EQUAL(ranking.size(), scores.size());
    for (std::size_t rank = 0; rank < ranking.size(); ++rank) {
        BOOST_REQUIRE_EQUAL(ranking.index(rank), expected[rank]);
        BOOST_REQUIRE_EQUAL(ranking.score(rank), scores[expected[rank]]);
        const bool last = rank + 1 == scores.size();
        BOOST_REQUIRE_EQUAL(ranking.ends_tie(rank), last || scores[expected[rank]] > scores[expected[rank + 1]]);
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
