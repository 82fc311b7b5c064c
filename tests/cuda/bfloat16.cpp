// SPDX-License-Identifier: Apache-2.0
// Ops on Cuda<bfloat16> against double.
#define BOOST_TEST_MODULE cuda_bfloat16
#include <boost/test/unit_test.hpp>

#include "tests/cuda/on_cuda.hpp"
#include "tests/ops/bfloat16_cases.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using Half = Cuda<bfloat16>;

BOOST_AUTO_TEST_CASE(formulas_mix_bfloat16_and_parameters) {
    for_each_schedule(check_formulas_mix_bfloat16_and_parameters<Half>);
}
BOOST_AUTO_TEST_CASE(products_with_what_stands_around_them) {
    for_each_schedule(check_products_with_what_stands_around_them<Half>);
}
BOOST_AUTO_TEST_CASE(structured_ops) {
    for_each_schedule(check_structured_ops<Half>);
}
BOOST_AUTO_TEST_CASE(sums_and_losses_are_in_full_precision) {
    for_each_schedule(check_sums_and_losses_are_in_full_precision<Half>);
}
