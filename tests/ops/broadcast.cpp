// SPDX-License-Identifier: Apache-2.0
// Rows of the table: formulas over many shapes, and reductions.
#define BOOST_TEST_MODULE ops_broadcast

#include <boost/test/unit_test.hpp>

#include "tests/ops/check_case.hpp"

BOOST_AUTO_TEST_CASE(broadcast_cases) {
    dinomaly::test::broadcast_cases(dinomaly::test::CheckCase{});
}
BOOST_AUTO_TEST_CASE(reduce_cases) {
    dinomaly::test::reduce_cases(dinomaly::test::CheckCase{});
}
