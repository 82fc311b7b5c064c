// SPDX-License-Identifier: Apache-2.0
// Encoders of all parts: the frozen form against the plain one in double, and what either refuses.
#define BOOST_TEST_MODULE nn_frozen_vit
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "tests/nn/encoders.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

template <Device D, class W> void check_features(double tolerance) {
    for (const auto& [name, config] : encoders_of_all_parts()) {
        const double found = distance(frozen_features<D, W>(config), plain_features<Cpu<double>>(config));
        BOOST_TEST(found < tolerance, name << ": " << found);
    }
}

std::string refusal(const nn::VitConfig& config, std::int64_t height, std::int64_t width) {
    using D = Cpu<float>;
    try {
        const nn::FrozenVit<D> vit(drawn_encoder<D>(config), 0);
        vit.run(zeros<D>({1, 3, height, width}).data(), 1, height, width, {nullptr});
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(folding_is_exact) {
    check_features<Cpu<double>, double>(1e-12);
}
BOOST_AUTO_TEST_CASE(floats_are_near) {
    check_features<Cpu<float>, float>(2e-6);
}
BOOST_AUTO_TEST_CASE(bfloat16_is_within_two_per_cent) {
    check_features<Cpu<bfloat16>, bfloat16>(0.02);
}
BOOST_AUTO_TEST_CASE(codes_are_within_five_per_cent) {
    check_features<Cpu<bfloat16>, backend::Code>(0.05);
}

BOOST_AUTO_TEST_CASE(parts_matter) {
    std::vector<std::vector<double>> features;
    for (const auto& [name, config] : encoders_of_all_parts()) {
        features.push_back(plain_features<Cpu<double>>(config));
        for (std::size_t i = 0; i + 1 < features.size(); ++i)
            BOOST_TEST(distance(features[i], features.back()) > 0.05, name << " and number " << i);
    }
}

BOOST_AUTO_TEST_CASE(refused) {
    const auto encoders = encoders_of_all_parts();
    BOOST_TEST(refusal(encoders[0].second, 3, 29) ==
               "[encoder] a picture of 3 x 29: at least one patch of 4 x 4 expected");
    BOOST_TEST(refusal(encoders.back().second, 28, 32) ==
               "[encoder] 7 x 8 patches: its relative positions are those of 7 x 7");
    nn::VitConfig registers = encoders.back().second;
    registers.registers = 4;
    BOOST_TEST(refusal(registers, 28, 28) ==
               "[encoder] 4 registers, which relative positions do not know: none expected");
    BOOST_TEST(refusal({.width = 12, .depth = 1, .heads = 2, .position = nn::Position::rotary}, 28, 28) ==
               "[rotary position] a head_dim of 6, a multiple of 4 expected");
}
