// SPDX-License-Identifier: Apache-2.0
// Ops on Cpu<bfloat16> against double.
#define BOOST_TEST_MODULE ops_bfloat16
#include <boost/test/unit_test.hpp>

#include "tests/ops/bfloat16_cases.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using Half = Cpu<bfloat16>;

BOOST_AUTO_TEST_CASE(formulas_mix_bfloat16_and_parameters) {
    check_formulas_mix_bfloat16_and_parameters<Half>();
}
BOOST_AUTO_TEST_CASE(products_with_what_stands_around_them) {
    check_products_with_what_stands_around_them<Half>();
}
BOOST_AUTO_TEST_CASE(structured_ops) {
    check_structured_ops<Half>();
}
BOOST_AUTO_TEST_CASE(sums_and_losses_are_in_full_precision) {
    check_sums_and_losses_are_in_full_precision<Half>();
}
BOOST_AUTO_TEST_CASE(a_repeated_product_is_an_error) {
    const Var<Cpu<float>> x = ones<Cpu<float>>({3, 4}), w = ones<Cpu<float>>({5, 4}), y = ones<Cpu<float>>({2, 3, 5});
    BOOST_CHECK_THROW(Var<Cpu<float>>(linear(x, w) + y), Error);
}
