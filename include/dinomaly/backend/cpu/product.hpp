// SPDX-License-Identifier: Apache-2.0
// The product verb on the CPU: z [m, n] = x [m, k] w^T [k, n] with a formula before and one after it, and its
// gradients.
//
// Rows are done in panels. A panel of x is read in place or computed by its formula into scratch memory; when the
// panel's sums stand, the formula that follows runs over them while they are near. Backward a panel of dy goes through
// the formula after, the weights and the formula before in one go, and x is computed anew as it is packed for dw.
// Neither formula makes a pass of its own over memory, forward or backward.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/map.hpp"
#include "dinomaly/backend/cpu/rows.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

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

/// Rows first .. first+count-1 of x [m, k] in panels, as the right operand of a sum over rows.
template <class T, class S>
Panels<T> pack_right(const StoredRows<S>& x, std::int64_t first, std::int64_t count, std::int64_t k) {
    return Panels<T>(count, k, Matrix<const S>{x.data + first * k, k});
}
template <class T, class Formula>
Panels<T> pack_right(const ComputedRows<Formula>& x, std::int64_t first, std::int64_t count, std::int64_t k) {
    return Panels<T>(count, k, [&](std::int64_t row, std::int64_t rows, T* to) {
        map_block<typename Cpu<T>::compute_type>(x.grid, x.formula, to, k, first + row, first + row + rows, 0, k);
    });
}

/// dw [n, k] = or += dz^T x for dz [m, n] and x [m, k].
template <class T, class Rows, class W>
void weight_gradient(std::int64_t m, std::int64_t n, std::int64_t k, const T* dz, const Rows& x, W* dw, bool adds) {
    const Matrix<const T> left{dz, n, true};
    if constexpr (std::is_same_v<T, double>) {
        const PanelOfRows<T> right(x, 0, m, k);
        gemm(Cpu<T>{}, 1, n, k, m, left, Matrix<const T>{right.data(), k}, Matrix<W>{dw, k}, adds);
    } else {
        const auto pack = [&](std::int64_t first, std::int64_t count) { return pack_right<T>(x, first, count, k); };
        gemm_by_parts<T>(n, k, m, left, pack, Matrix<W>{dw, k}, adds);
    }
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

/// Tasks that product_backward cuts m rows into: leaves that sum must have room for so many sums.
template <class T> std::int64_t product_parts(Cpu<T>, std::int64_t m) {
    constexpr std::int64_t most = 32;  // enough to balance, few enough for the sums of a wide bias
    return std::clamp<std::int64_t>(m / RowPanels::most, 1, most);
}

/// Pushes dy [m, n] through what followed z = x w^T, dz [m, n] through the product and dx [m, k] through what came
/// before it; the leaves of both formulas say where their gradients go. dw [n, k] = or += dz^T x; it may be null.
template <class T, class Rows, class After, class Before>
void product_backward(Cpu<T> device, std::int64_t m, std::int64_t n, std::int64_t k, const After& after,
                      const typename Cpu<T>::compute_type* w, const Before& before, const Rows& x,
                      typename Cpu<T>::compute_type* dw, bool dw_adds) {
    using Sum = typename Cpu<T>::compute_type;
    constexpr std::int64_t tile = RowPanels::tile_rows;
    Panels<T> weights;
    if (before.runs) weights = Panels<T>(n, k, Matrix<const Sum>{w, k});
    const std::int64_t tasks = product_parts(device, m), tiles = (m + tile - 1) / tile;
    const auto cut = [&](std::int64_t i, std::int64_t count) { return std::min(m, tiles * i / count * tile); };
    const auto body = [&](std::int64_t task) {
        auto push_after = after.formula;
        auto push_before = before.formula;
        push_after.begin_task(task);
        push_before.begin_task(task);
        const std::int64_t panels = std::max<std::int64_t>(1, (tiles / tasks * tile) / RowPanels::most);
        for (std::int64_t panel = task * panels; panel < (task + 1) * panels; ++panel) {
            const std::int64_t first = cut(panel, tasks * panels), last = cut(panel + 1, tasks * panels);
            if (after.runs) push_block<Sum>(after.grid, push_after, after.dy + first * n, first, last, 0, n);
            if (!before.runs) continue;
            const std::shared_ptr<Sum> dx = scratch<Sum>((last - first) * k);
            detail::multiply_rows(last - first, k, n, Matrix<const T>{after.dz + first * n, n}, weights,
                                  Matrix<Sum>{dx.get(), k}, false);
            push_block<Sum>(before.grid, push_before, dx.get(), first, last, 0, k);
        }
    };
    if (after.runs || before.runs) parallel_for(tasks, body);
    if (dw != nullptr) detail::weight_gradient(m, n, k, after.dz, x, dw, dw_adds);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
