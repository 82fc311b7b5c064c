// SPDX-License-Identifier: Apache-2.0
// Threads that add up together: a warp by shuffles, a block by its warps' results in shared memory.
//
// All take part, and all receive the result. Halves meet in a fixed order, so the bits are the same on every run.
#pragma once

#include <cstdint>

#include "dinomaly/backend/cuda/primitives.hpp"
#include "dinomaly/backend/cuda/runtime.hpp"
#include "dinomaly/backend/reductions.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

/// Op (reductions.hpp) over the 32 values of a warp.
template <class Op, class T> __device__ T reduce_warp(T x) {
    for (int step = warp_size / 2; step > 0; step /= 2) x = Op::combine(x, __shfl_xor_sync(0xffffffffU, x, step));
    return x;
}

/// Op over the values of a block of whole warps; `shared` has room for one value a warp.
template <class Op, class T> __device__ T reduce_block(T x, T* shared) {
    const unsigned warp = threadIdx.x / warp_size, warps = blockDim.x / warp_size;
    x = reduce_warp<Op>(x);
    __syncthreads();  // the last result has been read
    if (threadIdx.x % warp_size == 0) shared[warp] = x;
    __syncthreads();
    T total = shared[0];
    for (unsigned i = 1; i < warps; ++i) total = Op::combine(total, shared[i]);
    return total;
}

/// Bytes of shared memory that reduce_block needs for a block of `threads`.
template <class T> constexpr std::size_t block_bytes(int threads) {
    return static_cast<std::size_t>(threads / warp_size) * sizeof(T);
}

/// A warp.
struct WarpTeam {
    static __device__ unsigned rank() { return threadIdx.x % warp_size; }
    static __device__ unsigned size() { return warp_size; }
    template <class Op, class T> __device__ T reduce(T x) const { return reduce_warp<Op>(x); }
};

/// A block, with its shared memory to itself.
struct BlockTeam {
    static __device__ unsigned rank() { return threadIdx.x; }
    static __device__ unsigned size() { return blockDim.x; }
    template <class Op, class T> __device__ T reduce(T x) const {
        return reduce_block<Op>(x, reinterpret_cast<T*>(shared_memory()));
    }
    template <class T> __device__ T sum(T x) const { return reduce<Sum>(x); }
    __device__ bool leads() const { return threadIdx.x == 0; }
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
