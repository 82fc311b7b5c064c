// SPDX-License-Identifier: Apache-2.0
// Staging: what goes to the GPU waits in pinned memory, so that the host goes on at once.
//
// The driver copies from ordinary memory piece by piece and makes the host wait for all work before. From pinned memory
// the GPU fetches by itself when the stream comes to it; meanwhile the host fills the next buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <mutex>

#include "dinomaly/backend/cuda/runtime.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

/// A ring of pinned buffers. Thread safe.
class Staging {
public:
    /// Shorter pieces the driver takes along with its commands.
    static constexpr std::size_t least = std::size_t{64} << 10;

    /// The process's, never destroyed: at the end of a program the driver may be gone first.
    static Staging& instance() {
        static Staging& staging = *new Staging;
        return staging;
    }

    /// Hands a copy to the GPU to the stream; the source may change as soon as this returns.
    void upload(void* target, const void* source, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        Buffer& buffer = buffers_[next_];
        next_ = (next_ + 1) % buffers_.size();
        make_ready(buffer, bytes);
        std::memcpy(buffer.memory, source, bytes);
        expect_success(cudaMemcpyAsync(target, buffer.memory, bytes, cudaMemcpyHostToDevice, stream()),
                       "cudaMemcpyAsync");
        expect_success(cudaEventRecord(buffer.fetched, stream()), "cudaEventRecord");
    }

private:
    struct Buffer {
        void* memory = nullptr;
        std::size_t bytes = 0;
        cudaEvent_t fetched = nullptr;
    };

    /// Waits until the GPU has fetched what is in the buffer, and makes room for so many bytes.
    static void make_ready(Buffer& buffer, std::size_t bytes) {
        if (buffer.fetched == nullptr)
            expect_success(cudaEventCreateWithFlags(&buffer.fetched, cudaEventDisableTiming),
                           "cudaEventCreateWithFlags");
        else
            expect_success(cudaEventSynchronize(buffer.fetched), "cudaEventSynchronize");
        if (buffer.bytes >= bytes) return;
        if (buffer.memory != nullptr) expect_success(cudaFreeHost(buffer.memory), "cudaFreeHost");
        buffer.memory = nullptr, buffer.bytes = 0;
        expect_success(cudaMallocHost(&buffer.memory, bytes), "cudaMallocHost");
        buffer.bytes = bytes;
    }

    std::mutex mutex_;
    std::array<Buffer, 3> buffers_;
    std::size_t next_ = 0;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
