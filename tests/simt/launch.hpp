// SPDX-License-Identifier: Apache-2.0
// Kernel launches, under the limits of the hardware. A launch runs its blocks one after the other: in order under the
// greedy schedule and backwards under the other, so that no block can rely on one before it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <tuple>
#include <type_traits>
#include <utility>

#include "block.hpp"
#include "device.hpp"
#include "language.hpp"
#include "options.hpp"
#include "status.hpp"
#include "stream.hpp"

struct cudaLaunchAttribute;
struct cudaLaunchConfig_t {
    dim3 gridDim;
    dim3 blockDim;
    std::size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute* attrs;
    unsigned numAttrs;
};

enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9,
};

namespace simt::detail {

/// The shared memory beyond 48 KiB that kernels asked for.
class SharedMemoryLimits {
public:
    static SharedMemoryLimits& instance() {
        static SharedMemoryLimits& limits = *new SharedMemoryLimits;  // outlives what is launched as the program ends
        return limits;
    }
    void set(void (*kernel)(), std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        bytes_[kernel] = bytes;
    }
    std::size_t of(void (*kernel)()) const {
        const std::lock_guard lock(mutex_);
        const auto found = bytes_.find(kernel);
        return found == bytes_.end() ? device_properties().sharedMemPerBlock : found->second;
    }

private:
    mutable std::mutex mutex_;
    std::map<void (*)(), std::size_t> bytes_;
};

inline bool may_launch(const cudaLaunchConfig_t& config) {
    const dim3 grid = config.gridDim, block = config.blockDim;
    const std::size_t threads = std::size_t{block.x} * block.y * block.z;
    return grid.x > 0 && grid.x <= 0x7fffffffU && grid.y > 0 && grid.y <= 65535 && grid.z > 0 && grid.z <= 65535 &&
           threads > 0 && threads <= 1024 && block.z <= 64;
}

/// Runs the grid; `body` is the kernel with its arguments.
inline void run_grid(dim3 grid, dim3 threads, std::size_t shared_bytes, const std::function<void()>& body) {
    ++counts().kernels;
    if (!options().runs) return;
    Block block(threads, shared_bytes, body);
    gridDim = grid;
    blockDim = threads;
    const std::uint64_t count = std::uint64_t{grid.x} * grid.y * grid.z;
    const bool backwards = options().schedule == Schedule::rounds;
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t number = backwards ? count - 1 - i : i;
        blockIdx = {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                    static_cast<unsigned>(number / grid.x / grid.y)};
        block.run(number);
    }
}

}  // namespace simt::detail

template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute attribute, int value) {
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (value < 0 || static_cast<std::size_t>(value) > simt::detail::device_properties().sharedMemPerBlockOptin)
        return simt::detail::done(cudaErrorInvalidValue);
    simt::detail::SharedMemoryLimits::instance().set(reinterpret_cast<void (*)()>(kernel),
                                                     static_cast<std::size_t>(value));
    return cudaSuccess;
}

/// Runs kernel(args...) on the stream. Throws simt::Error when the kernel hangs or does what CUDA leaves undefined.
template <class... Parameters, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...), Args&&... args) {
    static_assert((std::is_trivially_copyable_v<Parameters> && ...), "parameters go to the device as bytes");
    static_assert((sizeof(Parameters) + ... + 0) <= 4096, "parameters go to the device in 4 KiB");
    if (!simt::detail::may_launch(*config)) return simt::detail::done(cudaErrorInvalidConfiguration);
    if (config->dynamicSmemBytes >
        simt::detail::SharedMemoryLimits::instance().of(reinterpret_cast<void (*)()>(kernel)))
        return simt::detail::done(cudaErrorInvalidValue);
    const std::tuple<Parameters...> bound(std::forward<Args>(args)...);
    return simt::submit(config->stream, [layout = *config, kernel, bound] {
        const std::function<void()> body = [&] { std::apply(kernel, bound); };
        simt::detail::run_grid(layout.gridDim, layout.blockDim, layout.dynamicSmemBytes, body);
    });
}
