// SPDX-License-Identifier: Apache-2.0
// The GPUs of a machine: which there are, or what is missing, and which one computes. None of it needs a GPU or its
// driver to be there.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dinomaly/backend/cuda/runtime.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

/// A GPU, its memory in bytes.
struct DeviceInfo {
    std::string name;
    std::size_t memory = 0;
};

/// What find_devices() found, by number; where it is nothing, the reason.
struct Devices {
    std::vector<DeviceInfo> found;
    std::string problem;
};

namespace detail {

/// What is missing when no GPU answers: a driver, one that is new enough, or a GPU.
inline std::string what_is_missing(cudaError_t status) {
    int driver = 0, runtime = 0;  // 13000 for CUDA 13.0; a driver that is not there has 0
    expect_success(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    expect_success(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
    const int needed = runtime / 1000;
    const char* release = needed == 13 ? ", release 580 or newer," : needed == 12 ? ", release 525 or newer," : "";
    const std::string expected = "; a driver for CUDA " + std::to_string(needed) + release + " is needed";
    if (driver == 0) return "no GPU was found: the CUDA driver is not installed" + expected;
    if (driver / 1000 < needed)
        return "the CUDA driver is for CUDA " + std::to_string(driver / 1000) + '.' +
               std::to_string(driver % 1000 / 10) + expected;
    return std::string("no GPU was found: ") + cudaGetErrorString(status);
}

}  // namespace detail

/// The GPUs that the CUDA driver shows to this process.
inline Devices find_devices() {
    Devices devices;
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) {
        static_cast<void>(cudaGetLastError());  // the next call would report it again
        devices.problem = detail::what_is_missing(status);
        return devices;
    }
    for (int i = 0; i < count; ++i) {
        cudaDeviceProp properties{};
        expect_success(cudaGetDeviceProperties(&properties, i), "cudaGetDeviceProperties");
        devices.found.push_back({properties.name, properties.totalGlobalMem});
    }
    return devices;
}

/// From now on this thread computes on GPU number `index`; to be called before any work, as streams are made once.
/// Throws Error when it is older than the kernels, which need bfloat16 products.
inline void use_device(int index) {
    cudaDeviceProp properties{};
    expect_success(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    check(properties.major >= 8, "cuda", properties.name, " has compute capability ", properties.major, '.',
          properties.minor, ", 8.0 or newer expected");
    expect_success(cudaSetDevice(index), "cudaSetDevice");
}

/// Bytes of the current GPU's memory that nobody uses.
inline std::size_t free_memory() {
    std::size_t free = 0, total = 0;
    expect_success(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return free;
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
