// SPDX-License-Identifier: Apache-2.0
// Device and pinned memory: host memory of exactly the size asked for, so that the address sanitizer finds overruns.
// New device memory holds NaN. Copies name their direction, and the device's side of one must lie in one allocation.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

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

/// What cudaMalloc gave out.
class DeviceMemory {
public:
    static DeviceMemory& instance() {
        static DeviceMemory& memory = *new DeviceMemory;  // outlives what is freed as the program ends
        return memory;
    }

    /// Null when the device is full.
    void* allocate(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (bytes > free_bytes()) return nullptr;
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

    std::size_t free_bytes() const { return options().device_bytes - std::min(used_, options().device_bytes); }

private:
    static constexpr std::align_val_t alignment{256};

    mutable std::mutex mutex_;
    std::map<const std::byte*, std::size_t> sizes_;
    std::size_t used_ = 0;
};

inline bool may_copy(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    const DeviceMemory& device = DeviceMemory::instance();
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (bytes == 0 || kind == cudaMemcpyDefault) return true;
    return device.holds(to, bytes) == to_device && device.holds(from, bytes) == from_device;
}

}  // namespace simt::detail

inline cudaError_t cudaMalloc(void** place, std::size_t bytes) {
    *place = nullptr;
    if (const cudaError_t refused = simt::detail::refuse_memory_call(); refused != cudaSuccess)
        return simt::detail::done(refused);
    if (bytes == 0) return cudaSuccess;
    *place = simt::detail::DeviceMemory::instance().allocate(bytes);
    return simt::detail::done(*place ? cudaSuccess : cudaErrorMemoryAllocation);
}
template <class T> cudaError_t cudaMalloc(T** place, std::size_t bytes) {
    void* raw = nullptr;
    const cudaError_t status = cudaMalloc(&raw, bytes);
    *place = static_cast<T*>(raw);
    return status;
}
inline cudaError_t cudaFree(void* place) {
    if (const cudaError_t refused = simt::detail::refuse_memory_call(); refused != cudaSuccess)
        return simt::detail::done(refused);
    if (!place || simt::detail::DeviceMemory::instance().release(place)) return cudaSuccess;
    return simt::detail::done(cudaErrorInvalidValue);
}

inline cudaError_t cudaMallocHost(void** place, std::size_t bytes) {
    if (const cudaError_t refused = simt::detail::refuse_memory_call(); refused != cudaSuccess)
        return simt::detail::done(refused);
    *place = ::operator new(bytes, std::nothrow);
    return simt::detail::done(*place ? cudaSuccess : cudaErrorMemoryAllocation);
}
template <class T> cudaError_t cudaMallocHost(T** place, std::size_t bytes) {
    void* raw = nullptr;
    const cudaError_t status = cudaMallocHost(&raw, bytes);
    *place = static_cast<T*>(raw);
    return status;
}
inline cudaError_t cudaFreeHost(void* place) {
    if (const cudaError_t refused = simt::detail::refuse_memory_call(); refused != cudaSuccess)
        return simt::detail::done(refused);
    ::operator delete(place);
    return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t stream = nullptr) {
    if (!simt::detail::may_copy(to, from, bytes, kind)) return simt::detail::done(cudaErrorInvalidValue);
    return simt::submit(stream, [=] {
        if (bytes > 0) std::memmove(to, from, bytes);
    });
}
inline cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t stream = nullptr) {
    if (bytes > 0 && !simt::detail::DeviceMemory::instance().holds(to, bytes))
        return simt::detail::done(cudaErrorInvalidValue);
    return simt::submit(stream, [=] {
        if (bytes > 0) std::memset(to, byte, bytes);
    });
}
inline cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (const cudaError_t refused = simt::detail::refuse_in_capture(simt::detail::captured); refused != cudaSuccess)
        return simt::detail::done(refused);
    return cudaMemcpyAsync(to, from, bytes, kind);
}
inline cudaError_t cudaMemset(void* to, int byte, std::size_t bytes) {
    if (const cudaError_t refused = simt::detail::refuse_in_capture(simt::detail::captured); refused != cudaSuccess)
        return simt::detail::done(refused);
    return cudaMemsetAsync(to, byte, bytes);
}

inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = simt::detail::DeviceMemory::instance().free_bytes();
    *total = simt::options().device_bytes;
    return cudaSuccess;
}
