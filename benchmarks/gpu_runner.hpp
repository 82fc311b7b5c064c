// SPDX-License-Identifier: Apache-2.0
// One case of benchmark_cuda: verified as those of benchmark_ops are (op_runner.hpp), then timed on the GPU.
//
// Calls go round sets of buffers that together are several times the second cache, so that none finds its operands
// there. A round of calls is recorded as a CUDA graph, which leaves out what the host does between kernels, and CUDA
// events tell its time; the least of several counts.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/op_runner.hpp"
#include "dinomaly/backend/cuda/blas.hpp"
#include "dinomaly/backend/cuda/replay.hpp"

namespace dinomaly::benchmark {

/// How long and over how much memory cases are timed.
struct Rounds {
    int repeat = 5;
    double least_milliseconds = 10;  // of what is timed at once
    std::int64_t bytes = 0;          // that the sets of buffers have together

    /// Sets of buffers of which each call touches `bytes_a_call`.
    std::size_t sets(double bytes_a_call) const {
        return static_cast<std::size_t>(std::clamp(static_cast<double>(bytes) / bytes_a_call + 1, 2.0, 64.0));
    }

    /// Seconds of one call on the GPU: body(i) is called for each set i. Before each of the three times that this
    /// happens, the last of them recorded, prepare() makes ready what it needs.
    template <class Prepare, class Body>
    double seconds(std::size_t sets, const Prepare& prepare, const Body& body) const {
        const auto all = [&] {
            for (std::size_t i = 0; i < sets; ++i) body(i);
        };
        for (int i = 0; i < 2; ++i) prepare(), all();  // products choose their algorithms
        prepare();
        const backend::cuda::Graph graph(all, 0);  // memory as it is asked for
        backend::cuda::detail::StreamTimer timer;
        const auto milliseconds = [&](int launches) {
            timer.start();
            for (int i = 0; i < launches; ++i) graph.launch();
            return static_cast<double>(timer.stop()) / launches;
        };
        graph.launch();
        const int launches = static_cast<int>(std::clamp(least_milliseconds / milliseconds(1), 1.0, 1000.0));
        double least = std::numeric_limits<double>::infinity();
        for (int i = 0; i < repeat; ++i) least = std::min(least, milliseconds(launches));
        return least / 1e3 / static_cast<double>(sets);
    }
    template <class Body> double seconds(std::size_t sets, const Body& body) const {
        return seconds(
            sets, [] {}, body);
    }
};

/// A result in the table. The best of cuBLASLt's heuristics alone takes `best_seconds`; 0 for what is no product.
struct GpuTiming : Timing {
    double best_seconds = 0;
};

/// Runs the cases whose name has `filter` in it.
template <class D> class GpuRunner {
public:
    /// `report` is told every result at once.
    GpuRunner(std::string filter, Rounds rounds, std::function<void(const GpuTiming&)> report)
        : rounds_(rounds), filter_(std::move(filter)), report_(std::move(report)) {}

    bool is_wanted(const std::string& name) const { return name.find(filter_) != std::string::npos; }
    const Rounds& rounds() const { return rounds_; }

    template <class Formula>
    void forward(const std::string& name, Cost cost, const Inputs& inputs, const Formula& formula) {
        if (!is_wanted(name)) return;
        const Values<D> values = draw_all<D>(inputs);
        verify(name, inputs, values, formula, static_cast<const Tensor<D>*>(nullptr));
        const std::vector<Variables<D>> in = copies(inputs, values, cost);
        std::vector<Var<D>> y(in.size());
        const NoGrad no_graph;
        report(name, cost, rounds_.seconds(in.size(), [&](std::size_t i) { y[i] = formula(in[i]); }));
    }

    /// Times the sweep alone, from a given gradient of the result to those inputs that want one.
    template <class Formula>
    void backward(const std::string& name, Cost cost, const Inputs& inputs, const Formula& formula) {
        if (!is_wanted(name)) return;
        const Values<D> values = draw_all<D>(inputs);
        std::vector<Variables<D>> in = copies(inputs, values, cost);
        std::vector<Var<D>> y(in.size());
        const Tensor<D> one = draw<D>({formula(in[0]).shape()}, inputs.activations.size() + inputs.parameters.size());
        verify(name, inputs, values, formula, &one);
        std::vector<Tensor<D>> dy;
        for (std::size_t i = 0; i < in.size(); ++i) dy.push_back(clone(one));
        const auto run_forward = [&] {
            for (std::size_t i = 0; i < in.size(); ++i) in[i].clear_gradients(), y[i] = formula(in[i]);
        };
        report(name, cost, rounds_.seconds(in.size(), run_forward, [&](std::size_t i) { y[i].backward(dy[i]); }));
    }

    void report(const std::string& name, Cost cost, double seconds, double best_seconds = 0) const {
        report_({{name, seconds, cost.operations, bytes(cost)}, best_seconds});
    }

    static double bytes(Cost cost) {
        return cost.elements * sizeof(typename D::value_type) + cost.parameters * sizeof(float);
    }

private:
    std::vector<Variables<D>> copies(const Inputs& inputs, const Values<D>& values, Cost cost) const {
        std::vector<Variables<D>> all;
        for (std::size_t i = 0; i < rounds_.sets(bytes(cost)); ++i) {
            Values<D> copy;
            for (const Tensor<D>& x : values.x) copy.x.push_back(clone(x));
            for (const auto& w : values.w) copy.w.push_back(clone(w));
            all.emplace_back(inputs, copy);
        }
        return all;
    }

    Rounds rounds_;
    std::string filter_;
    std::function<void(const GpuTiming&)> report_;
};

}  // namespace dinomaly::benchmark
