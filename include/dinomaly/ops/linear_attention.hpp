// SPDX-License-Identifier: Apache-2.0
// linear_attention: attention whose cost grows with N, not N^2; qkv [B, N, 3 H d] -> [B, N, H d].
//
//   p = elu(q) + 1, r = elu(k) + 1,   out = p (r^T v) / (p . sum(r) + eps)
//
// Katharopoulos et al., Transformers are RNNs, 2020; Dinomaly's decoder uses it with eps 0. Keeps qkv and the result.
// linear_attention_composed is the same formula from single ops: the reference that the fused form is tested against.
#pragma once

#include "dinomaly/ops/activation.hpp"
#include "dinomaly/ops/attention.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

template <Device D> struct LinearAttention {
    static constexpr const char* name = "linear_attention";
    std::int64_t heads;
    double eps;
    Tensor<D> qkv = {}, out = {};

    Tensor<D> forward(const Tensor<D>& input) {
        const backend::AttentionSizes sizes = attention_sizes(name, input.shape(), heads);
        qkv = input;
        out = Tensor<D>({sizes.batch, sizes.tokens, sizes.width()});
        backend::linear_attention_forward(D{}, sizes, static_cast<typename D::compute_type>(eps), qkv.data(),
                                          out.data());
        return out;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const GradTarget<D> target = dx.target(qkv.shape());
        backend::linear_attention_backward(D{}, attention_sizes(name, qkv.shape(), heads),
                                           static_cast<typename D::compute_type>(eps), qkv.data(), out.data(),
                                           dy.data(), target.data, target.adds);
    }
};

}  // namespace op

/// Linear attention of qkv [B, N, 3 * heads * head_dim] -> [B, N, heads * head_dim]. eps keeps the denominator from
/// zero; the paper's authors use 0 and advise 1e-6 when a loss is NaN.
template <Operand X, Device D = device_of<X>> Var<D> linear_attention(X&& qkv, std::int64_t heads, double eps = 0) {
    return record(op::LinearAttention<D>{heads, eps}, as_var(std::forward<X>(qkv)));
}

/// The same from single ops, in full precision.
template <Operand X, Device D = Full<device_of<X>>>
Var<D> linear_attention_composed(X&& qkv, std::int64_t heads, double eps = 0) {
    const auto [q, k, v] = split_heads("linear_attention", full(std::forward<X>(qkv)), heads);  // [B, H, N, d]
    const Var<D> p = elu(q) + 1, r = elu(k) + 1;
    const Var<D> state = matmul(transpose(r, -1, -2), v);                             // [B, H, d, d]
    const Var<D> norm = matmul(p, transpose(sum(r, {-2}, Keep::yes), -1, -2)) + eps;  // [B, H, N, 1]
    return join_heads<D>(matmul(p, state) / norm);
}

}  // namespace dinomaly::inline DINOMALY_ABI
