// SPDX-License-Identifier: Apache-2.0
// Block: a pre-norm transformer block, x + mixer(norm(x)), then x + mlp(norm(x)).
//
// Mixer is Attention or LinearAttention, Scale is LayerScale (encoders) or NoScale (Dinomaly's decoder), Hidden is Mlp,
// GatedMlp or AnyMlp, one of them chosen when the block is made.
#pragma once

#include <concepts>
#include <variant>

#include "dinomaly/nn/attention.hpp"
#include "dinomaly/nn/gated_mlp.hpp"
#include "dinomaly/nn/layer_norm.hpp"
#include "dinomaly/nn/layer_scale.hpp"
#include "dinomaly/nn/mlp.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> using AnyMlp = std::variant<Mlp<D>, GatedMlp<D>>;

template <Device D, template <Device> class Mixer = Attention, template <Device> class Scale = LayerScale,
          template <Device> class Hidden = Mlp>
struct Block {
    using device = D;

    LayerNorm<D> norm1;
    Mixer<D> attn;
    Scale<D> ls1;
    LayerNorm<D> norm2;
    Hidden<D> mlp;
    Scale<D> ls2;

    Block() = default;
    Block(std::int64_t width, std::int64_t heads,
          double eps) requires std::constructible_from<Hidden<D>, std::int64_t, std::int64_t>
        : norm1(width, eps), attn(width, heads), ls1(width), norm2(width, eps), mlp(width, 4 * width), ls2(width) {}

    /// x [B, N, C] -> [B, N, C]; `places` is what the mixer is told of where tokens lie.
    template <class... Where> Var<D> operator()(const Var<D>& x, const Where&... places) const {
        const Var<D> h = x + ls1(attn(norm1(x), places...));
        return with_module(mlp, [&](const auto& part) -> Var<D> { return h + ls2(part(norm2(h))); });
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
