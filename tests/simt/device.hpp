// SPDX-License-Identifier: Apache-2.0
// The one device: few multiprocessors, so that kernels which size their grid by them loop even over small arrays, and
// as little shared memory as the smallest GPU from compute capability 8.0 on.
#pragma once

#include <cstddef>

#include "options.hpp"
#include "status.hpp"

struct cudaDeviceProp {
    char name[256];
    std::size_t totalGlobalMem;
    std::size_t sharedMemPerBlock;
    std::size_t sharedMemPerBlockOptin;
    std::size_t sharedMemPerMultiprocessor;
    int regsPerBlock;
    int warpSize;
    int maxThreadsPerBlock;
    int maxThreadsPerMultiProcessor;
    int multiProcessorCount;
    int major, minor;
    int l2CacheSize;
    int memoryBusWidth;
    int pciDomainID, pciBusID, pciDeviceID;
};

enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};

namespace simt::detail {

inline cudaDeviceProp device_properties() {
    return {.name = "SIMT emulation",
            .totalGlobalMem = options().device_bytes,
            .sharedMemPerBlock = 48 * 1024,
            .sharedMemPerBlockOptin = 99 * 1024,
            .sharedMemPerMultiprocessor = 100 * 1024,
            .regsPerBlock = 65536,
            .warpSize = 32,
            .maxThreadsPerBlock = 1024,
            .maxThreadsPerMultiProcessor = 1536,
            .multiProcessorCount = 4,
            .major = 8,
            .minor = 0,
            .l2CacheSize = 1 << 20,
            .memoryBusWidth = 64,
            .pciDomainID = 0,
            .pciBusID = 0,
            .pciDeviceID = 0};
}

}  // namespace simt::detail

inline cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
    *device = 0;
    return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
    return simt::detail::done(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    if (device != 0) return simt::detail::done(cudaErrorInvalidDevice);
    *properties = simt::detail::device_properties();
    return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    if (device != 0) return simt::detail::done(cudaErrorInvalidDevice);
    const cudaDeviceProp properties = simt::detail::device_properties();
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock: *value = properties.maxThreadsPerBlock; break;
        case cudaDevAttrMultiProcessorCount: *value = properties.multiProcessorCount; break;
        case cudaDevAttrL2CacheSize: *value = properties.l2CacheSize; break;
        case cudaDevAttrComputeCapabilityMajor: *value = properties.major; break;
        case cudaDevAttrComputeCapabilityMinor: *value = properties.minor; break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin:
            *value = static_cast<int>(properties.sharedMemPerBlockOptin);
            break;
    }
    return cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}
inline cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}
