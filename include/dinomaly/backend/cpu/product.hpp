// SPDX-License-Identifier: Apache-2.0
// The product verb on the CPU: z [m, n] = x [m, k] w^T [k, n] with a formula before and one after it.
//
// Rows are done in panels. A panel of x is read in place or computed by its formula into scratch memory; when the
// panel's sums stand, the formula that follows runs over them while they are near. Neither the formula before nor the
// one after makes a pass of its own over memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/map.hpp"
#include "dinomaly/backend/cpu/rows.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// The rows of x as they stand in memory.
template <class S> struct StoredRows { const S* data; };

/// The rows of x as values of a formula over a grid whose rows are those of x.
template <class Formula> struct ComputedRows {
    Grid grid;
    Formula formula;
};

/// What follows the product: y = formula over the grid, with the product's sums among its leaves. Where nothing else
/// follows the formula is the product itself.
template <class S, class Formula> struct MapAfter {
    Grid grid;
    Formula formula;
    S* y;
};

namespace detail {

/// Rows first .. last-1 of x.
template <class T> class PanelOfRows {
public:
    template <class S> PanelOfRows(const StoredRows<S>& x, std::int64_t first, std::int64_t last, std::int64_t k) {
        if constexpr (std::is_same_v<S, T>) {
            data_ = x.data + first * k;
        } else {
            T* to = allocate((last - first) * k);
            std::transform(x.data + first * k, x.data + last * k, to, [](S value) { return static_cast<T>(value); });
        }
    }
    template <class Formula>
    PanelOfRows(const ComputedRows<Formula>& x, std::int64_t first, std::int64_t last, std::int64_t k) {
        using Compute = typename Cpu<T>::compute_type;
        map_block<Compute>(x.grid, x.formula, allocate((last - first) * k), k, first, last, 0, k);
    }

    const T* data() const { return data_; }

private:
    T* allocate(std::int64_t count) {
        memory_ = scratch<T>(count);
        data_ = memory_.get();
        return memory_.get();
    }

    std::shared_ptr<T> memory_;
    const T* data_;
};

/// to = from, element by element.
template <class T, class S> void convert(const T* from, std::int64_t count, S* to) {
    Lane<T>{}.each(count, [&](auto at) { at.store(to, at.load(from)); });
}

/// The result of what follows from the sums of rows first .. last-1.
template <class T, class S, class Formula>
void finish(const MapAfter<S, Formula>& after, const T* sums, std::int64_t first, std::int64_t last) {
    Formula formula = after.formula;
    if constexpr (std::is_same_v<Formula, kernel::ProductLeaf<S, T>>)
        if (static_cast<const void*>(after.y + first * after.grid.cols) == sums) return;
    formula.begin_panel(sums, first);
    map_block<T>(after.grid, formula, after.y + first * after.grid.cols, after.grid.cols, first, last, 0,
                 after.grid.cols);
}

}  // namespace detail

/// z [m, n] = x w^T for w [n, k], then what follows. z, where its value is to be kept, may be null.
template <class T, class Rows, class After>
void product(Cpu<T>, std::int64_t m, std::int64_t n, std::int64_t k, const Rows& x,
             const typename Cpu<T>::compute_type* w, T* z, const After& after) {
    using Sum = typename Cpu<T>::compute_type;
    if (m * n == 0) return;
    const Panels<T> weights(k, n, Matrix<const Sum>{w, k, true});
    const RowPanels panels(m);
    const auto body = [&](std::int64_t i) {
        const std::int64_t first = panels.first(i), last = panels.first(i + 1);
        const detail::PanelOfRows<T> rows(x, first, last, k);
        std::shared_ptr<Sum> memory;
        Sum* sums = nullptr;
        if constexpr (std::is_same_v<T, Sum>)
            sums = (z != nullptr ? z : after.y) + first * n;
        else
            sums = (memory = scratch<Sum>((last - first) * n)).get();
        detail::multiply_rows(last - first, n, k, Matrix<const T>{rows.data(), k}, weights, Matrix<Sum>{sums, n},
                              false);
        if constexpr (!std::is_same_v<T, Sum>)
            if (z != nullptr) detail::convert(sums, (last - first) * n, z + first * n);
        detail::finish(after, sums, first, last);
    };
    if (m * n * k < 32 * 1024)
        for (std::int64_t i = 0; i < panels.count(); ++i) body(i);
    else
        parallel_for(panels.count(), body);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
