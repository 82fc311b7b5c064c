// SPDX-License-Identifier: Apache-2.0
// Rows of the table: softmax and losses, and the ops of a transformer.
#define BOOST_TEST_MODULE ops_model_ops

#include <boost/test/unit_test.hpp>

#include "tests/ops/check_case.hpp"

BOOST_AUTO_TEST_CASE(softmax_and_loss_cases) {
    dinomaly::test::softmax_cases(dinomaly::test::CheckCase{});
}
BOOST_AUTO_TEST_CASE(model_cases) {
    dinomaly::test::model_cases(dinomaly::test::CheckCase{});
}
BOOST_AUTO_TEST_CASE(resample_cases) {
    dinomaly::test::resample_cases(dinomaly::test::CheckCase{});
}
