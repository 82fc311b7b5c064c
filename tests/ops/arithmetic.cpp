// SPDX-License-Identifier: Apache-2.0
// Rows of the table: elementwise ops, one by one.
#define BOOST_TEST_MODULE ops_arithmetic

#include <boost/test/unit_test.hpp>

#include "tests/ops/check_case.hpp"

BOOST_AUTO_TEST_CASE(arithmetic_cases) {
    dinomaly::test::arithmetic_cases(dinomaly::test::CheckCase{});
}
