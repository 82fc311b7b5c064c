// SPDX-License-Identifier: Apache-2.0
// Attention: proj(softmax attention(qkv(x))), multi-head, as in ViT (Dosovitskiy et al., 2021).
#pragma once

#include "dinomaly/nn/linear.hpp"
#include "dinomaly/ops/attention.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct Attention {
    Linear<D> qkv, proj;
    std::int64_t heads = 1;

    Attention() = default;
    Attention(std::int64_t width, std::int64_t heads_) : qkv(width, 3 * width), proj(width, width), heads(heads_) {}

    /// x [B, N, C] -> [B, N, C], as part of a formula.
    template <Operand X> auto operator()(X&& x) const { return proj(attention(qkv(std::forward<X>(x)), heads)); }

    void each(auto&& visit) {
        visit("qkv", qkv);
        visit("proj", proj);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
