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
    Input scaled(double factor) const { return {shape, deviation * factor, wants_grad}; }
};

/// What a case does at least: arithmetic operations, and elements read and written.
struct Cost {
    double operations, elements;
};

/// A result in the table.
struct Timing {
    std::string name;
    double seconds, operations, bytes;
};

/// Values of deviation about 1, uniform, drawn on all threads; as D rounds them, so that double gets the same ones.
template <Device D> Tensor<D> draw(const Input& input, std::uint64_t stream) {
    using T = typename D::value_type;
    Tensor<D> x(input.shape);
    const Philox random{1, stream};
    const float width = static_cast<float>(std::sqrt(12.0) * input.deviation);
    backend::parallel_ranges(x.count(), 1 << 14, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i)
            x.data()[i] = static_cast<T>(width * (random.uniform(static_cast<std::uint64_t>(i)) - 0.5F));
    });
    return x;
}

template <Device D> std::vector<Var<D>> as_inputs(const std::vector<Input>& inputs, const std::vector<Tensor<D>>& x) {
    std::vector<Var<D>> all;
    for (std::size_t i = 0; i < x.size(); ++i) all.push_back(inputs[i].wants_grad ? parameter(x[i]) : Var<D>(x[i]));
    return all;
}

inline Tensor<Cpu<double>> in_double(const auto& x) {
    const auto values = x.to_vector();
    return {x.shape(), std::vector<double>(values.begin(), values.end())};
}

/// The result of the formula or, with dy, the gradients that it leads to.
template <Device D, class Formula>
std::vector<Tensor<D>> results(const Formula& formula, const std::vector<Var<D>>& in, const Tensor<D>* dy) {
    if (dy == nullptr) {
        const NoGrad forward;
        return {formula(in).value()};
    }
    formula(in).backward(*dy);
    std::vector<Tensor<D>> gradients;
    for (const Var<D>& x : in)
        if (x.wants_grad()) gradients.push_back(x.grad());
    return gradients;
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
    void forward(const std::string& name, Cost cost, const std::vector<Input>& inputs, const Formula& formula) {
        if (!is_wanted(name)) return;
        const std::vector<Tensor<D>> x = drawn(inputs);
        verify(name, inputs, x, formula, nullptr);
        const std::vector<Var<D>> in = as_inputs(inputs, x);
        const NoGrad no_graph;
        double best = std::numeric_limits<double>::infinity();
        for (int run = 0; run < repeat_; ++run) best = std::min(best, seconds([&] { (void)formula(in); }));
        report(name, cost, best);
    }

    template <class Formula>
    void backward(const std::string& name, Cost cost, const std::vector<Input>& inputs, const Formula& formula) {
        if (!is_wanted(name)) return;
        const std::vector<Tensor<D>> x = drawn(inputs);
        std::vector<Var<D>> in = as_inputs(inputs, x);
        const Tensor<D> dy = draw<D>({formula(in).shape()}, inputs.size());
        verify(name, inputs, x, formula, &dy);
        double best = std::numeric_limits<double>::infinity();
        for (int run = 0; run < repeat_; ++run) {
            const Var<D> y = formula(in);
            best = std::min(best, seconds([&] { y.backward(dy); }));
            for (Var<D>& input : in) input.clear_grad();
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

    static constexpr double tolerance = 1e-4;  // of the largest value; sums are over as many as 12,624 rows

private:
    bool is_wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }

    static std::vector<Tensor<D>> drawn(const std::vector<Input>& inputs) {
        std::vector<Tensor<D>> x;
        for (std::size_t i = 0; i < inputs.size(); ++i) x.push_back(draw<D>(inputs[i], i));
        return x;
    }

    static void require(const std::string& name, const std::string& mismatch) {
        check(mismatch.empty(), name.c_str(), "wrong, and so not timed: ", mismatch);
    }

    template <class Formula>
    static void verify(const std::string& name, const std::vector<Input>& inputs, const std::vector<Tensor<D>>& x,
                       const Formula& formula, const Tensor<D>* dy) {
        using Exact = Cpu<double>;
        std::vector<Tensor<Exact>> exact;
        for (const Tensor<D>& one : x) exact.push_back(in_double(one));
        const Tensor<Exact> exact_dy = dy == nullptr ? Tensor<Exact>() : in_double(*dy);
        const auto wanted = results<Exact>(formula, as_inputs(inputs, exact), dy == nullptr ? nullptr : &exact_dy);
        const auto found = results<D>(formula, as_inputs(inputs, x), dy);
        for (std::size_t i = 0; i < wanted.size(); ++i) require(name, test::mismatch(found[i], wanted[i], tolerance));
    }

    void report(const std::string& name, Cost cost, double best) const {
        report_({name, best, cost.operations, cost.elements * sizeof(typename D::value_type)});
    }

    std::string filter_;
    int repeat_;
    std::function<void(const Timing&)> report_;
};

}  // namespace dinomaly::benchmark
