// SPDX-License-Identifier: Apache-2.0
// The recorded graph: what is recorded, how gradients add up, when memory goes, and that nothing is corrupted.
#define BOOST_TEST_MODULE autodiff_graph

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "dinomaly/ops/linear.hpp"
#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/reduce.hpp"
#include "dinomaly/ops/reshape.hpp"

namespace {

using namespace dinomaly;
using D = Cpu<float>;
using Values = std::vector<float>;

Var<D> three(float a = 1, float b = 2, float c = 3) {
    return parameter(Tensor<D>({3}, {a, b, c}));
}

bool speaks_of(const Error& error, const std::string& text) {
    return std::string(error.what()).find(text) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(gradients_of_two_uses_add_up) {
    const Var<D> x = three();
    Var<D>(sum(x * x) + sum(x)).backward();
    BOOST_TEST(x.grad().to_vector() == (Values{3, 5, 7}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(gradients_of_two_sweeps_add_up_until_cleared) {
    Var<D> x = three();
    sum(x * 2).backward();
    sum(x * 3).backward();
    BOOST_TEST(x.grad().to_vector() == (Values{5, 5, 5}), boost::test_tools::per_element());
    x.clear_grad();
    BOOST_TEST(!x.has_grad());
    sum(x * 3).backward();
    BOOST_TEST(x.grad().to_vector() == (Values{3, 3, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_graph_is_swept_once) {
    const Var<D> x = three();
    const Var<D> by_formula = x * 2;
    by_formula.backward(ones<D>({3}));
    BOOST_CHECK_EXCEPTION(by_formula.backward(ones<D>({3})), Error,
                          [](const Error& error) { return speaks_of(error, "already swept"); });
    const Var<D> by_op = sum(x);
    by_op.backward();
    BOOST_CHECK_EXCEPTION(by_op.backward(), Error,
                          [](const Error& error) { return speaks_of(error, "already swept"); });
}

BOOST_AUTO_TEST_CASE(what_depends_on_no_parameter_is_not_recorded) {
    const Var<D> constant = Tensor<D>({3}, {1, 2, 3});
    BOOST_TEST(!Var<D>(constant * 2).wants_grad());
    BOOST_TEST(!sum(constant).wants_grad());
    BOOST_TEST(!Var<D>(less(three(), constant)).wants_grad());
    BOOST_TEST(!three().detach().wants_grad());
    BOOST_CHECK_EXCEPTION(sum(constant).backward(), Error,
                          [](const Error& error) { return speaks_of(error, "depends on a parameter"); });
}

BOOST_AUTO_TEST_CASE(nothing_is_recorded_under_no_grad) {
    const Var<D> x = three();
    {
        const NoGrad no_grad;
        BOOST_TEST(!Var<D>(x * 2).wants_grad());
        BOOST_TEST(!sum(x).wants_grad());
        { const NoGrad inner; }
        BOOST_TEST(!NoGrad::recording());
    }
    BOOST_TEST(Var<D>(x * 2).wants_grad());
}

BOOST_AUTO_TEST_CASE(only_a_single_element_has_a_gradient_of_its_own) {
    const Var<D> y = three() * 2;
    BOOST_CHECK_EXCEPTION(y.backward(), Error,
                          [](const Error& error) { return speaks_of(error, "one element expected, found shape [3]"); });
    BOOST_CHECK_EXCEPTION(y.backward(ones<D>({2})), Error, [](const Error& error) { return speaks_of(error, "[2]"); });
    BOOST_CHECK_THROW(three().grad(), Error);
}

BOOST_AUTO_TEST_CASE(a_dropped_graph_releases_its_nodes) {
    const Var<D> x = three();
    std::weak_ptr<Node> middle;
    {
        const Var<D> y = x * 2;
        const Var<D> z = sum(y * y);
        middle = y.node();
    }
    BOOST_TEST(middle.expired());
}

BOOST_AUTO_TEST_CASE(the_sweep_releases_what_the_graph_kept) {
    const Var<D> x = three();
    const auto loss_of = [&](std::weak_ptr<Node>& middle) {
        const Var<D> y = x * 2;
        middle = y.node();
        return Var<D>(sum(y * y) + 1);
    };
    std::weak_ptr<Node> middle;
    const Var<D> loss = loss_of(middle);
    BOOST_TEST(!middle.expired());
    loss.backward();
    BOOST_TEST(middle.expired());
    BOOST_TEST(x.grad().to_vector() == (Values{8, 16, 24}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(long_chains_do_not_exhaust_the_stack) {
    const Var<D> x = three();
    Var<D> y = x, dropped = x;
    for (int i = 0; i < 100'000; ++i) y = x + y, dropped = x + dropped;
    y.backward(ones<D>({3}));
    BOOST_TEST(x.grad().to_vector() == (Values{100'001, 100'001, 100'001}), boost::test_tools::per_element());
    dropped = {};  // never swept
}

BOOST_AUTO_TEST_CASE(a_shared_gradient_is_not_written_to) {
    // y hands its gradient to x and z without a copy; x then receives more.
    const Var<D> x = three(), z = three();
    const Var<D> y = x + z;
    Var<D>(sum(y * y) + sum(x * 10)).backward();
    BOOST_TEST(x.grad().to_vector() == (Values{14, 18, 22}), boost::test_tools::per_element());
    BOOST_TEST(z.grad().to_vector() == (Values{4, 8, 12}), boost::test_tools::per_element());

    const Tensor<D> dy = ones<D>({3});
    const Var<D> a = three();
    const Var<D> b = a + 1;
    b.backward(dy);
    sum(a * 5).backward();
    BOOST_TEST(a.grad().to_vector() == (Values{6, 6, 6}), boost::test_tools::per_element());
    BOOST_TEST(dy.to_vector() == (Values{1, 1, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_reshaped_gradient_is_not_written_to) {
    const Var<D> x = three(), z = three();
    const Var<D> row = reshape(x, {1, 3});  // shares elements forward and the gradient backward
    Var<D>(sum(row * reshape(z, {1, 3})) + sum(x * x)).backward();
    BOOST_TEST(x.grad().to_vector() == (Values{3, 6, 9}), boost::test_tools::per_element());
    BOOST_TEST(z.grad().to_vector() == (Values{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_input_by_several_paths_of_one_formula) {
    const Var<D> x = three();
    const Var<D> s = three(2, 2, 2);
    Var<D>(x + x * s + x).backward(ones<D>({3}));
    BOOST_TEST(x.grad().to_vector() == (Values{4, 4, 4}), boost::test_tools::per_element());
    BOOST_TEST(s.grad().to_vector() == (Values{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_formula_named_with_auto_may_be_used_again) {
    const Var<D> x = three();
    const auto square_of = x * x;
    const Var<D> a = square_of, b = square_of + 1;
    BOOST_TEST(a.value().to_vector() == (Values{1, 4, 9}), boost::test_tools::per_element());
    BOOST_TEST(b.value().to_vector() == (Values{2, 5, 10}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_product_is_used_where_it_is_written) {
    using Linear = decltype(linear(std::declval<Var<D>>(), std::declval<Var<D>>(), std::declval<Var<D>>()));
    static_assert(!std::is_copy_constructible_v<Linear>);
    static_assert(!std::is_convertible_v<Linear&, Var<D>>);
    static_assert(std::is_convertible_v<Linear, Var<D>>);
    const auto x = parameter(Tensor<D>({1, 2}, {1, 2})), w = parameter(Tensor<D>({1, 2}, {3, 4}));
    BOOST_TEST(Var<D>(linear(x, w)).item() == 11);
}
