// SPDX-License-Identifier: Apache-2.0
// Cuda<T>: memory of the current GPU from a heap of slabs, and copies in the order of the compute stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cuda/memory.hpp"
#include "dinomaly/backend/cuda/runtime.hpp"
#include "dinomaly/backend/cuda/staging.hpp"
#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/concepts.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

template <class T> __global__ void fill_kernel(std::int64_t count, T* target, T value) {
    const std::int64_t i = thread_index();
    if (i < count) target[i] = value;
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda

namespace dinomaly::inline DINOMALY_ABI {

/// The current GPU with elements of type T: float or bfloat16.
template <class T> struct Cuda {
    using value_type = T;
    using compute_type = float;
    using full = Cuda<float>;

    static std::shared_ptr<void> allocate(std::size_t bytes) { return backend::DeviceHeap::allocate(bytes); }
    static void zero(void* target, std::size_t bytes) {
        if (bytes != 0)
            backend::cuda::expect_success(cudaMemsetAsync(target, 0, bytes, backend::cuda::stream()),
                                          "cudaMemsetAsync");
    }
    static void fill(T* target, std::size_t count, T value) {
        constexpr int threads = 256;
        const auto n = static_cast<std::int64_t>(count);
        if (n != 0)
            backend::cuda::launch({backend::cuda::blocks_for(n, threads), threads}, backend::cuda::fill_kernel<T>, n,
                                  target, value);
    }
    /// The source may change as soon as this returns. Throws Error while work is recorded, as a replay would read the
    /// source again.
    static void upload(void* target, const void* source, std::size_t bytes) {
        check(!backend::cuda::is_recording(), "cuda", bytes, " bytes from the host in work that is being recorded",
              ": a Cell that is set before, or Replay::feed, expected");
        if (bytes >= backend::cuda::Staging::least)
            backend::cuda::Staging::instance().upload(target, source, bytes);
        else
            transfer(target, source, bytes, cudaMemcpyHostToDevice);
    }
    /// Waits for all work before, so that the target holds its results.
    static void download(void* target, const void* source, std::size_t bytes) {
        transfer(target, source, bytes, cudaMemcpyDeviceToHost);
        backend::cuda::synchronize();
    }
    static void copy(void* target, const void* source, std::size_t bytes) {
        transfer(target, source, bytes, cudaMemcpyDeviceToDevice);
    }

private:
    static void transfer(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
        if (bytes != 0)
            backend::cuda::expect_success(cudaMemcpyAsync(target, source, bytes, kind, backend::cuda::stream()),
                                          "cudaMemcpyAsync");
    }
};

namespace backend {

/// Whether the GPU has room for so many bytes and for a training beside.
template <class T> bool has_own_room(Cuda<T>, std::size_t bytes) {
    std::size_t free = 0, total = 0;
    cuda::expect_success(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return bytes < free / 10 * 7;
}

}  // namespace backend

}  // namespace dinomaly::inline DINOMALY_ABI
