// SPDX-License-Identifier: Apache-2.0
// gradcheck finds right gradients right, wrong ones wrong, and says where.
#define BOOST_TEST_MODULE autodiff_gradcheck

#include "dinomaly/autodiff/gradcheck.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "dinomaly/core/init.hpp"
#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/reduce.hpp"
#include "dinomaly/ops/scale_grad.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<double>;
using Inputs = std::vector<Var<D>>;

Inputs two_inputs() {
    Generator random(3);
    return {normal<D>({4, 5}, random), normal<D>({5}, random)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(right_gradients_pass) {
    const auto f = [](const Inputs& in) { return tanh(in[0] * in[1]); };
    const GradcheckReport report = gradcheck(f, two_inputs());
    BOOST_TEST(report.passed, report);
    BOOST_TEST(report.worst_error < 1e-8);
    BOOST_TEST(report.worst_error > 0);
    BOOST_TEST(report.checked == 25);
}

BOOST_AUTO_TEST_CASE(the_wrong_element_is_named) {
    std::vector<double> factor(20, 1);
    factor[13] = 1.001;
    const auto f = [&](const Inputs& in) { return in[1] * scale_grad(square(in[0]), Tensor<D>({4, 5}, factor)); };
    const GradcheckReport report = gradcheck(f, two_inputs());
    BOOST_TEST(!report);
    BOOST_TEST(report.input == 0);
    BOOST_TEST(report.element == 13);
    BOOST_TEST(report.analytic == 1.001 * report.numeric, boost::test_tools::tolerance(1e-6));
    std::ostringstream text;
    text << report;
    BOOST_TEST(text.str().find("gradcheck failed on 25 elements") == 0U);
    BOOST_TEST(text.str().find("at input 0, element 13") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_missing_gradient_fails) {
    BOOST_TEST(!gradcheck([](const Inputs& in) { return as_var(square(in[0])).detach(); }, two_inputs()));
    BOOST_TEST(!gradcheck([](const Inputs& in) { return in[0] * Var<D>(in[1]).detach(); }, two_inputs()));
}

BOOST_AUTO_TEST_CASE(an_unused_input_has_no_gradient_to_be_wrong) {
    BOOST_TEST(gradcheck([](const Inputs& in) { return square(in[0]); }, two_inputs()).passed);
}

BOOST_AUTO_TEST_CASE(nan_fails) {
    const Inputs inputs = {Tensor<D>({2}, {1, std::numeric_limits<double>::quiet_NaN()})};
    BOOST_TEST(!gradcheck([](const Inputs& in) { return square(in[0]); }, inputs));
}

BOOST_AUTO_TEST_CASE(large_inputs_are_sampled) {
    Generator random(1);
    const Inputs inputs = {normal<D>({1000}, random)};
    const auto f = [](const Inputs& in) { return sum(square(in[0])); };
    BOOST_TEST(gradcheck(f, inputs, {.max_elements = 50}).checked == 50);
}

BOOST_AUTO_TEST_CASE(inputs_stay_as_they_are) {
    const Inputs inputs = two_inputs();
    const std::vector<double> before = inputs[0].value().to_vector();
    gradcheck([](const Inputs& in) { return in[0] + in[1]; }, inputs);
    BOOST_TEST(inputs[0].value().to_vector() == before, boost::test_tools::per_element());
    BOOST_TEST(!inputs[0].has_grad());
}
