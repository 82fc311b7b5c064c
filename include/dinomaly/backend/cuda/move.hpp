// SPDX-License-Identifier: Apache-2.0
// The move verb on a GPU: copies (or adds) a block of elements between two strided layouts of the same sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "dinomaly/backend/cuda/map.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// One side of a move: memory, and strides over the grid's axes; `step` is the one along the row.
template <class T> struct Strided {
    T* data;
    Strides strides;
    std::int64_t step;
};

/// A thread moves one packet, at once where both sides are contiguous along the row.
template <class S> __global__ void move_kernel(Grid grid, Strided<S> target, Strided<const S> source, bool adds) {
    using T = typename Cuda<S>::compute_type;
    const std::int64_t index = thread_index();
    if (index >= grid.rows * PacketPlace<T>::a_row(grid)) return;
    const auto [number, at] = PacketPlace<T>::of(grid, index);
    const Row row = Row::of(grid, number);
    S* to = target.data + row.offset(target.strides);
    const S* from = source.data + row.offset(source.strides);
    if (target.step == 1 && source.step == 1) {
        const Packet<T> value = at.load(from);
        at.store(to, adds ? at.load(to) + value : value);
        return;
    }
    for (std::int64_t col = at.col; col < at.col + at.count; ++col) {
        const T value = static_cast<T>(from[col * source.step]);
        S& place = to[col * target.step];
        place = static_cast<S>(adds ? static_cast<T>(place) + value : value);
    }
}

template <class S> __global__ void add_kernel(std::int64_t count, const S* a, const S* b, S* y) {
    using T = typename Cuda<S>::compute_type;
    const std::int64_t col = thread_index() * Packet<T>::width;
    if (col >= count) return;
    const kernel::Part<T> at = part_at<T>(col, count);
    at.store(y, at.load(a) + at.load(b));
}

}  // namespace cuda

/// target[i] = source[i], or += on request, for every index i of `sizes`, each side under its own element strides.
template <class S>
void move(Cuda<S>, const Shape& sizes, S* target, const Strides& target_strides, const S* source,
          const Strides& source_strides, bool adds = false) {
    using T = typename Cuda<S>::compute_type;
    std::vector<Strides> strides{target_strides, source_strides};
    const Grid grid = make_grid(sizes, strides);
    if (grid.count() == 0) return;
    const auto row_axis = static_cast<std::size_t>(grid.outer);
    const std::int64_t packets = grid.rows * cuda::PacketPlace<T>::a_row(grid);
    cuda::launch({cuda::blocks_for(packets, cuda::map_threads), cuda::map_threads}, cuda::move_kernel<S>, grid,
                 cuda::Strided<S>{target, strides[0], strides[0][row_axis]},
                 cuda::Strided<const S>{source, strides[1], strides[1][row_axis]}, adds);
}

/// y = a + b for `count` elements; y may be a or b.
template <class S> void add(Cuda<S>, std::int64_t count, const S* a, const S* b, S* y) {
    constexpr int width = Packet<typename Cuda<S>::compute_type>::width;
    if (count == 0) return;
    cuda::launch({cuda::blocks_for((count + width - 1) / width, cuda::map_threads), cuda::map_threads},
                 cuda::add_kernel<S>, count, a, b, y);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
