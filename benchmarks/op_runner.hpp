// SPDX-License-Identifier: Apache-2.0
// One case of benchmark_ops: a formula on drawn inputs, verified against the same formula in double and then timed.
//
// Forward runs as in the frozen encoder, without a graph. Backward times the sweep alone, from a given gradient of the
// result to those inputs that want one. The least of several runs counts.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/philox.hpp"
#include "dinomaly/tensor.hpp"
#include "tests/close.hpp"

namespace dinomaly::benchmark {

struct Input {
    Shape shape;
    double deviation = 1;
    bool wants_grad = false;

    Input with_grad() const { return {shape, deviation, true}; }
};

/// What a formula gets: activations, stored in the device's type, and parameters, in full precision.
struct Inputs {
    std::vector<Input> activations, parameters;
};

/// What a case does at least: arithmetic operations, and activations and parameters read and written.
struct Cost {
    double operations, elements, parameters = 0;
};

/// A result in the table.
struct Timing {
    std::string name;
    double seconds, operations, bytes;
};

/// The inputs' values.
template <Device D> struct Values {
    std::vector<Tensor<D>> x;
    std::vector<Tensor<Full<D>>> w;
};

/// The same as formulas take them: in.x are activations, in.w parameters.
template <Device D> struct Variables {
    std::vector<Var<D>> x;
    std::vector<Var<Full<D>>> w;

    Variables(const Inputs& inputs, const Values<D>& values)
        : x(variables(inputs.activations, values.x)), w(variables(inputs.parameters, values.w)) {}

    void clear_gradients() {
        for (auto& one : x) one.clear_grad();
        for (auto& one : w) one.clear_grad();
    }

private:
    template <Device E>
    static std::vector<Var<E>> variables(const std::vector<Input>& inputs, const std::vector<Tensor<E>>& values) {
        std::vector<Var<E>> all;
        for (std::size_t i = 0; i < values.size(); ++i)
            all.push_back(inputs[i].wants_grad ? parameter(values[i]) : Var<E>(values[i]));
        return all;
    }
};

/// Values of the deviation asked for, uniform, drawn on all threads; as D rounds them, so that double gets the same.
template <Device D> Tensor<D> draw(const Input& input, std::uint64_t stream) {
    using T = typename D::value_type;
    std::vector<T> values(static_cast<std::size_t>(input.shape.count()));
    const Philox random{1, stream};
    const float width = static_cast<float>(std::sqrt(12.0) * input.deviation);
    backend::parallel_ranges(input.shape.count(), 1 << 14, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i)
            values[static_cast<std::size_t>(i)] =
                static_cast<T>(width * (random.uniform(static_cast<std::uint64_t>(i)) - 0.5F));
    });
    return {input.shape, values};
}

template <Device D> Values<D> draw_all(const Inputs& inputs) {
    Values<D> values;
    std::uint64_t stream = 0;
    for (const Input& input : inputs.activations) values.x.push_back(draw<D>(input, stream++));
    for (const Input& input : inputs.parameters) values.w.push_back(draw<Full<D>>(input, stream++));
    return values;
}

template <Device D> Tensor<Cpu<double>> in_double(const Tensor<D>& x) {
    const auto values = x.to_vector();
    return {x.shape(), std::vector<double>(values.begin(), values.end())};
}

template <Device D> Values<Cpu<double>> in_double(const Values<D>& values) {
    Values<Cpu<double>> exact;
    for (const auto& x : values.x) exact.x.push_back(in_double(x));
    for (const auto& w : values.w) exact.w.push_back(in_double(w));
    return exact;
}

/// The result of the formula or, with dy, the gradients that it leads to.
template <Device D, class Formula>
std::vector<Tensor<Cpu<double>>> results(const Formula& formula, const Variables<D>& in, const Tensor<D>* dy) {
    if (dy == nullptr) {
        const NoGrad forward;
        return {in_double(formula(in).value())};
    }
    formula(in).backward(*dy);
    std::vector<Tensor<Cpu<double>>> gradients;
    for (const auto& x : in.x)
        if (x.wants_grad()) gradients.push_back(in_double(x.grad()));
    for (const auto& w : in.w)
        if (w.wants_grad()) gradients.push_back(in_double(w.grad()));
    return gradients;
}

/// Of the largest value; sums are over as many as 12,624 rows.
template <Device D> inline constexpr double tolerance = std::is_same_v<D, Full<D>> ? 1e-4 : 2e-2;

/// Throws unless nothing is wrong with the case.
inline void require(const std::string& name, const std::string& mismatch) {
    check(mismatch.empty(), name.c_str(), "wrong, and so not timed: ", mismatch);
}

/// Holds what the formula gives on D, or the gradients that dy leads to, against the same in double.
template <Device D, class Formula>
void verify(const std::string& name, const Inputs& inputs, const Values<D>& values, const Formula& formula,
            const Tensor<D>* dy) {
    using Exact = Cpu<double>;
    const Tensor<Exact> exact_dy = dy == nullptr ? Tensor<Exact>() : in_double(*dy);
    const auto wanted = results<Exact>(formula, {inputs, in_double(values)}, dy == nullptr ? nullptr : &exact_dy);
    const auto found = results<D>(formula, {inputs, values}, dy);
    for (std::size_t i = 0; i < wanted.size(); ++i) require(name, test::mismatch(found[i], wanted[i], tolerance<D>));
}

template <class Body> double seconds(const Body& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Runs the cases whose name has `filter` in it.
template <Device D> class Runner {
public:
    /// `report` is told every result at once.
    Runner(std::string filter, int repeat, std::function<void(const Timing&)> report)
        : filter_(std::move(filter)), repeat_(repeat), report_(std::move(report)) {}

    template <class Formula>
    void forward(const std::string& name, Cost cost, const Inputs& inputs, const Formula& formula) {
        if (!is_wanted(name)) return;
        const Values<D> values = draw_all<D>(inputs);
        verify(name, inputs, values, formula, static_cast<const Tensor<D>*>(nullptr));
        const Variables<D> in(inputs, values);
        const NoGrad no_graph;
        double best = std::numeric_limits<double>::infinity();
        for (int run = 0; run < repeat_; ++run) best = std::min(best, seconds([&] { (void)formula(in); }));
        report(name, cost, best);
    }

    template <class Formula>
    void backward(const std::string& name, Cost cost, const Inputs& inputs, const Formula& formula) {
        if (!is_wanted(name)) return;
        const Values<D> values = draw_all<D>(inputs);
        Variables<D> in(inputs, values);
        const Tensor<D> dy = draw<D>({formula(in).shape()}, inputs.activations.size() + inputs.parameters.size());
        verify(name, inputs, values, formula, &dy);
        double best = std::numeric_limits<double>::infinity();
        for (int run = 0; run < repeat_; ++run) {
            const Var<D> y = formula(in);
            best = std::min(best, seconds([&] { y.backward(dy); }));
            in.clear_gradients();
        }
        report(name, cost, best);
    }

    /// A case of another kind: `check` returns what is wrong, or nothing, before `body` is timed.
    template <class Check, class Body>
    void other(const std::string& name, Cost cost, const Check& check_result, const Body& body) {
        if (!is_wanted(name)) return;
        require(name, check_result());
        body();
        double best = std::numeric_limits<double>::infinity();
        for (int run = 0; run < repeat_; ++run) best = std::min(best, seconds(body));
        report(name, cost, best);
    }

    bool is_wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }

private:
    void report(const std::string& name, Cost cost, double best) const {
        report_({name, best, cost.operations,
                 cost.elements * sizeof(typename D::value_type) + cost.parameters * sizeof(typename D::compute_type)});
    }

    std::string filter_;
    int repeat_;
    std::function<void(const Timing&)> report_;
};

}  // namespace dinomaly::benchmark
