// SPDX-License-Identifier: Apache-2.0
// What every row of the table must pass: its gradient against differences in double, and every device against double.
#pragma once

#include <boost/test/unit_test.hpp>
#include <vector>

#include "tests/cases.hpp"
#include "tests/close.hpp"

namespace dinomaly::test {

/// A row's values and gradients on D against those in double, from the same inputs.
template <Device D> void compare_with_double(const auto& row, double tolerance) {
    using Double = Cpu<double>;
    const std::vector<Var<D>> found = row.template parameters<D>();
    const std::vector<Var<Double>> exact = row.template parameters<Double>();
    const Var<D> y = row.run(found);
    const Var<Double> z = row.run(exact);
    BOOST_TEST(mismatch(y.value(), z.value(), tolerance) == "");
    const Draw dy = draw(y.shape());
    Generator random(2), again(2);
    y.backward(dy.tensor<D>(random));
    z.backward(dy.tensor<Double>(again));
    for (std::size_t i = 0; i < found.size(); ++i) {
        BOOST_TEST_INFO_SCOPE("gradient of input " << i);
        BOOST_TEST(found[i].has_grad() == exact[i].has_grad());
        if (!found[i].has_grad()) continue;  // a comparison passes none on
        BOOST_TEST(mismatch(found[i].grad(), exact[i].grad(), tolerance) == "");
    }
}

/// A visitor of the table.
struct CheckCase {
    template <class F, class Golden> void operator()(const Case<F, Golden>& row) const {
        BOOST_TEST_CONTEXT(row.name) {
            if (row.is_derivative) check_gradient(row);
            compare_with_double<Cpu<float>>(row, row.golden.tolerance);
        }
    }

private:
    static void check_gradient(const auto& row) {
        const std::vector<Var<Cpu<double>>> inputs = row.template parameters<Cpu<double>>();
        std::int64_t elements = 0;
        for (const auto& input : inputs) elements += input.count();
        // Large inputs are there to be cut into tasks; few of their elements are enough.
        const GradcheckReport report = gradcheck(row.formula, inputs, {.max_elements = elements > 20000 ? 10 : 100});
        BOOST_TEST(report.passed, report);
    }
};

}  // namespace dinomaly::test
