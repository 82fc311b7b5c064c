// SPDX-License-Identifier: Apache-2.0
// Memory of the GPU: a heap of slabs for what the compute stream works on, and blocks apart from it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cuda/runtime.hpp"
#include "dinomaly/backend/slab_heap.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Memory of the GPU. A freed block may be handed out again while kernels still use it: those that come next wait for
/// them, as all that touches such a block goes through the compute stream.
struct DeviceMemory {
    static constexpr std::size_t alignment = 512;

    static void* take(std::size_t bytes) {
        const cuda::MayAllocate while_recording;
        void* block = nullptr;
        const cudaError_t status = cudaMalloc(&block, bytes);
        if (status == cudaErrorMemoryAllocation) {
            static_cast<void>(cudaGetLastError());  // the next call would report it again
            return nullptr;
        }
        cuda::expect_success(status, "cudaMalloc");
        return block;
    }
    /// At the end of a program the driver may be gone before the last block; that is no error.
    static void give(void* block) {
        const cuda::MayAllocate while_recording;
        static_cast<void>(cudaFree(block));
    }
    [[noreturn]] static void refuse(std::size_t bytes) {
        std::size_t free = 0, total = 0;
        cuda::expect_success(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
        fail("cuda", "out of memory: ", bytes >> 20, " MB asked for, ", free >> 20, " of ", total >> 20,
             " MB are free");
    }
};

using DeviceHeap = SlabHeap<DeviceMemory>;

namespace cuda {

/// Memory on the GPU for `count` elements that lasts as long as the handle; not initialised.
template <class T> std::shared_ptr<T> scratch(std::int64_t count) {
    return std::static_pointer_cast<T>(DeviceHeap::allocate(static_cast<std::size_t>(count) * sizeof(T)));
}

/// Bytes of memory_apart() that somebody has.
inline std::atomic<std::size_t> bytes_apart = 0;

/// Memory for what another stream than the compute stream touches: nobody had it before, nor has it afterwards. The
/// heap does not count it as its own, which could become something else.
inline std::shared_ptr<void> memory_apart(std::size_t bytes) {
    void* block = DeviceMemory::take(bytes);
    if (block == nullptr) {
        DeviceHeap::trim();
        block = DeviceMemory::take(bytes);
    }
    if (block == nullptr) DeviceMemory::refuse(bytes);
    bytes_apart += bytes;
    return {block, [bytes](void* place) {
                DeviceMemory::give(place);
                bytes_apart -= bytes;
            }};
}

}  // namespace cuda

}  // namespace dinomaly::inline DINOMALY_ABI::backend
