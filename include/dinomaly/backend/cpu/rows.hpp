// SPDX-License-Identifier: Apache-2.0
// The rows verb on the CPU: a kernel once for each row of a matrix, with a Lane that walks the row.
//
//   struct Kernel { template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const; };
//
// lane.each(cols, f) calls f(at) for every packet of the row; lane.sum and lane.max combine what f returns. `at` loads
// and stores (core/expr.hpp). The same kernel runs on a GPU, where the lanes are a warp's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/expr.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Walks one row packet by packet.
template <class T> struct Lane {
    static constexpr int width = Packet<T>::width;

    template <class F> DINOMALY_HD void each(std::int64_t cols, const F& f) const {
        std::int64_t col = 0;
        for (; col + width <= cols; col += width) f(kernel::Whole<T>{col});
        if (col < cols) f(kernel::Part<T>{col, static_cast<int>(cols - col)});
    }

    /// The sum over the row of what f gives for each element.
    template <class F> DINOMALY_HD T sum(std::int64_t cols, const F& f) const {
        Packet<T> total(T(0));
        each(cols, [&](auto at) { total += at.keep(f(at)); });
        return total.sum();
    }

    /// The largest over the row of what f gives for each element.
    template <class F> DINOMALY_HD T max(std::int64_t cols, const F& f) const {
        Packet<T> largest(-std::numeric_limits<T>::infinity());
        std::int64_t col = 0;
        for (; col + width <= cols; col += width) largest = math::max(largest, f(kernel::Whole<T>{col}));
        if (col < cols) {
            const int rest = static_cast<int>(cols - col);
            largest = math::max(largest,
                                keep_first(f(kernel::Part<T>{col, rest}), rest, -std::numeric_limits<T>::infinity()));
        }
        return largest.max();
    }
};

/// Calls kernel(lane, row) for each row 0 .. count-1; `cols` only tells how large a row is.
template <class S, class Kernel> void rows(Cpu<S>, std::int64_t count, std::int64_t cols, const Kernel& kernel) {
    parallel_ranges(count, std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, cols)),
                    [&](std::int64_t first, std::int64_t last) {
                        for (std::int64_t row = first; row < last; ++row)
                            kernel(Lane<typename Cpu<S>::compute_type>{}, row);
                    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
