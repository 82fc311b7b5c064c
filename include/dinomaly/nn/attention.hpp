// SPDX-License-Identifier: Apache-2.0
// Attention: proj(softmax attention(qkv(x))), multi-head, as in ViT (Dosovitskiy et al., 2021).
//
// Tokens hold their places, or attention is told of them: queries and keys are turned (rotary), or a bias is added to
// the scores (relative).
#pragma once

#include "dinomaly/nn/linear.hpp"
#include "dinomaly/nn/relative_bias.hpp"
#include "dinomaly/ops/attention.hpp"
#include "dinomaly/ops/rotary.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

/// What attention is told of a picture's patches: how many there are down and across, and their rotation.
template <Device D> struct Places {
    std::int64_t rows = 0, cols = 0;
    Rotation<Full<D>> rotation = {};
};

template <Device D> struct Attention {
    Linear<D> qkv, proj;
    std::int64_t heads = 1;
    RelativeBias<D> bias;  // mostly undefined

    Attention() = default;
    Attention(std::int64_t width, std::int64_t heads_) : qkv(width, 3 * width), proj(width, width), heads(heads_) {}

    /// x [B, N, C] -> [B, N, C], as part of a formula.
    template <Operand X> auto operator()(X&& x, const Places<D>& places = {}) const {
        Var<D> z = qkv(std::forward<X>(x));  // [B, N, 3 C]
        if (places.rotation.defined()) z = rotary(z, places.rotation, heads);
        return proj(bias.defined() ? attention(z, heads, bias(places.rows, places.cols)) : attention(z, heads));
    }

    void each(auto&& visit) {
        visit("qkv", qkv);
        visit("proj", proj);
        visit("rel_table", bias.table);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
