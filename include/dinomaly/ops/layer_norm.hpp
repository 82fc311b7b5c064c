// SPDX-License-Identifier: Apache-2.0
// layer_norm: y = (x - mean) / sqrt(var + eps) * w + b over the last axis; x [..., C], w [C], b [C] -> y [..., C].
//
// With n = (x - mean) * rstd and g = dy * w:
//     dx = rstd * (g - mean(g) - n * mean(g * n)),   dw = sum of dy * n,   db = sum of dy
// Keeps x, and mean and rstd [rows, 1]. The variance is that of the centred values (two passes over a row that is in
// cache), because mean(x^2) - mean(x)^2 cancels where the variance is small.
#pragma once

#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

/// Statistics and result of one row; S is the type of x and y.
template <class S, class T> struct LayerNormForward {
    const S* x;
    const T *w, *b;
    S* y;
    T *mean, *rstd;
    std::int64_t cols;
    double eps;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const S* in = x + row * cols;
        S* out = y + row * cols;
        const T center = lane.sum(cols, [&](auto at) { return at.load(in); }) / T(cols);
        const T variance = lane.sum(cols, [&](auto at) {
            const auto d = at.load(in) - Packet<T>(center);
            return d * d;
        }) / T(cols);
        const T scale = T(1) / math::sqrt(variance + T(eps));
        mean[row] = center;
        rstd[row] = scale;
        lane.each(cols, [&](auto at) {
            const auto n = (at.load(in) - Packet<T>(center)) * Packet<T>(scale);
            at.store(out, n * at.load(w) + at.load(b));
        });
    }
};

/// dx of one row.
template <class S, class T> struct LayerNormBackward {
    const S* x;
    const T* w;
    const S* dy;
    const T *mean, *rstd;
    S* dx;
    bool adds;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const S *in = x + row * cols, *grad = dy + row * cols;
        S* out = dx + row * cols;
        const Packet<T> center(mean[row]), scale(rstd[row]);
        const T mean_g = lane.sum(cols, [&](auto at) { return at.load(grad) * at.load(w); }) / T(cols);
        const T mean_gn = lane.sum(cols, [&](auto at) {
            return at.load(grad) * at.load(w) * (at.load(in) - center) * scale;
        }) / T(cols);
        lane.each(cols, [&](auto at) {
            const auto n = (at.load(in) - center) * scale;
            const auto d = scale * (at.load(grad) * at.load(w) - Packet<T>(mean_g) - n * Packet<T>(mean_gn));
            at.store(out, adds ? at.load(out) + d : d);
        });
    }
};

}  // namespace kernel

namespace op {

template <Device D> struct LayerNorm {
    static constexpr const char* name = "layer_norm";
    using S = typename D::value_type;
    using T = typename D::compute_type;

    double eps;
    Tensor<D> x = {};
    Tensor<Full<D>> w = {}, b = {}, mean = {}, rstd = {};

    Tensor<D> forward(const Tensor<D>& x_, const Tensor<Full<D>>& w_, const Tensor<Full<D>>& b_) {
        check(x_.rank() >= 1 && w_.shape() == Shape{x_.size(-1)} && b_.shape() == w_.shape(), name, "x ", x_.shape(),
              ", w ", w_.shape(), " and b ", b_.shape(), ": x [..., C], w [C] and b [C] expected");
        x = x_, w = w_, b = b_;
        Shape rows = x.shape();
        rows[-1] = 1;
        Tensor<D> y(x.shape());
        mean = Tensor<Full<D>>(rows), rstd = Tensor<Full<D>>(rows);
        backend::rows(D{}, rows.count(), x.size(-1),
                      kernel::LayerNormForward<S, T>{x.data(), w.data(), b.data(), y.data(), mean.data(), rstd.data(),
                                                     x.size(-1), eps});
        return y;
    }

    void backward(const Tensor<D>& dy, Gradient<D> dx, Gradient<Full<D>> dw, Gradient<Full<D>> db) const {
        if constexpr (requires { sizeof(backend::LayerNormPass<D>); })
            if ((dw || db) && x.size(-1) <= backend::LayerNormPass<D>::most) return push_at_once(dy, dx, dw, db);
        if (dw || db) {  // the affine part is a formula of its own: its backward pass sums over the rows
            const Var<Full<D>> scale(w, dw.node()), shift(b, db.node());
            const auto affine = (x - mean) * rstd * scale + shift;
            detail::Plan<D, std::remove_const_t<decltype(affine)>>(affine, false).push(dy);
        }
        if (!dx) return;
        const GradTarget<D> target = dx.target(x.shape());
        backend::rows(D{}, mean.count(), x.size(-1),
                      kernel::LayerNormBackward<S, T>{x.data(), w.data(), dy.data(), mean.data(), rstd.data(),
                                                      target.data, target.adds, x.size(-1)});
    }

private:
    /// All gradients in one pass, where the device has that.
    void push_at_once(const Tensor<D>& dy, const Gradient<D>& dx, const Gradient<Full<D>>& dw,
                      const Gradient<Full<D>>& db) const {
        const std::int64_t cols = x.size(-1);
        Tensor<Full<D>> sums({2, cols});
        const GradTarget<D> target = dx ? dx.target(x.shape()) : GradTarget<D>{};
        backend::LayerNormPass<D>::backward(mean.count(), cols, x.data(), w.data(), dy.data(), mean.data(), rstd.data(),
                                            target.data, target.adds, sums.data());
        dw.accumulate(sums.rows(0, 1).reshape({cols}));
        db.accumulate(sums.rows(1, 1).reshape({cols}));
    }
};

}  // namespace op

/// Normalises over the last axis: x [..., C], w [C], b [C] -> [..., C]. Ba et al., Layer Normalization, 2016.
template <Operand X, Device D = device_of<X>>
Var<D> layer_norm(X&& x, const Var<Full<D>>& w, const Var<Full<D>>& b, double eps) {
    return record(op::LayerNorm<D>{eps}, as_var(std::forward<X>(x)), w, b);
}

}  // namespace dinomaly::inline DINOMALY_ABI
