// SPDX-License-Identifier: Apache-2.0
// Rows of the table: shapes and matrix products.
#define BOOST_TEST_MODULE ops_shapes

#include <boost/test/unit_test.hpp>

#include "tests/ops/check_case.hpp"

BOOST_AUTO_TEST_CASE(shape_cases) {
    dinomaly::test::shape_cases(dinomaly::test::CheckCase{});
}
BOOST_AUTO_TEST_CASE(matmul_cases) {
    dinomaly::test::matmul_cases(dinomaly::test::CheckCase{});
}
