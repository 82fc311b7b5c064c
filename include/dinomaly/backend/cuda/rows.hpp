// SPDX-License-Identifier: Apache-2.0
// The rows verb on a GPU: a kernel once for each row of a matrix, with a Lane that walks the row.
//
// A warp takes a row, or a whole block where rows are long. Each thread handles every 32nd packet (or every 256th, ..);
// sums and maxima are joined by shuffles. See backend/cpu/rows.hpp for what kernels look like.
#pragma once

#include <cstdint>

#include "dinomaly/backend/cuda/map.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// A team's walk along one row.
template <class T, class Team> struct TeamLane {
    template <class F> __device__ void each(std::int64_t cols, const F& f) const {
        const std::int64_t step = static_cast<std::int64_t>(Team::size()) * Packet<T>::width;
        for (std::int64_t col = Team::rank() * Packet<T>::width; col < cols; col += step) f(part_at<T>(col, cols));
    }

    /// Op over the row of what f gives for each element.
    template <class Op, class F> __device__ T reduce(std::int64_t cols, const F& f) const {
        constexpr T identity = Op::template identity<T>;
        Packet<T> total(identity);
        each(cols, [&](auto at) { total = Op::combine(total, keep_first(f(at), at.count, identity)); });
        return Team{}.template reduce<Op>(Op::across(total));
    }

    /// The sum over the row of what f gives for each element.
    template <class F> __device__ T sum(std::int64_t cols, const F& f) const { return reduce<Sum>(cols, f); }
    /// The largest over the row of what f gives for each element.
    template <class F> __device__ T max(std::int64_t cols, const F& f) const { return reduce<Max>(cols, f); }
};

template <class T, class Kernel> __global__ void warp_rows_kernel(std::int64_t count, Kernel kernel) {
    const std::int64_t row = thread_index() / warp_size;
    if (row < count) kernel(TeamLane<T, WarpTeam>{}, row);
}

template <class T, class Kernel> __global__ void block_rows_kernel(Kernel kernel) {
    kernel(TeamLane<T, BlockTeam>{}, static_cast<std::int64_t>(blockIdx.x));
}

inline constexpr std::int64_t warp_cols = 2048;  // of longer rows a block does each

}  // namespace cuda

/// Calls kernel(lane, row) for each row 0 .. count-1; `cols` only tells how large a row is.
template <class S, class Kernel> void rows(Cuda<S>, std::int64_t count, std::int64_t cols, const Kernel& kernel) {
    using T = typename Cuda<S>::compute_type;
    if (count == 0) return;
    if (cols <= cuda::warp_cols) {
        constexpr int threads = 256;
        cuda::launch({cuda::blocks_for(count * cuda::warp_size, threads), threads}, cuda::warp_rows_kernel<T, Kernel>,
                     count, kernel);
    } else {
        const int threads = cols < 16384 ? 256 : 1024;
        cuda::launch({static_cast<unsigned>(count), static_cast<unsigned>(threads), cuda::block_bytes<T>(threads)},
                     cuda::block_rows_kernel<T, Kernel>, kernel);
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
