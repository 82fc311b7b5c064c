// SPDX-License-Identifier: Apache-2.0
// Softmax attention on the CPU, forward and backward, without the N x N matrix (Dao et al., FlashAttention, 2022).
//
// A task is a head of a picture, or a part of its queries. 48 queries at a time meet the keys in stretches of a few
// hundred: their scores stand in cache, a running maximum m and sum l make weights of them, and the result so far is
// rescaled when the maximum grows. Forward keeps log sum exp of each row [B, H, N]; backward computes the weights
// again:
//
// A bias, where there is one, is added to the scores; only forward knows it.
//
//   P = exp(S - lse),  dV = P^T dO,  dS = P (dO V^T - sum_c dO O),  dQ = dS K scale,  dK = dS^T Q scale
//
// q, k and v are read where the qkv projection left them, [B, N, 3, H, d]; out is [B, N, H, d].
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/rows.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// One head of one picture: where its rows lie in qkv and in a [B, N, H, d] tensor.
template <class S> struct Head {
    const S *q, *k, *v;
    std::int64_t stride, out_stride, out_offset, lse_offset;

    Head(const AttentionSizes& s, const S* qkv, std::int64_t index)
        : q(qkv + index / s.heads * s.tokens * 3 * s.width() + index % s.heads * s.head_dim),
          k(q + s.width()),
          v(k + s.width()),
          stride(3 * s.width()),
          out_stride(s.width()),
          out_offset(index / s.heads * s.tokens * s.width() + index % s.heads * s.head_dim),
          lse_offset(index * s.tokens) {}

    template <class P> P* of(P* tensor) const { return tensor + out_offset; }
};

inline constexpr std::int64_t key_stretch = 320;  // keys whose scores with 48 queries stay in the second cache

/// Keys of each stretch: whole panels, about equally many.
inline std::int64_t stretch_of(std::int64_t keys) {
    constexpr std::int64_t panel = Tile<float>::cols;
    const std::int64_t stretches = (keys + key_stretch - 1) / key_stretch;
    return ((keys + stretches - 1) / stretches + panel - 1) / panel * panel;
}

/// x = exp(x - top) for a row of scores, written as weights; returns their sum.
template <class T, class S> T weights_of(const T* scores, std::int64_t n, T top, S* weights) {
    const Lane<T> lane;
    return lane.sum(n, [&](auto at) {
        const Packet<T> e = math::exp(at.load(scores) - Packet<T>(top));
        at.store(weights, e);
        return e;
    });
}

/// Some queries of a head against all its keys. The stretches' weights are stored in S for the product with v.
template <class S, class T> class QueryBlock {
public:
    /// bias [N, N] of the head, or null.
    QueryBlock(const AttentionSizes& s, const Head<S>& head, const Panels<S>& keys, const Panels<S>& values,
               const T* bias)
        : s_(s),
          head_(head),
          keys_(keys),
          values_(values),
          bias_(bias),
          stretch_(stretch_of(s.tokens)),
          queries_(scratch<S>(RowPanels::most * s.head_dim)),
          weights_(scratch<S>(RowPanels::most * stretch_)),
          scores_(scratch<T>(RowPanels::most * stretch_)),
          sums_(scratch<T>(RowPanels::most * s.head_dim)) {}

    /// out of queries first .. first + rows - 1, and their lse unless it is null.
    void run(std::int64_t first, std::int64_t rows, S* out, T* lse) {
        const std::int64_t d = s_.head_dim;
        const Lane<T> lane;
        const Packet<T> scale(T(1) / std::sqrt(static_cast<T>(d)));
        for (std::int64_t r = 0; r < rows; ++r) {
            const S* q = head_.q + (first + r) * head_.stride;
            lane.each(d, [&](auto at) { at.store(queries_.get() + r * d, at.load(q) * scale); });
            top_[r] = -std::numeric_limits<T>::infinity(), total_[r] = 0;
        }
        for (std::int64_t key = 0; key < s_.tokens; key += stretch_) add_stretch(first, rows, key);
        for (std::int64_t r = 0; r < rows; ++r) {
            const Packet<T> inverse(T(1) / total_[r]);
            S* to = head_.of(out) + (first + r) * head_.out_stride;
            lane.each(d, [&](auto at) { at.store(to, at.load(sums_.get() + r * d) * inverse); });
            if (lse != nullptr) lse[head_.lse_offset + first + r] = top_[r] + std::log(total_[r]);
        }
    }

private:
    void add_stretch(std::int64_t first, std::int64_t rows, std::int64_t key) {
        const std::int64_t d = s_.head_dim, n = std::min(stretch_, s_.tokens - key);
        const std::int64_t weights_stride = (n + 1) / 2 * 2;  // whole words of bfloat16
        const Lane<T> lane;
        multiply_rows(rows, n, d, Matrix<const S>{queries_.get(), d}, keys_.from(0, key), Matrix<T>{scores_.get(), n},
                      false);
        if (bias_ != nullptr) add_bias(first, rows, key, n);
        for (std::int64_t r = 0; r < rows; ++r) {
            const T* scores = scores_.get() + r * n;
            S* weights = weights_.get() + r * weights_stride;
            const T top = std::max(top_[r], lane.max(n, [&](auto at) { return at.load(scores); }));
            const T shrink = std::exp(top_[r] - top);
            top_[r] = top;
            total_[r] = total_[r] * shrink + weights_of(scores, n, top, weights);
            if (n < weights_stride) weights[n] = S{};
            if (key > 0 && shrink != T(1)) {
                T* sums = sums_.get() + r * d;
                lane.each(d, [&](auto at) { at.store(sums, at.load(sums) * Packet<T>(shrink)); });
            }
        }
        // The values' panels hold zeros where the keys end, so a last half word may be multiplied.
        const std::int64_t k = std::is_same_v<S, bfloat16> ? weights_stride : n;
        multiply_rows(rows, d, k, Matrix<const S>{weights_.get(), weights_stride}, values_.from(key, 0),
                      Matrix<T>{sums_.get(), d}, key > 0);
    }

    /// scores [rows, n] += bias of queries from `first` and keys from `key` on.
    void add_bias(std::int64_t first, std::int64_t rows, std::int64_t key, std::int64_t n) {
        for (std::int64_t r = 0; r < rows; ++r) {
            T* scores = scores_.get() + r * n;
            const T* bias = bias_ + (first + r) * s_.tokens + key;
            Lane<T>{}.each(n, [&](auto at) { at.store(scores, at.load(scores) + at.load(bias)); });
        }
    }

    const AttentionSizes& s_;
    const Head<S>& head_;
    const Panels<S>&keys_, &values_;
    const T* bias_;
    std::int64_t stretch_;
    std::shared_ptr<S> queries_, weights_;
    std::shared_ptr<T> scores_, sums_;
    T top_[RowPanels::most], total_[RowPanels::most];
};

}  // namespace detail

/// out [B, N, H, d] = softmax(q k^T / sqrt(d) + bias) v for every head of qkv [B, N, 3, H, d]; lse [B, H, N] and
/// bias [H, N, N] unless null.
template <class S>
void attention_forward(Cpu<S>, const AttentionSizes& s, const S* qkv, S* out, typename Cpu<S>::compute_type* lse,
                       const typename Cpu<S>::compute_type* bias = nullptr) {
    using T = typename Cpu<S>::compute_type;
    const std::int64_t heads = s.batch * s.heads, threads = thread_pool().threads();
    const std::int64_t blocks = (s.tokens + RowPanels::most - 1) / RowPanels::most;
    // A head is shared by several threads where there are too few; each packs its keys anew.
    const std::int64_t parts = heads % threads == 0 ? 1 : std::clamp<std::int64_t>(4 * threads / heads, 1, blocks);
    parallel_for(heads * parts, [&](std::int64_t task) {
        const detail::Head<S> head(s, qkv, task / parts);
        const Panels<S> keys(s.head_dim, s.tokens, Matrix<const S>{head.k, head.stride, true});
        const Panels<S> values(s.tokens, s.head_dim, Matrix<const S>{head.v, head.stride});
        const std::int64_t number = task / parts % s.heads;
        const T* head_bias = bias == nullptr ? nullptr : bias + number * s.tokens * s.tokens;
        detail::QueryBlock<S, T> block(s, head, keys, values, head_bias);
        for (std::int64_t i = blocks * (task % parts) / parts; i < blocks * (task % parts + 1) / parts; ++i) {
            const std::int64_t first = i * RowPanels::most;
            block.run(first, std::min(RowPanels::most, s.tokens - first), out, lse);
        }
    });
}

/// dqkv [B, N, 3, H, d] from qkv, out, lse and dout [B, N, H, d]; adds to dqkv on request.
template <class S>
void attention_backward(Cpu<S>, const AttentionSizes& s, const S* qkv, const S* out,
                        const typename Cpu<S>::compute_type* lse, const S* dout, S* dqkv, bool adds) {
    using T = typename Cpu<S>::compute_type;
    parallel_for(s.batch * s.heads, [&](std::int64_t task) {
        const detail::Head<S> head(s, qkv, task);
        const std::int64_t d = s.head_dim, n = s.tokens, stretch = detail::stretch_of(n), stride = head.stride;
        const T scale = T(1) / std::sqrt(static_cast<T>(d));
        const Lane<T> lane;
        const std::shared_ptr<T> memory = scratch<T>(n + n * d + 2 * stretch * d + 2 * RowPanels::most * stretch);
        T *sum = memory.get(), *dq = sum + n, *dk = dq + n * d, *dv = dk + stretch * d, *p = dv + stretch * d,
          *ds = p + RowPanels::most * stretch;  // sum [N] is that of dO O over the channels
        const S *o = head.of(out), *grad = head.of(dout);
        for (std::int64_t i = 0; i < n; ++i)
            sum[i] = lane.sum(
                d, [&](auto at) { return at.load(o + i * head.out_stride) * at.load(grad + i * head.out_stride); });
        const auto store = [&](const T* rows, std::int64_t count, T factor, S* to) {
            for (std::int64_t i = 0; i < count; ++i)
                lane.each(d, [&](auto at) {
                    const Packet<T> x = at.load(rows + i * d) * Packet<T>(factor);
                    at.store(to + i * stride, adds ? at.load(to + i * stride) + x : x);
                });
        };
        S* to = dqkv + (head.q - qkv);
        for (std::int64_t key = 0; key < n; key += stretch) {
            const std::int64_t keys = std::min(stretch, n - key);
            const Matrix<const S> k{head.k + key * stride, stride}, v{head.v + key * stride, stride};
            const auto transposed = [](Matrix<const S> x) { return Matrix<const S>{x.data, x.stride, true}; };
            for (std::int64_t i = 0; i < n; i += RowPanels::most) {
                const std::int64_t rows = std::min(RowPanels::most, n - i);
                const Matrix<const S> q{head.q + i * stride, stride}, g{grad + i * head.out_stride, head.out_stride};
                const Matrix<T> weights{p, keys}, slopes{ds, keys};
                gemm_serial<T>(rows, keys, d, q, transposed(k), weights);
                gemm_serial<T>(rows, keys, d, g, transposed(v), slopes);
                for (std::int64_t r = 0; r < rows; ++r)
                    lane.each(keys, [&](auto at) {
                        T *weight = p + r * keys, *slope = ds + r * keys;
                        const Packet<T> e =
                            math::exp(at.load(weight) * Packet<T>(scale) - Packet<T>(lse[head.lse_offset + i + r]));
                        at.store(weight, e);
                        at.store(slope, e * (at.load(slope) - Packet<T>(sum[i + r])));
                    });
                const Matrix<const T> weights_t{p, keys, true}, slopes_t{ds, keys, true};
                gemm_serial<T>(keys, d, rows, weights_t, g, Matrix<T>{dv, d}, i > 0);
                gemm_serial<T>(keys, d, rows, slopes_t, q, Matrix<T>{dk, d}, i > 0);
                gemm_serial<T>(rows, d, keys, Matrix<const T>{ds, keys}, k, Matrix<T>{dq + i * d, d}, key > 0);
            }
            store(dk, keys, scale, to + s.width() + key * stride);
            store(dv, keys, T(1), to + 2 * s.width() + key * stride);
        }
        store(dq, n, scale, to);
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
