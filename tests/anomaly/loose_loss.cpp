// SPDX-License-Identifier: Apache-2.0
// The loss against a plain double reference, and hard mining's rule on the gradient.
#define BOOST_TEST_MODULE anomaly_loose_loss
#include "dinomaly/anomaly/loose_loss.hpp"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "dinomaly/core/init.hpp"

using namespace dinomaly;
using D = Cpu<double>;
using Values = std::vector<double>;

namespace {

constexpr std::size_t batch = 3, tokens = 10, channels = 6;

Var<D> drawn(std::uint64_t seed) {
    Generator random(seed);
    return parameter(normal<D>({batch, tokens, channels}, random));
}

anomaly::Groups<D> encoder_groups() {
    return {drawn(1), drawn(2)};
}
anomaly::Groups<D> decoder_groups() {
    return {drawn(3), drawn(4)};
}

double cosine_distance(const double* a, const double* b, std::size_t count) {
    double dot = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < count; ++i) dot += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return 1 - dot / std::sqrt(aa * bb);
}

/// The distance of every token of the batch.
Values token_distances(const Var<D>& en, const Var<D>& de) {
    const Values a = en.value().to_vector(), b = de.value().to_vector();
    Values out;
    for (std::size_t i = 0; i < batch * tokens; ++i)
        out.push_back(cosine_distance(&a[i * channels], &b[i * channels], channels));
    return out;
}

Values gradient(const anomaly::Groups<D>& en, double easy_part, double factor, std::size_t group) {
    const anomaly::Groups<D> de = decoder_groups();
    anomaly::loose_loss(en, de, easy_part, factor).backward();
    return de[group].grad().to_vector();
}

}  // namespace

BOOST_AUTO_TEST_CASE(value) {
    const auto en = encoder_groups(), de = decoder_groups();
    double expected = 0;
    for (std::size_t group = 0; group < 2; ++group) {
        const Values a = en[group].value().to_vector(), b = de[group].value().to_vector();
        const std::size_t length = tokens * channels;
        for (std::size_t i = 0; i < batch; ++i)
            expected += cosine_distance(&a[i * length], &b[i * length], length) / (2 * batch);
    }
    for (const double easy_part : {0.0, 0.5, 0.9}) {  // the value does not depend on what is easy
        const Var<D> loss = anomaly::loose_loss(en, de, easy_part);
        BOOST_TEST(loss.count() == 1);
        BOOST_TEST(loss.item() == expected, boost::test_tools::tolerance(1e-12));
    }
}

BOOST_AUTO_TEST_CASE(distance_of_tokens) {
    const auto en = encoder_groups(), de = decoder_groups();
    const Var<D> distance = anomaly::point_distance(en[0], de[0]);
    BOOST_TEST(distance.shape() == Shape({batch, tokens}));
    BOOST_TEST(distance.value().to_vector() == token_distances(en[0], de[0]), boost::test_tools::tolerance(1e-12)
                                                                                  << boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_encoder_takes_no_gradient) {
    const auto en = encoder_groups(), de = decoder_groups();
    anomaly::loose_loss(en, de, 0.5).backward();
    BOOST_TEST(!en[0].has_grad());
    BOOST_TEST(!en[1].has_grad());
    BOOST_TEST(de[0].has_grad());
    BOOST_TEST(de[1].has_grad());
}

// k = int(30 (1 - p)) of 30 tokens count as hard, at least one. 30 (1 - 0.9) is 2.9999999999999996 in double: two.
BOOST_DATA_TEST_CASE(easy_tokens_pull_a_tenth,
                     boost::unit_test::data::make({0.0, 0.1, 0.45, 0.5, 0.9, 0.97, 1.0}) ^
                         boost::unit_test::data::make({30, 27, 16, 15, 2, 1, 1}),
                     easy_part, hard_tokens) {
    const auto en = encoder_groups(), de = decoder_groups();
    for (std::size_t group = 0; group < 2; ++group) {
        const Values full = gradient(en, easy_part, 1, group), mined = gradient(en, easy_part, 0.1, group);
        const Values distance = token_distances(en[group], de[group]);
        Values sorted = distance;
        std::ranges::sort(sorted, std::greater{});
        const double threshold = sorted[static_cast<std::size_t>(hard_tokens) - 1];
        for (std::size_t i = 0; i < batch * tokens; ++i)
            for (std::size_t c = 0; c < channels; ++c) {
                const std::size_t at = i * channels + c;
                BOOST_TEST(mined[at] == full[at] * (distance[i] < threshold ? 0.1 : 1),
                           boost::test_tools::tolerance(1e-12));
            }
    }
}

BOOST_AUTO_TEST_CASE(tokens_at_the_threshold_are_hard) {
    // All tokens of en are e0, those of de e1: every distance is 1, none below the threshold.
    Values first(batch * tokens * channels), second = first;
    for (std::size_t i = 0; i < batch * tokens; ++i) first[i * channels] = 1, second[i * channels + 1] = 1;
    const Var<D> en(Tensor<D>({batch, tokens, channels}, first));
    const Var<D> de = parameter(Tensor<D>({batch, tokens, channels}, second));
    anomaly::loose_loss<D>({en, en}, {de, de}, 0.9, 0).backward();
    const Values grad = de.grad().to_vector();
    for (std::size_t i = 0; i < batch * tokens; ++i) BOOST_TEST(grad[i * channels] < 0);
}

BOOST_AUTO_TEST_CASE(easy_fraction_rises_to_nine_tenths) {
    BOOST_TEST(anomaly::easy_fraction(0, 1000) == 0);
    BOOST_TEST(anomaly::easy_fraction(500, 1000) == 0.45);
    BOOST_TEST(anomaly::easy_fraction(1000, 1000) == 0.9);
    BOOST_TEST(anomaly::easy_fraction(100000, 1000) == 0.9);
    BOOST_TEST(anomaly::easy_fraction(0, 0) == 0.9);
}
