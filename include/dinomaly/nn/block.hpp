// SPDX-License-Identifier: Apache-2.0
// Block: a pre-norm transformer block, x + mixer(norm(x)), then x + mlp(norm(x)).
//
// Mixer is Attention or LinearAttention, Scale is LayerScale (DINOv2's encoder) or NoScale (Dinomaly's decoder).
#pragma once

#include "dinomaly/nn/attention.hpp"
#include "dinomaly/nn/layer_norm.hpp"
#include "dinomaly/nn/layer_scale.hpp"
#include "dinomaly/nn/mlp.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D, template <Device> class Mixer = Attention, template <Device> class Scale = LayerScale>
struct Block {
    using device = D;

    LayerNorm<D> norm1;
    Mixer<D> attn;
    Scale<D> ls1;
    LayerNorm<D> norm2;
    Mlp<D> mlp;
    Scale<D> ls2;

    Block() = default;
    Block(std::int64_t width, std::int64_t heads, double eps)
        : norm1(width, eps), attn(width, heads), ls1(width), norm2(width, eps), mlp(width, 4 * width), ls2(width) {}

    Var<D> operator()(const Var<D>& x) const {
        const Var<D> h = x + ls1(attn(norm1(x)));  // [B, N, C]
        return h + ls2(mlp(norm2(h)));             // [B, N, C]
    }

    void each(auto&& visit) {
        visit("norm1", norm1);
        visit("attn", attn);
        visit("ls1", ls1);
        visit("norm2", norm2);
        visit("mlp", mlp);
        visit("ls2", ls2);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
