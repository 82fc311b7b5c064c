// SPDX-License-Identifier: Apache-2.0
// Linear attention on the CPU, forward and backward, one head a task; only qkv is kept between the two.
//
//   p = elu(q) + 1, r = elu(k) + 1             [N, d]
//   S = r^T v [d, d],  s = sum of r [d],  n = p s + eps [N],  out = (p S) / n
// Backward, with e = dout / n and h = -sum_c(dout * out) / n [N]:
//   dp = e S^T + h s^T,  dS = p^T e,  ds = p^T h,  dr = v dS^T + ds,  dv = r dS
//   dq = dp * elu'(q),   dk = dr * elu'(k)
// qkv is [B, N, 3, H, d] as the projection left it; out and dout are [B, N, H, d]. All in between is in full precision.
#pragma once

#include <cstdint>

#include "dinomaly/backend/cpu/attention.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// One head of a linear attention and its scratch memory.
template <class S, class T> class LinearAttentionHead : public Head<S> {
public:
    LinearAttentionHead(const AttentionSizes& sizes, const S* qkv, std::int64_t task, std::int64_t extra)
        : Head<S>(sizes, qkv, task),
          n_(sizes.tokens),
          d_(sizes.head_dim),
          scratch_(scratch<T>(2 * n_ * d_ + d_ * d_ + d_ + n_ + extra)) {
        p = scratch_.get(), r = p + n_ * d_, state = r + n_ * d_, sum = state + d_ * d_;
        norm = sum + d_, more = norm + n_;
    }

    /// p, r, state, sum and norm from q, k and v, each read once.
    void prepare(T eps) {
        lane_.each(d_, [&](auto at) {
            Packet<T> total(T(0));
            for (std::int64_t i = 0; i < n_; ++i) {
                const Packet<T> z = feature(at.load(this->k + i * this->stride));
                at.store(r + i * d_, z);
                total += z;
            }
            at.store(sum, total);
        });
        for (std::int64_t i = 0; i < n_; ++i)
            norm[i] = eps + lane_.sum(d_, [&](auto at) {
                const Packet<T> z = feature(at.load(this->q + i * this->stride));
                at.store(p + i * d_, z);
                return z * at.load(sum);
            });
        gemm_serial<T>(d_, d_, n_, Matrix<const T>{r, d_, true}, Matrix<const S>{this->v, this->stride},
                       Matrix<T>{state, d_});
    }

    T *p, *r;  // [N, d] features of q and k
    T* state;  // [d, d]
    T* sum;    // [d]
    T* norm;   // [N]
    T* more;   // the extra memory asked for

private:
    /// elu(x) + 1.
    static Packet<T> feature(Packet<T> x) {
        return math::select(x > Packet<T>(T(0)), x + Packet<T>(T(1)), math::exp(math::min(Packet<T>(T(0)), x)));
    }

    std::int64_t n_, d_;
    std::shared_ptr<T> scratch_;
    Lane<T> lane_;
};

}  // namespace detail

/// out [B, N, H, d] from qkv [B, N, 3, H, d].
template <class S>
void linear_attention_forward(Cpu<S>, const AttentionSizes& s, typename Cpu<S>::compute_type eps, const S* qkv,
                              S* out) {
    using T = typename Cpu<S>::compute_type;
    const std::int64_t n = s.tokens, d = s.head_dim;
    parallel_for(s.batch * s.heads, [&](std::int64_t task) {
        detail::LinearAttentionHead<S, T> head(s, qkv, task, 0);
        head.prepare(eps);
        for (std::int64_t i = 0; i < n; ++i)
            Lane<T>{}.each(d, [&](auto at) {
                T* p = head.p + i * d;
                at.store(p, at.load(p) / Packet<T>(head.norm[i]));
            });
        gemm_serial<T>(n, d, d, Matrix<const T>{head.p, d}, Matrix<const T>{head.state, d},
                       Matrix<S>{head.of(out), s.width()});
    });
}

/// dqkv [B, N, 3, H, d] from qkv, out and dout [B, N, H, d]; adds to dqkv on request.
template <class S>
void linear_attention_backward(Cpu<S>, const AttentionSizes& s, typename Cpu<S>::compute_type eps, const S* qkv,
                               const S* out, const S* dout, S* dqkv, bool adds) {
    using T = typename Cpu<S>::compute_type;
    const std::int64_t n = s.tokens, d = s.head_dim, width = s.width();
    parallel_for(s.batch * s.heads, [&](std::int64_t task) {
        detail::LinearAttentionHead<S, T> head(s, qkv, task, 2 * n * d + d * d + d + n);
        head.prepare(eps);
        const Lane<T> lane;
        T *e = head.more, *dx = e + n * d, *dstate = dx + n * d, *dsum = dstate + d * d, *h = dsum + d;
        const S *o = head.of(out), *grad = head.of(dout);
        for (std::int64_t i = 0; i < n; ++i) {
            const Packet<T> inverse(T(1) / head.norm[i]);
            lane.each(d, [&](auto at) { at.store(e + i * d, at.load(grad + i * width) * inverse); });
            h[i] = -lane.sum(d, [&](auto at) { return at.load(e + i * d) * at.load(o + i * width); });
        }
        const auto multiply = [&]<class A>(std::int64_t m, std::int64_t k, Matrix<const A> a, Matrix<const T> b, T* c) {
            gemm_serial<T>(m, d, k, a, b, Matrix<T>{c, d});
        };
        multiply(d, n, Matrix<const T>{head.p, d, true}, {e, d}, dstate);
        lane.each(d, [&](auto at) {
            Packet<T> total(T(0));
            for (std::int64_t i = 0; i < n; ++i) total += Packet<T>(h[i]) * at.load(head.p + i * d);
            at.store(dsum, total);
        });

        S* dq = dqkv + (head.q - qkv);
        const auto store = [&](S* to, auto at, Packet<T> x) { at.store(to, adds ? at.load(to) + x : x); };
        const auto slope = [](Packet<T> feature) {  // elu' from elu + 1
            return math::select(feature > Packet<T>(T(1)), Packet<T>(T(1)), feature);
        };
        multiply(n, d, Matrix<const T>{e, d}, {head.state, d, true}, dx);
        for (std::int64_t i = 0; i < n; ++i)
            lane.each(d, [&](auto at) {
                const Packet<T> dp = at.load(dx + i * d) + Packet<T>(h[i]) * at.load(head.sum);
                store(dq + i * head.stride, at, dp * slope(at.load(head.p + i * d)));
            });
        multiply(n, d, Matrix<const S>{head.v, head.stride}, {dstate, d, true}, dx);
        for (std::int64_t i = 0; i < n; ++i)
            lane.each(d, [&](auto at) {
                const Packet<T> dr = at.load(dx + i * d) + at.load(dsum);
                store(dq + width + i * head.stride, at, dr * slope(at.load(head.r + i * d)));
            });
        multiply(n, d, Matrix<const T>{head.r, d}, {dstate, d}, dx);
        for (std::int64_t i = 0; i < n; ++i)
            lane.each(d, [&](auto at) { store(dq + 2 * width + i * head.stride, at, at.load(dx + i * d)); });
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
