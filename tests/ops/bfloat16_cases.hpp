// SPDX-License-Identifier: Apache-2.0
// Ops on a device of bfloat16 against Cpu<double>: values and gradients within the rounding of bfloat16, parameters and
// their gradients in float. Each formula is run on both devices from the same inputs.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "dinomaly/nn.hpp"
#include "dinomaly/tensor.hpp"
#include "tests/cases.hpp"
#include "tests/model/small.hpp"

namespace dinomaly::test {

/// Activations and parameters as one device has them, the same numbers on both.
template <Device D> struct Inputs {
    std::vector<Var<D>> x;
    std::vector<Param<D>> w;

    Inputs(const std::vector<Shape>& activations, const std::vector<Shape>& parameters) {
        Generator random(1);
        const auto draw_values = [&](const Shape& shape) {
            std::vector<float> values(static_cast<std::size_t>(shape.count()));
            for (float& value : values) value = bfloat16(static_cast<float>(random.normal()));
            return values;
        };
        for (const Shape& shape : activations) {
            const auto values = draw_values(shape);
            std::vector<typename D::value_type> stored;
            for (const float value : values) stored.push_back(static_cast<typename D::value_type>(value));
            x.push_back(parameter(Tensor<D>(shape, stored)));
        }
        for (const Shape& shape : parameters) {
            const auto values = draw_values(shape);
            w.push_back(
                parameter(Tensor<Full<D>>(shape, std::vector<typename D::compute_type>(values.begin(), values.end()))));
        }
    }
};

template <Device D> std::vector<double> doubles(const Tensor<D>& tensor) {
    std::vector<double> values;
    for (const auto value : tensor.to_vector()) values.push_back(static_cast<double>(static_cast<float>(value)));
    return values;
}

/// dy of a result, the same numbers on every device.
template <Device D> Tensor<D> arriving(const Shape& shape) {
    Generator random(2);
    std::vector<typename D::value_type> values(static_cast<std::size_t>(shape.count()));
    for (auto& value : values)
        value = static_cast<typename D::value_type>(bfloat16(static_cast<float>(random.normal())));
    return Tensor<D>(shape, values);
}

/// Runs the formula forward and backward on both devices.
template <Device Half, class F>
void compare(const char* name, const std::vector<Shape>& activations, const std::vector<Shape>& parameters,
             const F& formula, double tolerance = 0.015) {
    BOOST_TEST_CONTEXT(name) {
        const Inputs<Half> half(activations, parameters);
        const Inputs<Cpu<double>> exact(activations, parameters);
        const auto y = formula(half);
        const auto z = formula(exact);
        BOOST_TEST(relative_difference(doubles(y.value()), z.value().to_vector()) < tolerance);
        y.backward(arriving<typename decltype(y)::device>(y.shape()));
        z.backward(arriving<Cpu<double>>(z.shape()));
        for (std::size_t i = 0; i < activations.size(); ++i)
            BOOST_TEST(relative_difference(doubles(half.x[i].grad()), exact.x[i].grad().to_vector()) < tolerance,
                       "gradient of input " << i);
        for (std::size_t i = 0; i < parameters.size(); ++i)
            BOOST_TEST(relative_difference(doubles(half.w[i].grad()), exact.w[i].grad().to_vector()) < tolerance,
                       "gradient of parameter " << i);
    }
}

template <Device Half> void check_formulas_mix_bfloat16_and_parameters() {
    compare<Half>("x w + b", {{3, 40}}, {{40}, {3, 1}},
                  []<Device D>(const Inputs<D>& in) -> Var<D> { return tanh(in.x[0] * in.w[0]) + in.w[1]; });
    compare<Half>("a broadcast activation", {{3, 40}, {40}}, {{40}},
                  []<Device D>(const Inputs<D>& in) -> Var<D> { return in.x[0] * in.x[1] - in.w[0]; });
    compare<Half>("gelu and dropout", {{7, 50}}, {}, []<Device D>(const Inputs<D>& in) -> Var<D> {
        return dropout(gelu(in.x[0]), 0.3, Philox{1, 2});
    });
    compare<Half>("x + x", {{4, 33}}, {}, []<Device D>(const Inputs<D>& in) -> Var<D> { return in.x[0] + in.x[0]; });
}

template <Device Half> void check_products_with_what_stands_around_them() {
    compare<Half>("linear", {{2, 31, 70}}, {{45, 70}, {45}},
                  []<Device D>(const Inputs<D>& in) -> Var<D> { return linear(in.x[0], in.w[0], in.w[1]); });
    compare<Half>("gelu(linear)", {{61, 70}}, {{45, 70}, {45}}, []<Device D>(const Inputs<D>& in) -> Var<D> {
        return gelu(0.1 * linear(in.x[0], in.w[0], in.w[1]));
    });
    compare<Half>("x + linear(gelu) gamma", {{61, 45}, {61, 70}}, {{45, 70}, {45}, {45}},
                  []<Device D>(const Inputs<D>& in) -> Var<D> {
                      return in.x[0] + linear(gelu(in.x[1]), in.w[0], in.w[1]) * in.w[2];
                  });
}

template <Device Half> void check_structured_ops() {
    compare<Half>("layer_norm", {{5, 9, 48}}, {{48}, {48}},
                  []<Device D>(const Inputs<D>& in) { return layer_norm(in.x[0], in.w[0], in.w[1], 1e-6); });
    compare<Half>("average", {{5, 9, 48}, {5, 9, 48}, {5, 9, 48}}, {},
                  []<Device D>(const Inputs<D>& in) { return average(in.x); });
    compare<Half>("attention", {{2, 21, 3 * 32}}, {},
                  []<Device D>(const Inputs<D>& in) { return attention(in.x[0], 2); });
    compare<Half>("attention over two stretches of keys", {{1, 601, 3 * 8}}, {},
                  []<Device D>(const Inputs<D>& in) { return attention(in.x[0], 1); });
    compare<Half>("attention with a bias", {{2, 21, 3 * 32}}, {{2, 21, 21}},
                  []<Device D>(const Inputs<D>& in) { return attention(in.x[0], 2, in.w[0]); });
    compare<Half>("rotary", {{2, 21, 3 * 32}}, {}, []<Device D>(const Inputs<D>& in) {
        const Rotation<Full<D>> turn{full<Full<D>>({20, 8}, 0.6), full<Full<D>>({20, 8}, 0.8)};
        return rotary(in.x[0], turn, 2);
    });
    compare<Half>("linear_attention", {{2, 21, 3 * 32}}, {},
                  []<Device D>(const Inputs<D>& in) { return linear_attention(in.x[0], 2, 1e-6); });
    compare<Half>("slice, permute, concat", {{2, 6, 5}, {2, 3, 5}}, {}, []<Device D>(const Inputs<D>& in) {
        return permute(concat({slice(in.x[0], 1, 1, 3), in.x[1]}, 1), {2, 0, 1});
    });
}

template <Device Half> void check_sums_and_losses_are_in_full_precision() {
    compare<Half>(
        "sum", {{30, 40}}, {}, []<Device D>(const Inputs<D>& in) { return sum(in.x[0], {0}); }, 1e-2);
    compare<Half>(
        "cosine", {{6, 40}, {6, 40}}, {},
        []<Device D>(const Inputs<D>& in) { return cosine_similarity(in.x[0], in.x[1]); }, 1e-2);
    compare<Half>(
        "full", {{6, 40}}, {}, []<Device D>(const Inputs<D>& in) { return full(in.x[0] * 3 + 1); }, 1e-2);
    const Inputs<Half> in({{6, 40}}, {});
    static_assert(std::same_as<decltype(mean(in.x[0])), Var<Full<Half>>>);
    static_assert(std::same_as<decltype(softmax(in.x[0])), Var<Full<Half>>>);
    BOOST_TEST(mean(in.x[0]).item() == mean(full(in.x[0])).item());
}

}  // namespace dinomaly::test
