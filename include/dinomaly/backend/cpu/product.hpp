// SPDX-License-Identifier: Apache-2.0
// The product verb on the CPU: z [m, n] = x [m, k] w^T [k, n] with a formula before and one after it.
//
// Rows are done in panels. A panel of x is read in place or computed by its formula into scratch memory; when the
// panel's product stands, the formula that follows runs over it while it is still near. Neither the formula before nor
// the one after makes a pass of its own over memory.
#pragma once

#include <cstdint>

#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/map.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// The rows of x as they stand in memory.
template <class T> struct StoredRows { const T* data; };

/// The rows of x as values of a formula over a grid whose rows are those of x.
template <class Formula> struct ComputedRows {
    Grid grid;
    Formula formula;
};

/// What follows the product: y = formula over the grid, with the product's rows among its leaves.
template <class T, class Formula> struct MapAfter {
    Grid grid;
    Formula formula;
    T* y;
};

/// Nothing follows.
struct NothingAfter {};

template <class T>
const T* panel(const StoredRows<T>& x, std::int64_t first, std::int64_t, std::int64_t k, std::shared_ptr<void>&) {
    return x.data + first * k;
}

template <class T, class Formula>
const T* panel(const ComputedRows<Formula>& x, std::int64_t first, std::int64_t last, std::int64_t k,
               std::shared_ptr<void>& scratch) {
    scratch = Cpu<T>::allocate(static_cast<std::size_t>((last - first) * k) * sizeof(T));
    T* rows = static_cast<T*>(scratch.get());
    map_block(x.grid, x.formula, rows, first, last, 0, k);
    return rows;
}

template <class T, class Formula>
void finish(const MapAfter<T, Formula>& after, std::int64_t first, std::int64_t last) {
    map_block(after.grid, after.formula, after.y + first * after.grid.cols, first, last, 0, after.grid.cols);
}
inline void finish(const NothingAfter&, std::int64_t, std::int64_t) {}

/// z [m, n] = x w^T for w [n, k], then what follows. z may be the result of the formula that follows.
template <class T, class Rows, class After>
void product(Cpu<T>, std::int64_t m, std::int64_t n, std::int64_t k, const Rows& x, const T* w, T* z,
             const After& after) {
    if (m * n == 0) return;
    const std::int64_t panels = m * n * k < 32 * 1024 ? 1 : gemm_pieces(m);
    parallel_for(panels, [&](std::int64_t i) {
        const std::int64_t first = m * i / panels, last = m * (i + 1) / panels;
        std::shared_ptr<void> scratch;
        const T* rows = panel<T>(x, first, last, k, scratch);
        gemm_serial<T>(last - first, n, k, {rows, k}, {w, k, true}, {z + first * n, n});
        finish(after, first, last);
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
