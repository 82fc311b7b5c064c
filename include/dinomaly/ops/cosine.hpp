// SPDX-License-Identifier: Apache-2.0
// cosine_similarity: y = a.b / (max(|a|, eps) max(|b|, eps)) over one axis, as PyTorch has it, eps 1e-8.
//
//   da = dy (b / (|a| |b|) - y a / |a|^2),   and db alike; where a norm is below eps its own term is left out
//
// Keeps a, b and, for each vector, y, |a| and |b|.
#pragma once

#include "dinomaly/ops/arithmetic.hpp"
#include "dinomaly/ops/permute.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

inline constexpr double cosine_eps = 1e-8;

/// y, |a| and |b| of one row.
template <class T> struct CosineForward {
    const T *a, *b;
    T *y, *norm_a, *norm_b;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const T *u = a + row * cols, *v = b + row * cols;
        const T dot = lane.sum(cols, [&](auto at) { return at.load(u) * at.load(v); });
        norm_a[row] = math::sqrt(lane.sum(cols, [&](auto at) { return at.load(u) * at.load(u); }));
        norm_b[row] = math::sqrt(lane.sum(cols, [&](auto at) { return at.load(v) * at.load(v); }));
        y[row] = dot / (math::max(T(cosine_eps), norm_a[row]) * math::max(T(cosine_eps), norm_b[row]));
    }
};

/// The gradient of one operand, u, of one row; v is the other.
template <class T> struct CosineBackward {
    const T *u, *v, *y, *norm_u, *norm_v, *dy;
    T* du;
    bool adds;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const T nu = math::max(T(cosine_eps), norm_u[row]), nv = math::max(T(cosine_eps), norm_v[row]);
        const Packet<T> along(dy[row] / (nu * nv));
        const Packet<T> against(norm_u[row] < T(cosine_eps) ? T(0) : dy[row] * y[row] / (nu * nu));
        const T *from = u + row * cols, *other = v + row * cols;
        T* out = du + row * cols;
        lane.each(cols, [&](auto at) {
            const auto d = along * at.load(other) - against * at.load(from);
            at.store(out, adds ? at.load(out) + d : d);
        });
    }
};

}  // namespace kernel

namespace op {

/// Over the last axis: a, b [..., C] -> y [...].
template <Device D> struct CosineSimilarity {
    static constexpr const char* name = "cosine_similarity";
    using T = typename D::value_type;
    Tensor<D> a = {}, b = {}, y = {}, norm_a = {}, norm_b = {};

    Tensor<D> forward(const Tensor<D>& a_, const Tensor<D>& b_) {
        a = a_, b = b_;
        Shape rows;
        for (int i = 0; i + 1 < a.rank(); ++i) rows.push_back(a.size(i));
        y = Tensor<D>(rows), norm_a = Tensor<D>(rows), norm_b = Tensor<D>(rows);
        backend::rows(D{}, y.count(), a.size(-1),
                      kernel::CosineForward<T>{a.data(), b.data(), y.data(), norm_a.data(), norm_b.data(), a.size(-1)});
        return y;
    }
    void backward(const Tensor<D>& dy, Gradient<D> da, Gradient<D> db) const {
        push(a, b, norm_a, norm_b, dy, da);
        push(b, a, norm_b, norm_a, dy, db);
    }

private:
    void push(const Tensor<D>& u, const Tensor<D>& v, const Tensor<D>& norm_u, const Tensor<D>& norm_v,
              const Tensor<D>& dy, const Gradient<D>& du) const {
        if (!du) return;
        const GradTarget<D> target = du.target(u.shape());
        backend::rows(D{}, y.count(), u.size(-1),
                      kernel::CosineBackward<T>{u.data(), v.data(), y.data(), norm_u.data(), norm_v.data(), dy.data(),
                                                target.data, target.adds, u.size(-1)});
    }
};

}  // namespace op

/// Cosine of the angle between a and b, of equal shape, along one axis, which is dropped.
template <Operand A, Operand B, Device D = Full<device_of<A>>> Var<D> cosine_similarity(A&& a, B&& b, int axis = -1) {
    Var<D> u = full(std::forward<A>(a)), v = full(std::forward<B>(b));
    check(u.rank() > 0 && u.shape() == v.shape(), "cosine_similarity", "a ", u.shape(), " and b ", v.shape(),
          ": equal shapes expected");
    if (u.shape().normalize(axis) != u.rank() - 1) {
        std::vector<int> order;
        for (int i = 0; i < u.rank(); ++i)
            if (i != u.shape().normalize(axis)) order.push_back(i);
        order.push_back(u.shape().normalize(axis));
        u = permute(u, order), v = permute(v, order);
    }
    return record(op::CosineSimilarity<D>{}, u, v);
}

}  // namespace dinomaly::inline DINOMALY_ABI
