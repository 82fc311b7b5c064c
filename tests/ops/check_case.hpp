// SPDX-License-Identifier: Apache-2.0
// What every row of the table must pass: its gradient against differences in double, and float against double.
#pragma once

#include <boost/test/unit_test.hpp>
#include <vector>

#include "tests/cases.hpp"
#include "tests/close.hpp"

namespace dinomaly::test {

/// A visitor of the table.
struct CheckCase {
    using Single = Cpu<float>;
    using Double = Cpu<double>;

    template <class F, class Golden> void operator()(const Case<F, Golden>& row) const {
        BOOST_TEST_CONTEXT(row.name) {
            if (row.is_derivative) check_gradient(row);
            check_float(row);
        }
    }

private:
    static void check_gradient(const auto& row) {
        const std::vector<Var<Double>> inputs = row.template parameters<Double>();
        std::int64_t elements = 0;
        for (const auto& input : inputs) elements += input.count();
        // Large inputs are there to be cut into tasks; few of their elements are enough.
        const GradcheckReport report = gradcheck(row.formula, inputs, {.max_elements = elements > 20000 ? 10 : 100});
        BOOST_TEST(report.passed, report);
    }

    static void check_float(const auto& row) {
        const std::vector<Var<Single>> singles = row.template parameters<Single>();
        const std::vector<Var<Double>> doubles = row.template parameters<Double>();
        const Var<Single> y = row.run(singles);
        const Var<Double> z = row.run(doubles);
        BOOST_TEST(mismatch(y.value(), z.value(), row.golden.tolerance) == "");
        const Draw dy = draw(y.shape());
        Generator random(2), again(2);
        y.backward(dy.tensor<Single>(random));
        z.backward(dy.tensor<Double>(again));
        for (std::size_t i = 0; i < singles.size(); ++i) {
            BOOST_TEST_INFO_SCOPE("gradient of input " << i);
            BOOST_TEST(singles[i].has_grad() == doubles[i].has_grad());
            if (!singles[i].has_grad()) continue;  // a comparison passes none on
            BOOST_TEST(mismatch(singles[i].grad(), doubles[i].grad(), row.golden.tolerance) == "");
        }
    }
};

}  // namespace dinomaly::test
