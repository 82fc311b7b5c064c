// SPDX-License-Identifier: Apache-2.0
// The gradient of every row of the table, in double, against central differences.
#define BOOST_TEST_MODULE ops_gradcheck

#include <boost/test/unit_test.hpp>

#include "tests/cases.hpp"

namespace {

using namespace dinomaly;

/// Large inputs are there to be cut into tasks; few of their elements are enough.
GradcheckOptions options_for(const std::vector<Var<Cpu<double>>>& inputs) {
    std::int64_t elements = 0;
    for (const auto& input : inputs) elements += input.count();
    return {.max_elements = elements > 20000 ? 10 : 100};
}

struct Gradcheck {
    template <class F> void operator()(const test::Case<F>& row) const {
        if (!row.is_derivative) return;
        BOOST_TEST_CONTEXT(row.name) {
            const auto inputs = row.template parameters<Cpu<double>>();
            const GradcheckReport report = gradcheck(row.formula, inputs, options_for(inputs));
            BOOST_TEST(report.passed, report);
        }
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(arithmetic) {
    test::arithmetic_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(broadcasting) {
    test::broadcast_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(reductions) {
    test::reduce_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(shapes) {
    test::shape_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(products) {
    test::matmul_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(softmax_and_losses) {
    test::softmax_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(model) {
    test::model_cases(Gradcheck{});
}
BOOST_AUTO_TEST_CASE(resampling) {
    test::resample_cases(Gradcheck{});
}
