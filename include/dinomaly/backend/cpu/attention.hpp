// SPDX-License-Identifier: Apache-2.0
// Softmax attention on the CPU, forward only, without the N x N matrix: for each head, 64 queries at a time.
//
// The scores of a block of queries stay in cache (64 x N), become weights in place and meet the values at once. Reads
// q, k and v where the qkv projection left them, [B, N, 3, H, d], and writes [B, N, H, d].
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "dinomaly/backend/cpu/gemm.hpp"
#include "dinomaly/backend/cpu/rows.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Sizes of an attention: qkv [batch, tokens, 3, heads, head_dim].
struct AttentionSizes {
    std::int64_t batch, tokens, heads, head_dim;

    std::int64_t width() const { return heads * head_dim; }
};

namespace detail {

/// x = exp(x - its largest), in place; returns the sum.
template <class T> T exp_row(T* x, std::int64_t n) {
    const Lane<T> lane;
    const Packet<T> largest(lane.max(n, [&](auto at) { return at.load(x); }));
    return lane.sum(n, [&](auto at) {
        const Packet<T> e = math::exp(at.load(x) - largest);
        at.store(x, e);
        return e;
    });
}

}  // namespace detail

/// out = softmax(q k^T / sqrt(head_dim)) v for every head.
template <class T> void attention_forward(Cpu<T>, const AttentionSizes& s, const T* qkv, T* out) {
    constexpr std::int64_t block = 64;
    const std::int64_t blocks = (s.tokens + block - 1) / block, stride = 3 * s.width();
    const T scale = T(1) / std::sqrt(static_cast<T>(s.head_dim));
    parallel_for(s.batch * s.heads, [&](std::int64_t task) {
        const std::int64_t batch = task / s.heads, head = task % s.heads;
        const T* q = qkv + batch * s.tokens * stride + head * s.head_dim;
        const T *k = q + s.width(), *v = k + s.width();
        T* to = out + batch * s.tokens * s.width() + head * s.head_dim;
        const std::shared_ptr<void> scratch =
            Cpu<T>::allocate(static_cast<std::size_t>(block * (s.tokens + s.head_dim)) * sizeof(T));
        T* scores = static_cast<T*>(scratch.get());
        T* queries = scores + block * s.tokens;
        for (std::int64_t i = 0; i < blocks; ++i) {
            const std::int64_t first = i * block, rows = std::min(block, s.tokens - first);
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t c = 0; c < s.head_dim; ++c)
                    queries[r * s.head_dim + c] = q[(first + r) * stride + c] * scale;
            gemm_serial<T>(rows, s.tokens, s.head_dim, {queries, s.head_dim}, {k, stride, true}, {scores, s.tokens});
            T sums[block];
            for (std::int64_t r = 0; r < rows; ++r) sums[r] = detail::exp_row(scores + r * s.tokens, s.tokens);
            T* o = to + first * s.width();
            gemm_serial<T>(rows, s.head_dim, s.tokens, {scores, s.tokens}, {v, stride}, {o, s.width()});
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t c = 0; c < s.head_dim; ++c) o[r * s.width() + c] /= sums[r];
        }
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
