// SPDX-License-Identifier: Apache-2.0
// attention: softmax(q k^T / sqrt(d)) v per head; qkv [B, N, 3 H d] -> [B, N, H d], laid out [3, H, d] as DINOv2 does.
//
//   S = q k^T / sqrt(d),  P = softmax(S),  out = P v
//   dv = P^T dout,  dS = P (dout v^T - sum(dout out)),  dq = dS k / sqrt(d),  dk = dS^T q / sqrt(d)
//
// The backend never stores the N x N weights; qkv, the result and a number a row are kept. attention_composed is the
// same formula from single ops: the reference that the fused form is tested against, and the form with a bias that is
// learned, P = softmax(S + bias).
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

namespace op {

template <Device D> struct Attention {
    static constexpr const char* name = "attention";
    std::int64_t heads;
    Tensor<D> qkv = {}, out = {};
    Tensor<Full<D>> lse = {};  // log of the sum of exponentials of each row of scores, [B, H, N]

    Tensor<D> forward(const Tensor<D>& input) {
        const backend::AttentionSizes sizes = attention_sizes(name, input.shape(), heads);
        qkv = input;
        out = Tensor<D>({sizes.batch, sizes.tokens, sizes.width()});
        lse = Tensor<Full<D>>({sizes.batch, sizes.heads, sizes.tokens});
        backend::attention_forward(D{}, sizes, qkv.data(), out.data(), lse.data());
        return out;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const GradTarget<D> target = dx.target(qkv.shape());
        backend::attention_backward(D{}, attention_sizes(name, qkv.shape(), heads), qkv.data(), out.data(), lse.data(),
                                    dy.data(), target.data, target.adds);
    }
};

}  // namespace op

/// Softmax attention of qkv [B, N, 3 * heads * head_dim] -> [B, N, heads * head_dim]. Vaswani et al., 2017, eq. 1.
template <Operand X, Device D = device_of<X>> Var<D> attention(X&& qkv, std::int64_t heads) {
    return record(op::Attention<D>{heads}, as_var(std::forward<X>(qkv)));
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

/// Softmax attention from single ops, in full precision; bias [H, N, N], where defined, is added to the scores.
template <Operand X, Device D = Full<device_of<X>>>
Var<D> attention_composed(X&& qkv, std::int64_t heads, const Var<D>& bias = {}) {
    const auto [q, k, v] = split_heads("attention", full(std::forward<X>(qkv)), heads);  // [B, H, N, d]
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
    Var<D> scores = matmul(q * scale, transpose(k, -1, -2));  // [B, H, N, N]
    if (bias.value().defined()) scores = scores + bias;
    return join_heads<D>(matmul(softmax(scores), v));
}

/// Softmax attention with a bias [heads, N, N] of the scores, whose gradient is passed on.
template <Operand X, Device D = device_of<X>> Var<D> attention(X&& qkv, std::int64_t heads, const Var<Full<D>>& bias) {
    const Shape& shape = qkv.shape();
    const backend::AttentionSizes s = attention_sizes("attention", shape, heads);
    check(bias.shape() == Shape({s.heads, s.tokens, s.tokens}), "attention", "qkv ", shape, " and bias ", bias.shape(),
          ": bias [heads, N, N] expected");
    return in<D>(attention_composed(std::forward<X>(qkv), heads, bias));
}

}  // namespace dinomaly::inline DINOMALY_ABI
