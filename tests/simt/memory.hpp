// SPDX-License-Identifier: Apache-2.0
// Device and pinned memory: host memory of exactly the size asked for, so that the address sanitizer finds overruns.
// New memory holds NaN. Copies name their direction, and the device's side of one must lie in one allocation.
//
// A copy between device and pinned memory is made when its stream comes to it. From ordinary memory the bytes are taken
// at the call, and to ordinary memory the call waits for the copy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "options.hpp"
#include "status.hpp"
#include "stream.hpp"

enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4,
};

namespace simt::detail {

/// Memory of one kind, as far as it was given out.
class Memory {
public:
    /// Null when more than `most` bytes would be in use.
    void* allocate(std::size_t bytes, std::size_t most) {
        const std::lock_guard lock(mutex_);
        if (bytes > most - std::min(used_, most)) return nullptr;
        void* const place = ::operator new(bytes, alignment, std::nothrow);
        if (!place) return nullptr;
        if (options().runs) std::memset(place, poison, bytes);
        sizes_.emplace(static_cast<std::byte*>(place), bytes);
        used_ += bytes;
        return place;
    }

    /// False for an address that is not the begin of an allocation.
    bool release(void* place) {
        const std::lock_guard lock(mutex_);
        const auto found = sizes_.find(static_cast<std::byte*>(place));
        if (found == sizes_.end()) return false;
        used_ -= found->second;
        sizes_.erase(found);
        ::operator delete(place, alignment);
        return true;
    }

    bool holds(const void* place, std::size_t bytes) const {
        const std::lock_guard lock(mutex_);
        const auto* begin = static_cast<const std::byte*>(place);
        auto next = sizes_.upper_bound(begin);
        if (next == sizes_.begin()) return false;
        const auto& [start, size] = *std::prev(next);
        return begin + bytes <= start + size;
    }

    std::size_t used() const {
        const std::lock_guard lock(mutex_);
        return used_;
    }

private:
    static constexpr std::align_val_t alignment{256};

    mutable std::mutex mutex_;
    std::map<const std::byte*, std::size_t> sizes_;
    std::size_t used_ = 0;
};

// Both outlive what is freed as the program ends.
struct DeviceMemory : Memory {
    static DeviceMemory& instance() {
        static DeviceMemory& memory = *new DeviceMemory;
        return memory;
    }
};
struct PinnedMemory : Memory {
    static PinnedMemory& instance() {
        static PinnedMemory& memory = *new PinnedMemory;
        return memory;
    }
};

inline bool may_copy(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    const DeviceMemory& device = DeviceMemory::instance();
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (bytes == 0 || kind == cudaMemcpyDefault) return true;
    return device.holds(to, bytes) == to_device && device.holds(from, bytes) == from_device;
}

inline bool is_ordinary(const void* place, std::size_t bytes) {
    return !DeviceMemory::instance().holds(place, bytes) && !PinnedMemory::instance().holds(place, bytes);
}

inline cudaError_t allocate(Memory& memory, void** place, std::size_t bytes, std::size_t most) {
    *place = nullptr;
    if (const cudaError_t refused = refuse_memory_call(); refused != cudaSuccess) return done(refused);
    if (bytes == 0) return cudaSuccess;
    *place = memory.allocate(bytes, most);
    return done(*place ? cudaSuccess : cudaErrorMemoryAllocation);
}

/// Waits for all work, as it may use the memory.
inline cudaError_t release(Memory& memory, void* place) {
    if (const cudaError_t refused = refuse_memory_call(); refused != cudaSuccess) return done(refused);
    if (!place) return cudaSuccess;
    Queue::finish_all();
    return done(memory.release(place) ? cudaSuccess : cudaErrorInvalidValue);
}

}  // namespace simt::detail

inline cudaError_t cudaMalloc(void** place, std::size_t bytes) {
    return simt::detail::allocate(simt::detail::DeviceMemory::instance(), place, bytes, simt::options().device_bytes);
}
template <class T> cudaError_t cudaMalloc(T** place, std::size_t bytes) {
    void* raw = nullptr;
    const cudaError_t status = cudaMalloc(&raw, bytes);
    *place = static_cast<T*>(raw);
    return status;
}
inline cudaError_t cudaFree(void* place) {
    return simt::detail::release(simt::detail::DeviceMemory::instance(), place);
}

inline cudaError_t cudaMallocHost(void** place, std::size_t bytes) {
    return simt::detail::allocate(simt::detail::PinnedMemory::instance(), place, bytes,
                                  std::numeric_limits<std::size_t>::max());
}
template <class T> cudaError_t cudaMallocHost(T** place, std::size_t bytes) {
    void* raw = nullptr;
    const cudaError_t status = cudaMallocHost(&raw, bytes);
    *place = static_cast<T*>(raw);
    return status;
}
inline cudaError_t cudaFreeHost(void* place) {
    return simt::detail::release(simt::detail::PinnedMemory::instance(), place);
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t stream = nullptr) {
    if (!simt::detail::may_copy(to, from, bytes, kind)) return simt::detail::done(cudaErrorInvalidValue);
    if (bytes == 0) return cudaSuccess;
    const bool is_captured = stream && stream->capture;  // then each launch of the graph reads the source anew
    std::function<void()> copy = [=] { std::memmove(to, from, bytes); };
    if (!is_captured && simt::detail::is_ordinary(from, bytes)) {
        const auto* begin = static_cast<const std::byte*>(from);
        copy = [to, taken = std::vector<std::byte>(begin, begin + bytes)] {
            std::memcpy(to, taken.data(), taken.size());
        };
    }
    const cudaError_t status = simt::submit(stream, std::move(copy));
    if (!is_captured && simt::detail::is_ordinary(to, bytes)) simt::detail::queue(stream).finish();
    return status;
}
inline cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t stream = nullptr) {
    if (bytes > 0 && !simt::detail::DeviceMemory::instance().holds(to, bytes))
        return simt::detail::done(cudaErrorInvalidValue);
    return simt::submit(stream, [=] {
        if (bytes > 0 && simt::options().runs) std::memset(to, byte, bytes);
    });
}
/// Waits for the default stream, and so for no other.
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    cudaError_t status = simt::detail::refuse_in_capture(simt::detail::captured);
    if (status == cudaSuccess) status = cudaMemcpyAsync(to, from, bytes, kind);
    if (status == cudaSuccess) simt::detail::queue(nullptr).finish();
    return simt::detail::done(status);
}
inline cudaError_t cudaMemset(void* to, int byte, std::size_t bytes) {
    cudaError_t status = simt::detail::refuse_in_capture(simt::detail::captured);
    if (status == cudaSuccess) status = cudaMemsetAsync(to, byte, bytes);
    if (status == cudaSuccess) simt::detail::queue(nullptr).finish();
    return simt::detail::done(status);
}

inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *total = simt::options().device_bytes;
    *free = *total - std::min(simt::detail::DeviceMemory::instance().used(), *total);
    return cudaSuccess;
}
