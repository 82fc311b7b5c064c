// SPDX-License-Identifier: Apache-2.0
// attention: softmax(q k^T / sqrt(d)) v per head; qkv [B, N, 3 H d] -> [B, N, H d], laid out [3, H, d] as DINOv2 does.
//
// When no gradient is wanted (the frozen encoder) the backend's fused form runs, which never stores the N x N weights.
// With a gradient it is composed from single ops, which is also the reference of the fused form's test.
#pragma once

#include <array>

#include "dinomaly/ops/matmul.hpp"
#include "dinomaly/ops/permute.hpp"
#include "dinomaly/ops/reduce.hpp"
#include "dinomaly/ops/reshape.hpp"
#include "dinomaly/ops/slice.hpp"
#include "dinomaly/ops/softmax.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Sizes of an attention over qkv [B, N, 3 * heads * head_dim]. Throws when the last axis does not divide so.
inline backend::AttentionSizes attention_sizes(const char* op, const Shape& qkv, std::int64_t heads) {
    check(qkv.rank() == 3 && heads > 0 && qkv[-1] % (3 * heads) == 0, op, "qkv ", qkv, " with ", heads,
          " heads: qkv [B, N, 3 * heads * head_dim] expected");
    return {qkv[0], qkv[1], heads, qkv[2] / (3 * heads)};
}

/// q, k and v [B, H, N, d] of qkv [B, N, 3 H d].
template <Device D> std::array<Var<D>, 3> split_heads(const char* op, const Var<D>& qkv, std::int64_t heads) {
    const backend::AttentionSizes s = attention_sizes(op, qkv.shape(), heads);
    const Var<D> apart = permute(reshape(qkv, {s.batch, s.tokens, 3, s.heads, s.head_dim}), {2, 0, 3, 1, 4});
    const auto part = [&](std::int64_t i) {
        return reshape(slice(apart, 0, i, 1), {s.batch, s.heads, s.tokens, s.head_dim});
    };
    return {part(0), part(1), part(2)};
}

/// [B, H, N, d] -> [B, N, H d].
template <Device D> Var<D> join_heads(const Var<D>& x) {
    return reshape(permute(x, {0, 2, 1, 3}), {x.size(0), x.size(2), x.size(1) * x.size(3)});
}

/// Softmax attention from single ops.
template <Operand X, Device D = device_of<X>> Var<D> attention_composed(X&& qkv, std::int64_t heads) {
    const auto [q, k, v] = split_heads("attention", as_var(std::forward<X>(qkv)), heads);  // [B, H, N, d]
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
    const Var<D> weights = softmax(matmul(q * scale, transpose(k, -1, -2)));  // [B, H, N, N]
    return join_heads<D>(matmul(weights, v));
}

/// Softmax attention of qkv [B, N, 3 * heads * head_dim] -> [B, N, heads * head_dim]. Vaswani et al., 2017, eq. 1.
template <Operand X, Device D = device_of<X>> Var<D> attention(X&& qkv, std::int64_t heads) {
    const Var<D> input = as_var(std::forward<X>(qkv));
    if (input.wants_grad() && NoGrad::recording()) return attention_composed(input, heads);
    const backend::AttentionSizes sizes = attention_sizes("attention", input.shape(), heads);
    Tensor<D> out({sizes.batch, sizes.tokens, sizes.width()});
    backend::attention_forward(D{}, sizes, input.value().data(), out.data());
    return out;
}

}  // namespace dinomaly::inline DINOMALY_ABI
