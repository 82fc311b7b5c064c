// SPDX-License-Identifier: Apache-2.0
// Where differences say nothing: ties, kinks, infinities and NaN.
#define BOOST_TEST_MODULE ops_special_values

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "dinomaly/tensor.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<float>;
using Values = std::vector<float>;

constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

Var<D> row(const Values& values) {
    return parameter(Tensor<D>({static_cast<std::int64_t>(values.size())}, values));
}

/// The gradient of sum(y) for x.
Values gradient(const Var<D>& y, const Var<D>& x) {
    sum(y).backward();
    return x.grad().to_vector();
}

}  // namespace

BOOST_AUTO_TEST_CASE(equal_extremes_share_the_gradient) {
    const Var<D> x = row({1, 3, 2, 3}), y = row({0, 0, 5, 0});
    BOOST_TEST(gradient(amax(x), x) == (Values{0, 0.5F, 0, 0.5F}), boost::test_tools::per_element());
    const float third = 1.0F / 3;
    BOOST_TEST(gradient(amin(y), y) == (Values{third, third, 0, third}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ties_of_two_operands_go_to_the_second) {
    const Var<D> a = row({1, 2}), b = row({1, 3});
    BOOST_TEST(gradient(minimum(a, b), a) == (Values{0, 1}), boost::test_tools::per_element());
    BOOST_TEST(b.grad().to_vector() == (Values{1, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(kinks_at_zero_have_slope_zero) {
    const Var<D> x = row({0, -0.0F}), y = row({0, -1});
    BOOST_TEST(gradient(abs(x), x) == (Values{0, 0}), boost::test_tools::per_element());
    BOOST_TEST(gradient(relu(y), y) == (Values{0, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nan_is_kept) {
    const Var<D> x = row({not_a_number, 1});
    for (const Var<D>& y : std::vector<Var<D>>{relu(x), elu(x), gelu(x), silu(x), maximum(0, x), minimum(0, x), x * 0})
        BOOST_TEST(std::isnan(y.value().to_vector()[0]));
    BOOST_TEST(std::isnan(sum(x).item()));
    BOOST_TEST(std::isnan(mse(x, row({1, 1})).item()));
    BOOST_TEST(std::isnan(kth_largest(x, 1).item()));
    BOOST_TEST(kth_largest(x, 2).item() == 1);
}

BOOST_AUTO_TEST_CASE(far_values_do_not_overflow) {
    const Var<D> x = row({1000, 0, -1000});
    BOOST_TEST(softmax(x).value().to_vector() == (Values{1, 0, 0}), boost::test_tools::per_element());
    BOOST_TEST(log_softmax(x).value().to_vector() == (Values{0, -1000, -2000}), boost::test_tools::per_element());
    BOOST_TEST(as_var(sigmoid(x)).value().to_vector() == (Values{1, 0.5F, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_class_that_is_ruled_out) {
    const Var<D> logits = parameter(Tensor<D>({1, 3}, {0, 0, -infinite}));
    const Var<D> loss = cross_entropy(logits, {1});
    BOOST_TEST(loss.item() == std::log(2.0F), boost::test_tools::tolerance(1e-6F));
    loss.backward();
    BOOST_TEST(logits.grad().to_vector() == (Values{0.5F, -0.5F, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(scaled_gradients) {
    const Var<D> x = row({1, 2, 3});
    const Var<D> y = scale_grad(x, Tensor<D>({3}, {1, 0.1F, 0}));
    BOOST_TEST(y.value().to_vector() == (Values{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(gradient(y, x) == (Values{1, 0.1F, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(thresholds) {
    const Var<D> x = row({5, 1, 4, 1, 3});
    const Values sorted = {5, 4, 3, 1, 1};
    for (std::int64_t k = 1; k <= 5; ++k)
        BOOST_TEST(kth_largest(x, k).item() == sorted[static_cast<std::size_t>(k - 1)]);
}
