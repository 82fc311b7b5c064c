// SPDX-License-Identifier: Apache-2.0
// The frozen forms against the plain model: equal in double but for rounding, near in float, bfloat16 and 8-bit codes;
// and that a picture's numbers do not depend on its batch or on the number of threads.
#define BOOST_TEST_MODULE model_frozen
#include "dinomaly/frozen_model.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

/// Wider than a tile, 103 tokens, more than one panel of rows; norms and layer scales drawn.
DinomalyConfig middle_config() {
    DinomalyConfig config = small_config();
    config.encoder = {.width = 128, .depth = 5, .heads = 2, .patch = 14, .registers = 2, .grid = 8, .eps = 1e-6};
    return config;
}

template <Device D> Tensor<D> pictures(std::int64_t batch) {
    Generator random(7);
    return normal<D>({batch, 3, 140, 140}, random);
}

std::vector<double> as_doubles(const auto& values) {
    return {values.begin(), values.end()};
}

/// The largest difference of the frozen model's map from the plain model's in double, in parts of the latter's range.
template <Device D, class W> double distance_from_exact() {
    const auto exact =
        small_model<Cpu<double>>(1, middle_config()).anomaly_map(Var<Cpu<double>>(pictures<Cpu<double>>(1))).value();
    const FrozenDinomaly<D, W> frozen(small_model<D>(1, middle_config()));
    const auto found = as_doubles(frozen.anomaly_map(pictures<Full<D>>(1)).value().to_vector());
    const auto expected = exact.to_vector();
    BOOST_REQUIRE(found.size() == expected.size());
    double worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(found[i] - expected[i]));
    const auto [lowest, highest] = std::ranges::minmax(expected);
    return worst / (highest - lowest);
}

}  // namespace

BOOST_AUTO_TEST_CASE(folding_is_exact) {
    BOOST_TEST((distance_from_exact<Cpu<double>, double>() < 1e-11));
}
BOOST_AUTO_TEST_CASE(floats_are_near) {
    BOOST_TEST((distance_from_exact<Cpu<float>, float>() < 1e-5));
}
BOOST_AUTO_TEST_CASE(bfloat16_is_within_two_per_cent) {
    const double distance = distance_from_exact<Cpu<bfloat16>, bfloat16>();
    BOOST_TEST_MESSAGE("bf16: " << distance);
    BOOST_TEST(distance < 0.02);
    BOOST_TEST(distance > 0);
}
BOOST_AUTO_TEST_CASE(codes_are_within_five_per_cent) {
    const double distance = distance_from_exact<Cpu<bfloat16>, backend::Code>();
    BOOST_TEST_MESSAGE("int8: " << distance);
    BOOST_TEST(distance < 0.05);
}

BOOST_AUTO_TEST_CASE(the_encoder_gives_the_plain_features) {
    const auto model = small_model<Cpu<double>>(1, middle_config());
    const auto plain = model.encode(Var<Cpu<double>>(pictures<Cpu<double>>(2)));
    const auto frozen = FrozenEncoder<Cpu<double>>(model).encode(pictures<Cpu<double>>(2));
    for (std::size_t g = 0; g < 2; ++g)
        BOOST_TEST(relative_difference(frozen[g].value().to_vector(), plain[g].value().to_vector()) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_picture_does_not_depend_on_its_batch_or_on_threads) {
    const auto check_bits = []<Device D>(D) {
        const FrozenDinomaly<D> model(small_model<D>(1, middle_config()));
        const Tensor<Full<D>> three = pictures<Full<D>>(3);
        const auto together = model.anomaly_map(three).value().to_vector();
        const int threads = backend::thread_pool().threads();
        for (const int count : {1, 3}) {
            backend::thread_pool().resize(count);
            for (std::int64_t i = 0; i < 3; ++i) {
                const auto alone = model.anomaly_map(three.rows(i, 1)).value().to_vector();
                BOOST_TEST(std::equal(alone.begin(), alone.end(), together.begin() + i * std::ssize(alone)));
            }
        }
        backend::thread_pool().resize(threads);
    };
    check_bits(Cpu<float>{});
    check_bits(Cpu<bfloat16>{});
}

BOOST_AUTO_TEST_CASE(other_sizes_and_bad_ones) {
    const auto model = small_model<Cpu<double>>(1, middle_config());
    const FrozenDinomaly<Cpu<double>> frozen(model);
    Generator random(8);
    const Tensor<Cpu<double>> wide = normal<Cpu<double>>({1, 3, 28, 56}, random);
    const auto plain = model.anomaly_map(Var<Cpu<double>>(wide)).value().to_vector();
    BOOST_TEST(relative_difference(frozen.anomaly_map(wide).value().to_vector(), plain) < 1e-11);
    BOOST_CHECK_THROW(frozen.anomaly_map(normal<Cpu<double>>({1, 3, 28, 13}, random)), Error);
    BOOST_CHECK_THROW(frozen.anomaly_map(normal<Cpu<double>>({1, 4, 28, 28}, random)), Error);
}
