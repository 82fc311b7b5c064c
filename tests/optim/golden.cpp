// SPDX-License-Identifier: Apache-2.0
// StableAdamW and the schedule against PyTorch, the clipping rule against hand values.
#define BOOST_TEST_MODULE optim_golden
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/ops/arithmetic.hpp"
#include "dinomaly/optim/clip.hpp"
#include "dinomaly/optim/schedule.hpp"
#include "dinomaly/optim/sgd.hpp"
#include "dinomaly/optim/stable_adamw.hpp"
#include "tests/support.hpp"

using namespace dinomaly;

namespace {

const io::StateDict& golden() {
    static const io::StateDict dict = io::load_state_dict(test::golden_dir() / "optim.safetensors");
    return dict;
}

template <Device D> Tensor<D> golden_tensor(const std::string& name) {
    return Tensor<D>(golden().at(name).shape, golden().as<typename D::value_type>(name));
}

template <Device D> double largest_difference(const Tensor<D>& found, const Tensor<D>& expected) {
    const auto a = found.to_vector(), b = expected.to_vector();
    BOOST_REQUIRE(a.size() == b.size());
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = static_cast<double>(std::abs(a[i] - b[i]));
        if (!(difference <= worst)) worst = difference;  // NaN stays
        if (std::isnan(worst)) break;
    }
    return worst;
}

template <Device D> std::vector<Var<D>> first_parameters() {
    return {parameter(golden_tensor<D>("stable_adamw/param/0/0")),
            parameter(golden_tensor<D>("stable_adamw/param/0/1"))};
}

/// A parameter with a gradient, as backward() leaves it.
template <Device D> Var<D> with_gradient(const Tensor<D>& value, const Tensor<D>& grad) {
    const Var<D> p = parameter(value);
    p.node()->grad = grad;
    return p;
}

}  // namespace

using Devices = std::tuple<Cpu<float>, Cpu<double>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(stable_adamw, D, Devices) {
    auto parameters = first_parameters<D>();
    optim::StableAdamW<D> optimizer(parameters);
    for (int i = 0; i < 25; ++i) {
        for (std::size_t j = 0; j < parameters.size(); ++j)
            parameters[j].node()->grad =
                golden_tensor<D>("stable_adamw/grad/" + std::to_string(i) + '/' + std::to_string(j));
        optimizer.step(2e-3);
        for (std::size_t j = 0; j < parameters.size(); ++j) {
            const std::string name = "stable_adamw/param/" + std::to_string(i + 1) + '/' + std::to_string(j);
            BOOST_TEST_CONTEXT(name) {
                BOOST_TEST(largest_difference(parameters[j].value(), golden_tensor<D>(name)) < 1e-5);
            }
        }
    }
    BOOST_TEST(optimizer.steps() == 25);
    // 25 steps moved the values by far more than the tolerance.
    BOOST_TEST(largest_difference(parameters[0].value(), golden_tensor<D>("stable_adamw/param/0/0")) > 1e-2);
}

BOOST_AUTO_TEST_CASE(stable_adamw_decays_a_parameter_without_a_slope) {
    using D = Cpu<double>;
    const Var<D> p = with_gradient(Tensor<D>({2}, {1.0, -3.0}), zeros<D>({2}));
    optim::StableAdamW<D> optimizer({p}, {.weight_decay = 0.5});
    optimizer.step(0.1);
    BOOST_TEST(largest_difference(p.value(), Tensor<D>({2}, {0.95, -2.85})) < 1e-15);
}

BOOST_AUTO_TEST_CASE(stable_adamw_adds_eps_to_the_denominator) {
    using D = Cpu<double>;
    const Var<D> p = with_gradient(Tensor<D>({1}, {1.0}), Tensor<D>({1}, {1e-10}));
    optim::StableAdamW<D> optimizer({p}, {.eps = 1e-10, .weight_decay = 0});
    optimizer.step(0.1);  // lr * g / (|g| + eps)
    BOOST_TEST(p.value().item() == 0.95, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(stable_adamw_restores_as_many_moments_as_it_has) {
    optim::StableAdamW<Cpu<double>> optimizer(first_parameters<Cpu<double>>());
    BOOST_CHECK_THROW(optimizer.restore(3, {}), Error);
    BOOST_CHECK_THROW(optimizer.step(1e-3), Error);  // nobody called backward()
    BOOST_TEST(optimizer.steps() == 0);
}

BOOST_AUTO_TEST_CASE(warm_cosine) {
    const auto expected = golden().as<double>("warm_cosine/10000_warmup_100");
    const optim::WarmCosine schedule{};
    BOOST_TEST(expected.size() == 10002U);
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
        worst = std::max(worst, std::abs(schedule(static_cast<std::int64_t>(i)) - expected[i]));
    BOOST_TEST(worst < 1e-12);
    BOOST_TEST(schedule(0) == 0);
    BOOST_TEST(schedule(99) == 2e-3, boost::test_tools::tolerance(1e-15));
    BOOST_TEST(schedule(1000000) == 2e-4);
}

BOOST_AUTO_TEST_CASE(warm_cosine_at_the_edges) {
    const optim::WarmCosine no_warmup{.total = 10, .warmup = 0}, single{.total = 10, .warmup = 1},
        short_run{.total = 4, .warmup = 100};
    BOOST_TEST(no_warmup(0) == 2e-3);
    BOOST_TEST(single(0) == 0);
    BOOST_TEST(single(1) == 2e-3);
    BOOST_TEST(short_run(50) == 2e-3 * 50 / 99, boost::test_tools::tolerance(1e-15));
    BOOST_TEST(short_run(100) == 2e-4);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(clip_scales_all_gradients_by_their_joint_norm, D, Devices) {
    using T = typename D::value_type;
    const std::vector<Var<D>> p{with_gradient(zeros<D>({2}), Tensor<D>({2}, {3, 0})),
                                with_gradient(zeros<D>({1, 1}), Tensor<D>({1, 1}, {-4}))};
    BOOST_TEST(optim::clip_gradients(p, 5.1) == 5.0);
    BOOST_TEST(p[1].grad().item() == -4);  // below the limit all stays

    BOOST_TEST(optim::clip_gradients(p, 0.1) == 5.0);
    const double factor = 0.1 / (5 + 1e-6);
    BOOST_TEST(largest_difference(p[0].grad(), Tensor<D>({2}, {static_cast<T>(3 * factor), 0})) < 1e-8);
    BOOST_TEST(largest_difference(p[1].grad(), Tensor<D>({1, 1}, {static_cast<T>(-4 * factor)})) < 1e-8);
}

BOOST_AUTO_TEST_CASE(clip_keeps_a_margin_to_the_limit) {
    using D = Cpu<double>;
    const Var<D> p = with_gradient(zeros<D>({1}), Tensor<D>({1}, {1e-7}));
    optim::clip_gradients<D>({p}, 1e-7);  // factor 1e-7 / (1e-7 + 1e-6), as PyTorch has it
    BOOST_TEST(p.grad().item() == 1e-7 / 11, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(clip_scales_a_gradient_that_two_parameters_share_once) {
    using D = Cpu<double>;
    const Var<D> a = parameter(zeros<D>({2})), b = parameter(zeros<D>({2}));
    const Var<D> sum = a + b;
    sum.backward(Tensor<D>({2}, {3.0, 4.0}));
    const double norm = optim::clip_gradients<D>({a, b}, 1);
    BOOST_TEST(norm == std::sqrt(50.0), boost::test_tools::tolerance(1e-12));
    const Tensor<D> expected({2}, {3 / (norm + 1e-6), 4 / (norm + 1e-6)});
    BOOST_TEST(largest_difference(a.grad(), expected) < 1e-12);
    BOOST_TEST(largest_difference(b.grad(), expected) < 1e-12);
}

BOOST_AUTO_TEST_CASE(sgd) {
    using D = Cpu<double>;
    const Var<D> p = with_gradient(Tensor<D>({2}, {1.0, 2.0}), Tensor<D>({2}, {10.0, -1.0}));
    optim::Sgd<D> optimizer({p}, 0.1);
    optimizer.step();
    BOOST_TEST(largest_difference(p.value(), Tensor<D>({2}, {0.0, 2.1})) < 1e-15);
    BOOST_TEST(!p.has_grad());
}
