// SPDX-License-Identifier: Apache-2.0
// Replay on a GPU: a sequence of kernels that runs again and again is recorded as a CUDA graph and launched as one.
//
// The first runs are ordinary: kernels are loaded, products choose their algorithms, the peak of memory is seen. The
// next is recorded, and from then on the graph runs in place of the host code. Its kernels read the same memory each
// time, so inputs are copied into fixed tensors (feed) and numbers that change stand in cells (core/cell.hpp). Blocks
// that were allocated and freed while recording stay with the graph.
#pragma once

#include <memory>
#include <optional>

#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/core/tensor.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// Work of the stream, recorded once.
class Graph {
public:
    /// Records what body() hands to the stream, without running it; `bytes` of memory are what it will need. Throws
    /// Error when it waits for the stream.
    template <class Body> Graph(const Body& body, std::size_t bytes) : region_(DeviceHeap::region(bytes)) {
        expect_success(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
        cudaGraph_t recorded = nullptr;
        DeviceHeap::enter(region_);
        try {
            body();
        } catch (...) {
            static_cast<void>(cudaStreamEndCapture(stream(), &recorded));
            if (recorded != nullptr) static_cast<void>(cudaGraphDestroy(recorded));
            DeviceHeap::leave();
            throw;
        }
        DeviceHeap::leave();
        expect_success(cudaStreamEndCapture(stream(), &recorded), "cudaStreamEndCapture");
        const cudaError_t status = cudaGraphInstantiate(&runnable_, recorded, 0);
        static_cast<void>(cudaGraphDestroy(recorded));
        expect_success(status, "cudaGraphInstantiate");
    }
    /// Its kernels may still run: its blocks go back for work that comes after them.
    ~Graph() { static_cast<void>(cudaGraphExecDestroy(runnable_)); }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    void launch() const { expect_success(cudaGraphLaunch(runnable_, stream()), "cudaGraphLaunch"); }

private:
    DeviceHeap::Region region_;
    cudaGraphExec_t runnable_ = nullptr;
};

}  // namespace cuda

template <class D> class Replay;

template <class T> class Replay<Cuda<T>> {
public:
    /// Copies `input` into the tensor that the sequence reads, which stays the same while shapes do.
    template <Device Stored> void feed(Tensor<Stored>& held, const Tensor<Stored>& input) {
        if (!held.defined() || held.shape() != input.shape()) {
            held = Tensor<Stored>(input.shape());
            forget();
        }
        Stored::copy(held.data(), input.data(),
                     static_cast<std::size_t>(input.count()) * sizeof(typename Stored::value_type));
    }

    /// Nothing: what was recorded reads and writes that memory again.
    template <Device Stored> static void let_go(Tensor<Stored>&) {}

    /// Runs body(), or what was recorded of it.
    template <class Body> void run(const Body& body) {
        if (graph_ != nullptr) {
            graph_->launch();
        } else if (!DeviceHeap::keeps() || runs_++ < ordinary_runs) {
            const std::size_t before = DeviceHeap::statistics().in_use;
            DeviceHeap::restart_peak();
            body();
            bytes_ = DeviceHeap::statistics().peak - before;
            bytes_ += bytes_ / 64;  // blocks never fit without gaps
        } else {
            DeviceHeap::trim();  // the last run's memory
            graph_ = std::make_unique<cuda::Graph>(body, bytes_);
            graph_->launch();
        }
    }

    /// Records anew: memory that the sequence reads was replaced.
    void forget() {
        graph_.reset();
        runs_ = 0;
    }

private:
    static constexpr int ordinary_runs = 2;

    std::unique_ptr<cuda::Graph> graph_;
    int runs_ = 0;
    std::size_t bytes_ = 0;  // that the last run needed at its peak
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
