// SPDX-License-Identifier: Apache-2.0
// The select verb on a GPU: order statistics of a row of values, by one block and without a word to the host.
//
// Radix select: floats become integers of the same order, and four passes over the values fix eight bits of the answer
// each: they count how many candidates have which byte next, and the byte where the count reaches k is the one.
#pragma once

#include <cstdint>

#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/cuda/team.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

inline constexpr int select_threads = 1024;

/// An integer that is larger where x is; NaN is the largest.
__device__ inline std::uint32_t order_key(float x) {
    if (x != x) return 0xffffffffU;
    const std::uint32_t bits = __float_as_uint(x);
    return (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
}
__device__ inline float value_of_key(std::uint32_t key) {
    return __uint_as_float((key >> 31) != 0 ? key & 0x7fffffffU : ~key);
}

/// What the passes of a selection share.
struct Selection {
    unsigned counts[256];   // candidates by their next byte
    std::uint32_t prefix;   // the bytes of the answer found so far
    std::uint64_t missing;  // the answer's rank among the candidates, from 1 on
    double partial[select_threads / warp_size];
};

/// The key of the k-th largest of n values, for all threads of the block.
__device__ inline std::uint32_t select_key(std::int64_t n, const float* x, std::int64_t k, Selection& shared) {
    if (threadIdx.x == 0) shared.prefix = 0, shared.missing = static_cast<std::uint64_t>(k);
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (threadIdx.x < 256) shared.counts[threadIdx.x] = 0;
        __syncthreads();
        const std::uint32_t prefix = shared.prefix;
        for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
            const std::uint32_t key = order_key(x[i]);
            if (shift == 24 || key >> (shift + 8) == prefix) atomicAdd(&shared.counts[key >> shift & 255U], 1U);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            std::uint32_t byte = 255;
            for (; shared.counts[byte] < shared.missing; --byte) shared.missing -= shared.counts[byte];
            shared.prefix = prefix << 8 | byte;
        }
        __syncthreads();
    }
    return shared.prefix;
}

template <class T> __global__ void kth_largest_kernel(std::int64_t n, const T* x, const std::int64_t* k, T* y) {
    const std::uint32_t key = select_key(n, x, *k, *reinterpret_cast<Selection*>(shared_memory()));
    if (threadIdx.x == 0) *y = value_of_key(key);
}

/// The mean of the k largest of the block's row: those above the k-th, and the k-th as often as is left.
template <class T> __global__ void mean_of_largest_kernel(std::int64_t n, const T* x, std::int64_t k, T* y) {
    Selection& shared = *reinterpret_cast<Selection*>(shared_memory());
    x += static_cast<std::int64_t>(blockIdx.x) * n;
    const std::uint32_t key = select_key(n, x, k, shared);
    double sum = 0, above = 0;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x)
        if (order_key(x[i]) > key) sum += static_cast<double>(x[i]), above += 1;
    sum = reduce_block<Sum>(sum, shared.partial);
    above = reduce_block<Sum>(above, shared.partial);
    const double count = static_cast<double>(k);
    if (threadIdx.x == 0)
        y[blockIdx.x] = static_cast<float>((sum + (count - above) * static_cast<double>(value_of_key(key))) / count);
}

}  // namespace cuda

/// *y = the k-th largest of n values, 1 <= *k <= n; k is in the device's memory. NaN counts as largest.
inline void kth_largest(Cuda<float>, std::int64_t n, const float* x, const std::int64_t* k, float* y) {
    cuda::launch({1, cuda::select_threads, sizeof(cuda::Selection)}, cuda::kth_largest_kernel<float>, n, x, k, y);
}

/// y [rows] = the mean of the k largest of each row's n values, 1 <= k <= n.
inline void mean_of_largest(Cuda<float>, std::int64_t rows, std::int64_t n, const float* x, std::int64_t k, float* y) {
    if (rows == 0) return;
    cuda::launch({static_cast<unsigned>(rows), cuda::select_threads, sizeof(cuda::Selection)},
                 cuda::mean_of_largest_kernel<float>, n, x, k, y);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
