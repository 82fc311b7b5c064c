// SPDX-License-Identifier: Apache-2.0
// LinearAttention: proj(linear attention(qkv(x))), the mixer of Dinomaly's decoder: unable to focus, it cannot pass an
// anomaly through to the reconstruction. With is_softmax it is softmax attention instead, to compare the two.
#pragma once

#include "dinomaly/nn/linear.hpp"
#include "dinomaly/ops/attention.hpp"
#include "dinomaly/ops/linear_attention.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct LinearAttention {
    Linear<D> qkv, proj;
    std::int64_t heads = 1;
    double eps = 0;
    bool is_softmax = false;

    LinearAttention() = default;
    LinearAttention(std::int64_t width, std::int64_t heads_)
        : qkv(width, 3 * width), proj(width, width), heads(heads_) {}

    /// x [B, N, C] -> [B, N, C], as part of a formula.
    template <Operand X> auto operator()(X&& x) const {
        const Var<D> mixed = is_softmax ? attention(qkv(std::forward<X>(x)), heads)
                                        : linear_attention(qkv(std::forward<X>(x)), heads, eps);
        return proj(mixed);
    }

    void each(auto&& visit) {
        visit("qkv", qkv);
        visit("proj", proj);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
