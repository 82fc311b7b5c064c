// SPDX-License-Identifier: Apache-2.0
// Linear attention on the CPU, forward and backward, one head a task; only qkv is kept between the two.
//
//   p = elu(q) + 1, r = elu(k) + 1             [N, d]
//   S = r^T v [d, d],  s = sum of r [d],  n = p s + eps [N],  out = (p S) / n
// Backward, with e = dout / n and h = -sum_c(dout * out) / n [N]:
//   dp = e S^T + h s^T,  dS = p^T e,  ds = p^T h,  dr = v dS^T + ds,  dv = r dS
//   dq = dp * elu'(q),   dk = dr * elu'(k)
// qkv is [B, N, 3, H, d] as the projection left it; out and dout are [B, N, H, d].
#pragma once

#include <cstdint>

#include "dinomaly/backend/cpu/attention.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// One head of a linear attention and its scratch memory.
template <class T> class LinearAttentionHead {
public:
    LinearAttentionHead(const AttentionSizes& sizes, const T* qkv, std::int64_t task, std::int64_t extra)
        : n_(sizes.tokens),
          d_(sizes.head_dim),
          width_(sizes.width()),
          origin_((task / sizes.heads) * n_ * width_ + (task % sizes.heads) * d_),
          q_(qkv + (task / sizes.heads) * n_ * 3 * width_ + (task % sizes.heads) * d_),
          scratch_(Cpu<T>::allocate(static_cast<std::size_t>(2 * n_ * d_ + d_ * d_ + d_ + n_ + extra) * sizeof(T))) {
        p = static_cast<T*>(scratch_.get()), r = p + n_ * d_, state = r + n_ * d_, sum = state + d_ * d_;
        norm = sum + d_, more = norm + n_;
    }

    std::int64_t stride() const { return 3 * width_; }
    const T* q() const { return q_; }
    const T* k() const { return q_ + width_; }
    const T* v() const { return q_ + 2 * width_; }
    /// This head's part of a [B, N, H, d] tensor.
    template <class P> P* of(P* tensor) const { return tensor + origin_; }

    /// p, r, state, sum and norm from q, k and v.
    void prepare(T eps) {
        feature(q(), p);
        feature(k(), r);
        gemm_serial<T>(d_, d_, n_, {r, d_, true}, {v(), stride()}, {state, d_});
        std::fill_n(sum, d_, T(0));
        for (std::int64_t i = 0; i < n_; ++i) add_scaled(r + i * d_, T(1), sum);
        for (std::int64_t i = 0; i < n_; ++i)
            norm[i] = lane_.sum(d_, [&](auto at) { return at.load(p + i * d_) * at.load(sum); }) + eps;
    }

    /// y [d] += a * x [d].
    void add_scaled(const T* x, T a, T* y) const {
        lane_.each(d_, [&](auto at) { at.store(y, at.load(y) + Packet<T>(a) * at.load(x)); });
    }

    T *p, *r;  // [N, d] features of q and k
    T* state;  // [d, d]
    T* sum;    // [d]
    T* norm;   // [N]
    T* more;   // the extra memory asked for

private:
    /// y = elu(x) + 1, x with qkv's stride.
    void feature(const T* x, T* y) const {
        for (std::int64_t i = 0; i < n_; ++i)
            lane_.each(d_, [&](auto at) {
                const Packet<T> z = at.load(x + i * stride());
                at.store(y + i * d_, math::select(z > Packet<T>(T(0)), z + Packet<T>(T(1)),
                                                  math::exp(math::min(Packet<T>(T(0)), z))));
            });
    }

    std::int64_t n_, d_, width_, origin_;
    const T* q_;
    std::shared_ptr<void> scratch_;
    Lane<T> lane_;
};

}  // namespace detail

/// out [B, N, H, d] from qkv [B, N, 3, H, d].
template <class T> void linear_attention_forward(Cpu<T>, const AttentionSizes& s, T eps, const T* qkv, T* out) {
    const std::int64_t n = s.tokens, d = s.head_dim;
    parallel_for(s.batch * s.heads, [&](std::int64_t task) {
        detail::LinearAttentionHead<T> head(s, qkv, task, 0);
        head.prepare(eps);
        T* o = head.of(out);
        gemm_serial<T>(n, d, d, {head.p, d}, {head.state, d}, {o, s.width()});
        for (std::int64_t i = 0; i < n; ++i)
            Lane<T>{}.each(
                d, [&](auto at) { at.store(o + i * s.width(), at.load(o + i * s.width()) / Packet<T>(head.norm[i])); });
    });
}

/// dqkv [B, N, 3, H, d] from qkv, out and dout [B, N, H, d]; adds to dqkv on request.
template <class T>
void linear_attention_backward(Cpu<T>, const AttentionSizes& s, T eps, const T* qkv, const T* out, const T* dout,
                               T* dqkv, bool adds) {
    const std::int64_t n = s.tokens, d = s.head_dim, width = s.width();
    parallel_for(s.batch * s.heads, [&](std::int64_t task) {
        detail::LinearAttentionHead<T> head(s, qkv, task, 2 * n * d + d * d + d + n);
        head.prepare(eps);
        const Lane<T> lane;
        T *e = head.more, *dx = e + n * d, *dstate = dx + n * d, *dsum = dstate + d * d, *h = dsum + d;
        const T *o = head.of(out), *grad = head.of(dout);
        for (std::int64_t i = 0; i < n; ++i) {
            const Packet<T> inverse(T(1) / head.norm[i]);
            lane.each(d, [&](auto at) { at.store(e + i * d, at.load(grad + i * width) * inverse); });
            h[i] = -lane.sum(d, [&](auto at) { return at.load(e + i * d) * at.load(o + i * width); });
        }
        gemm_serial<T>(d, d, n, {head.p, d, true}, {e, d}, {dstate, d});
        std::fill_n(dsum, d, T(0));
        for (std::int64_t i = 0; i < n; ++i) head.add_scaled(head.p + i * d, h[i], dsum);

        T* dq = dqkv + (head.q() - qkv);
        const auto store = [&](T* to, auto at, Packet<T> x) { at.store(to, adds ? at.load(to) + x : x); };
        const auto slope = [](Packet<T> feature) {  // elu' from elu + 1
            return math::select(feature > Packet<T>(T(1)), Packet<T>(T(1)), feature);
        };
        gemm_serial<T>(n, d, d, {e, d}, {head.state, d, true}, {dx, d});
        for (std::int64_t i = 0; i < n; ++i)
            lane.each(d, [&](auto at) {
                const Packet<T> dp = at.load(dx + i * d) + Packet<T>(h[i]) * at.load(head.sum);
                store(dq + i * head.stride(), at, dp * slope(at.load(head.p + i * d)));
            });
        gemm_serial<T>(n, d, d, {head.v(), head.stride()}, {dstate, d, true}, {dx, d});
        for (std::int64_t i = 0; i < n; ++i)
            lane.each(d, [&](auto at) {
                const Packet<T> dr = at.load(dx + i * d) + at.load(dsum);
                store(dq + width + i * head.stride(), at, dr * slope(at.load(head.r + i * d)));
            });
        gemm_serial<T>(n, d, d, {head.r, d}, {dstate, d}, {dx, d});
        for (std::int64_t i = 0; i < n; ++i)
            lane.each(d, [&](auto at) { store(dq + 2 * width + i * head.stride(), at, at.load(dx + i * d)); });
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
