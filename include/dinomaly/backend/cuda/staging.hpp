// SPDX-License-Identifier: Apache-2.0
// Staging: what goes to the GPU travels on a stream of its own, so that the pictures of the next batch arrive while the
// GPU computes this one.
//
// From ordinary memory the driver copies piece by piece and makes the host wait for all work before. So the host fills
// pinned memory, from which the GPU fetches by itself, and goes on. On the compute stream that copy would still stand
// behind the kernels handed out before, and those after it behind the copy. The stream of copies runs beside, but may
// not write to the target: blocks are recycled in the order of the compute stream, where kernels of the last owner may
// still be at work. So each buffer has memory on both sides, and three times somebody waits:
//
//   host      waits until the buffer's last content has arrived on the GPU, and fills the pinned half
//   copies    waits until the last content was taken from the GPU's half, and fetches the new one: "arrived"
//   compute   waits until that has arrived, and copies it to the target, at the speed of the GPU's memory: "taken"
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "dinomaly/backend/cuda/memory.hpp"
#include "dinomaly/backend/cuda/runtime.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

/// A ring of buffers. Thread safe.
class Staging {
public:
    /// Shorter pieces the driver takes along with its commands.
    static constexpr std::size_t least = std::size_t{64} << 10;
    /// Longer ones go in pieces of this size, which bounds what is pinned. A usual batch of pictures is no longer: in
    /// pieces it would fill the ring, and the host would wait for the compute stream to empty it.
    static constexpr std::size_t piece = std::size_t{32} << 20;
    static constexpr std::size_t buffers = 3;

    /// The process's, never destroyed: at the end of a program the driver may be gone first.
    static Staging& instance() {
        static Staging& staging = *new Staging;
        return staging;
    }

    /// Hands a copy to the GPU to the compute stream; the source may change as soon as this returns.
    void upload(void* target, const void* source, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        for (std::size_t done = 0; done < bytes; done += piece)
            pass_on(static_cast<std::byte*>(target) + done, static_cast<const std::byte*>(source) + done,
                    std::min(piece, bytes - done));
    }

private:
    struct Buffer {
        void* pinned = nullptr;
        std::shared_ptr<void> on_gpu;
        std::size_t bytes = 0;  // of each half
        cudaEvent_t arrived = nullptr, taken = nullptr;
    };

    Staging() : copies_(make_stream()) {
        for (Buffer& buffer : ring_)
            for (cudaEvent_t* event : {&buffer.arrived, &buffer.taken})
                expect_success(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    }

    void pass_on(void* target, const void* source, std::size_t bytes) {
        Buffer& buffer = ring_[next_];
        next_ = (next_ + 1) % buffers;
        expect_success(cudaEventSynchronize(buffer.arrived), "cudaEventSynchronize");
        make_room(buffer, bytes);
        std::memcpy(buffer.pinned, source, bytes);

        wait(copies_, buffer.taken);
        copy(buffer.on_gpu.get(), buffer.pinned, bytes, cudaMemcpyHostToDevice, copies_);
        record(buffer.arrived, copies_);

        wait(stream(), buffer.arrived);
        copy(target, buffer.on_gpu.get(), bytes, cudaMemcpyDeviceToDevice, stream());
        record(buffer.taken, stream());
    }

    /// Sizes double, as both giving back and pinning make everybody wait.
    static void make_room(Buffer& buffer, std::size_t bytes) {
        if (buffer.bytes >= bytes) return;
        buffer.bytes = 0;
        buffer.on_gpu.reset();
        expect_success(cudaFreeHost(std::exchange(buffer.pinned, nullptr)), "cudaFreeHost");
        const std::size_t size = std::bit_ceil(std::max(bytes, smallest_buffer));
        expect_success(cudaMallocHost(&buffer.pinned, size), "cudaMallocHost");
        buffer.on_gpu = memory_apart(size);
        buffer.bytes = size;
    }

    static void wait(cudaStream_t waiting, cudaEvent_t event) {
        expect_success(cudaStreamWaitEvent(waiting, event, 0), "cudaStreamWaitEvent");
    }
    static void record(cudaEvent_t event, cudaStream_t after) {
        expect_success(cudaEventRecord(event, after), "cudaEventRecord");
    }
    static void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t on) {
        expect_success(cudaMemcpyAsync(to, from, bytes, kind, on), "cudaMemcpyAsync");
    }

    static constexpr std::size_t smallest_buffer = std::size_t{1} << 20;

    std::mutex mutex_;
    cudaStream_t copies_;
    std::array<Buffer, buffers> ring_;
    std::size_t next_ = 0;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
