// SPDX-License-Identifier: Apache-2.0
// The product verb on a GPU: z [m, n] = x [m, k] w^T [k, n] with a formula before and one after it, and its gradients.
//
// The library's product writes z where the result goes, and the formula that follows is a map over it, in place; a bias
// and a residual alone the product takes up itself. What stands before is computed into scratch memory that the product
// reads; in the backward pass, by the kernel that reads its gradient, in its place. In bfloat16 the product's value is
// rounded once before the formula, where the CPU keeps its sums.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "dinomaly/backend/cuda/gemm.hpp"
#include "dinomaly/backend/cuda/map.hpp"
#include "dinomaly/backend/cuda/rounded.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// A matrix of a product in T: where it stands, or a copy in that type.
template <class T> class InType {
public:
    template <class S> InType(const S* data, std::int64_t count) {
        if constexpr (std::is_same_v<S, T>) {
            data_ = data;
        } else {
            if constexpr (std::is_same_v<S, float>)
                if (data_ = UsesRounded::copy_of(data); data_ != nullptr) return;
            Grid line;
            line.cols = count;
            kernel::TensorLeaf<S, float> leaf;
            leaf.value = data;
            map(Cuda<T>{}, line, leaf, allocate(count));
        }
    }
    template <class S> InType(const StoredRows<S>& x, std::int64_t m, std::int64_t k) : InType(x.data, m * k) {}
    template <class Formula> InType(const ComputedRows<Formula>& x, std::int64_t m, std::int64_t k) {
        map(Cuda<T>{}, x.grid, x.formula, allocate(m * k));
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

/// Formulas after a product that are but a bias, or a residual and a bias: z + b, r + (z + b).
template <class Formula> struct Affine { static constexpr bool fits = false; };

template <class Op>
concept Addition = Op::passes(0) && Op::passes(1);

template <class S, class T, Addition Add>
struct Affine<kernel::Binary<T, Add, kernel::ProductLeaf<S, T>, kernel::TensorLeaf<T, T>>> {
    static constexpr bool fits = true;
    using Formula = kernel::Binary<T, Add, kernel::ProductLeaf<S, T>, kernel::TensorLeaf<T, T>>;

    static const T* bias(const Formula& formula, const Grid& grid) {
        const auto& leaf = formula.b;
        bool is_repeated = leaf.moves && reinterpret_cast<std::uintptr_t>(leaf.value) % 16 == 0;
        for (int axis = 0; axis < grid.outer; ++axis)
            is_repeated = is_repeated && leaf.strides[static_cast<std::size_t>(axis)] == 0;
        return is_repeated ? leaf.value : nullptr;
    }
    static const S* residual(const Formula&, const Grid&) { return nullptr; }
    static constexpr bool has_residual = false;
};

template <class S, class T, Addition Add, class Inner>
requires Affine<Inner>::fits struct Affine<kernel::Binary<T, Add, kernel::TensorLeaf<S, T>, Inner>> {
    static constexpr bool fits = !Affine<Inner>::has_residual;
    static constexpr bool has_residual = true;
    using Formula = kernel::Binary<T, Add, kernel::TensorLeaf<S, T>, Inner>;

    static const T* bias(const Formula& formula, const Grid& grid) { return Affine<Inner>::bias(formula.b, grid); }
    /// Null unless it covers the grid element by element.
    static const S* residual(const Formula& formula, const Grid& grid) {
        std::int64_t stride = grid.cols;
        bool is_whole = formula.a.moves;
        for (int axis = grid.outer - 1; axis >= 0; --axis) {
            const auto i = static_cast<std::size_t>(axis);
            is_whole = is_whole && formula.a.strides[i] == stride;
            stride *= grid.sizes[i];
        }
        return is_whole ? formula.a.value : nullptr;
    }
};

/// y = x w^T + bias + residual by the product alone, where the formula is but that; whether it is.
template <class T, class Formula>
bool product_with_addends(std::int64_t m, std::int64_t n, std::int64_t k, const T* x, const T* w,
                          const MapAfter<T, Formula>& after) {
    if constexpr (Affine<Formula>::fits) {
        using Form = Affine<Formula>;
        const float* bias = Form::bias(after.formula, after.grid);
        const T* residual = Form::residual(after.formula, after.grid);
        if (k == 0 || bias == nullptr || (Form::has_residual && residual == nullptr)) return false;
        const InType<T> stored_bias(bias, n);
        Addends<T> addends{stored_bias.data(), {}};
        if (residual != nullptr) addends.residual = {residual, n};
        gemm<T>(Cuda<T>{}, 1, m, n, k, Matrix<const T>{x, k}, Matrix<const T>{w, k, true}, Matrix<T>{after.y, n},
                addends);
        return true;
    } else {
        return false;
    }
}

}  // namespace cuda

/// z [m, n] = x w^T for w [n, k], then what follows. z, where its value is to be kept, may be null.
template <class T, class Rows, class S, class Formula>
void product(Cuda<T>, std::int64_t m, std::int64_t n, std::int64_t k, const Rows& x, const float* w, T* z,
             const MapAfter<S, Formula>& after) {
    static_assert(std::is_same_v<S, T>, "the product's value stands where the result goes");
    if (m * n == 0) return;
    const cuda::InType<T> rows(x, m, k), weights(w, n * k);
    if (z == nullptr && cuda::product_with_addends(m, n, k, rows.data(), weights.data(), after)) return;
    T* const sums = z != nullptr ? z : after.y;
    gemm<T>(Cuda<T>{}, 1, m, n, k, Matrix<const T>{rows.data(), k}, Matrix<const T>{weights.data(), k, true},
            Matrix<T>{sums, n});
    if constexpr (std::is_same_v<Formula, kernel::ProductLeaf<T, float>>)
        if (sums == after.y) return;
    Formula formula = after.formula;
    formula.begin_panel(static_cast<const T*>(sums), 0);
    map(Cuda<T>{}, after.grid, formula, after.y);
}

/// Tasks that product_backward cuts m rows into: leaves that sum must have room for so many sums.
template <class T> std::int64_t product_parts(Cuda<T>, std::int64_t m) {
    return cuda::Tasks::by_rows(m).count();
}

/// Pushes dy [m, n] through what followed z = x w^T, dz [m, n] through the product and dx [m, k] through what came
/// before it; the leaves of both formulas say where their gradients go. dw [n, k] = or += dz^T x; it may be null.
template <class T, class Rows, class After, class Before>
void product_backward(Cuda<T>, std::int64_t m, std::int64_t n, std::int64_t k, const After& after, const float* w,
                      const Before& before, const Rows& x, float* dw, bool dw_adds) {
    const cuda::Tasks tasks = cuda::Tasks::by_rows(m);
    if (after.runs) cuda::push<float>(after.grid, tasks, after.formula, after.dy);
    const Matrix<const T> dz{after.dz, n};
    constexpr bool computes_x = !std::is_same_v<Rows, StoredRows<T>>;
    std::shared_ptr<T> dx;
    bool holds_x = false;  // dx, once it was read
    if (before.runs) {
        const cuda::InType<T> weights(w, n * k);
        dx = cuda::scratch<T>(m * k);
        gemm<T>(Cuda<T>{}, 1, m, k, n, dz, Matrix<const T>{weights.data(), k}, Matrix<T>{dx.get(), k});
        holds_x = cuda::push<float, computes_x>(before.grid, tasks, before.formula, static_cast<const T*>(dx.get()),
                                                dx.get());
    }
    if (dw == nullptr) return;
    const cuda::InType<T> rows = holds_x ? cuda::InType<T>(dx.get(), m * k) : cuda::InType<T>(x, m, k);
    gemm<T>(Cuda<T>{}, 1, n, k, m, Matrix<const T>{after.dz, n, true}, Matrix<const T>{rows.data(), k},
            Matrix<float>{dw, k}, dw_adds);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
