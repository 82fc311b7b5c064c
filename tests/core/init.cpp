// SPDX-License-Identifier: Apache-2.0
// Tensors of random numbers: their moments, and the same numbers for every element type.
#define BOOST_TEST_MODULE core_init

#include "dinomaly/core/init.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "dinomaly/backend/cpu/device.hpp"

namespace {

using namespace dinomaly;

double mean_of(const std::vector<double>& values) {
    double sum = 0;
    for (double value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

}  // namespace

BOOST_AUTO_TEST_CASE(moments) {
    Generator random(5);
    std::vector<double> values = normal<Cpu<double>>({100, 1000}, random, 3, 2).to_vector();
    BOOST_TEST(std::abs(mean_of(values) - 3) < 0.02);
    for (double& value : values) value = (value - 3) * (value - 3);
    BOOST_TEST(std::abs(mean_of(values) - 4) < 0.06);

    const std::vector<double> flat = uniform<Cpu<double>>({100000}, random, -1, 3).to_vector();
    BOOST_TEST(std::abs(mean_of(flat) - 1) < 0.01);
    BOOST_TEST(*std::ranges::min_element(flat) > -1);
    BOOST_TEST(*std::ranges::max_element(flat) <= 3);
}

BOOST_AUTO_TEST_CASE(element_types_agree) {
    Generator one(9), other(9);
    const auto doubles = normal<Cpu<double>>({50}, one).to_vector();
    const auto floats = normal<Cpu<float>>({50}, other).to_vector();
    for (std::size_t i = 0; i < floats.size(); ++i) BOOST_TEST(floats[i] == static_cast<float>(doubles[i]));
}
