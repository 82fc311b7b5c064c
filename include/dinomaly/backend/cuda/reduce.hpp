// SPDX-License-Identifier: Apache-2.0
// The reduce verb on a GPU: y [outer, inner] = op over the middle axis of x [outer, n, inner].
//
// Where few results stand against long sums, the warps of a block share them; very long ones are cut into parts that a
// second launch joins. Who adds what depends on the sizes alone, in fixed order: the same bits on every run.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dinomaly/backend/cuda/rows.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// x [outer, n] cut into `parts` a row: partial results [outer, parts].
template <class Op, class T> struct ReduceParts {
    const T* x;
    std::int64_t n, parts;
    T* y;

    template <class Lane> __device__ void operator()(const Lane& lane, std::int64_t i) const {
        const std::int64_t outer = i / parts, part = i % parts;
        const std::int64_t first = n * part / parts, count = n * (part + 1) / parts - first;
        const T* from = x + outer * n + first;
        y[i] = lane.template reduce<Op>(count, [&](auto at) { return at.load(from); });
    }
};

/// x [outer, n, inner] with the axis cut into `parts`: partial results [outer, parts, inner], a thread a packet of
/// them.
template <class Op, class T>
__global__ void reduce_columns_kernel(Grid results, std::int64_t n, std::int64_t parts, const T* x, T* y) {
    const std::int64_t index = thread_index();
    if (index >= results.rows * PacketPlace<T>::a_row(results)) return;
    const PacketPlace<T> place = PacketPlace<T>::of(results, index);
    const std::int64_t outer = place.row / parts, part = place.row % parts, inner = results.cols;
    Packet<T> total(Op::template identity<T>);
    for (std::int64_t i = n * part / parts; i < n * (part + 1) / parts; ++i)
        total = Op::combine(total, place.at.load(x + (outer * n + i) * inner));
    place.at.store(y + place.row * inner, total);
}

/// x [outer, n, inner] where n is long and inner short: a block has 32 columns, each of its warps every warps-th row.
template <class Op, class T>
__global__ void reduce_tall_kernel(std::int64_t n, std::int64_t inner, std::int64_t blocks, const T* x, T* y) {
    const std::int64_t outer = blockIdx.x / blocks, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size,
                       warps = blockDim.x / warp_size, col = blockIdx.x % blocks * warp_size + lane;
    T total = Op::template identity<T>;
    if (col < inner)
        for (std::int64_t i = warp; i < n; i += warps) total = Op::combine(total, x[(outer * n + i) * inner + col]);
    T* const shared = reinterpret_cast<T*>(shared_memory());  // [warps, 32]
    shared[threadIdx.x] = total;
    __syncthreads();
    if (warp > 0 || col >= inner) return;
    for (std::int64_t i = 1; i < warps; ++i) total = Op::combine(total, shared[i * warp_size + lane]);
    y[outer * inner + col] = total;
}

inline constexpr std::int64_t tall_rows = 8;  // at least so many for a warp

template <class Op, class T>
void reduce_tall(std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
    const std::int64_t blocks = (inner + warp_size - 1) / warp_size;
    const auto threads = static_cast<unsigned>(warp_size * std::clamp<std::int64_t>(n / tall_rows, 1, 32));
    launch({static_cast<unsigned>(outer * blocks), threads, threads * sizeof(T)}, reduce_tall_kernel<Op, T>, n, inner,
           blocks, x, y);
}

/// One launch: partial results [outer, parts, inner].
template <class Op, class T>
void reduce_parts(std::int64_t outer, std::int64_t n, std::int64_t inner, std::int64_t parts, const T* x, T* y) {
    if (inner == 1) {
        rows(Cuda<T>{}, outer * parts, (n + parts - 1) / parts, ReduceParts<Op, T>{x, n, parts, y});
        return;
    }
    Grid results;
    results.rows = outer * parts;
    results.cols = inner;
    launch({blocks_for(results.rows * PacketPlace<T>::a_row(results), map_threads), map_threads},
           reduce_columns_kernel<Op, T>, results, n, parts, x, y);
}

}  // namespace cuda

/// y [outer, inner] = Op over axis 1 of x [outer, n, inner].
template <class Op, class T>
void reduce(Cuda<T>, Op, std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
    if (outer * inner == 0) return;
    constexpr std::int64_t enough = 65536;  // elements in flight that keep a GPU busy
    constexpr std::int64_t tall = 1024;     // rows that the warps of a block add up soon
    if (inner > 1 && n >= 2 * cuda::tall_rows && n <= tall && outer * inner < enough) {
        cuda::reduce_tall<Op>(outer, n, inner, x, y);
        return;
    }
    const std::int64_t at_once = inner == 1 ? outer * 128 : outer * inner;
    const std::int64_t parts =
        std::clamp<std::int64_t>(std::min(enough / at_once, n / (inner == 1 ? 1024 : 8)), 1, 512);
    if (parts == 1) {
        cuda::reduce_parts<Op>(outer, n, inner, 1, x, y);
        return;
    }
    const std::shared_ptr<T> partial = cuda::scratch<T>(outer * parts * inner);
    cuda::reduce_parts<Op>(outer, n, inner, parts, x, partial.get());
    cuda::reduce_parts<Op>(outer, parts, inner, 1, static_cast<const T*>(partial.get()), y);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
