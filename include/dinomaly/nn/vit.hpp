// SPDX-License-Identifier: Apache-2.0
// VisionTransformer: the encoder of DINOv2, DINOv3, BEiT and their relatives (Dosovitskiy et al., 2021; Oquab et al.,
// 2024; Darcet et al., 2024; Simeoni et al., 2025).
//
// tokens = [class, registers, patches]. What families differ in is a part that is there or not: a position embedding
// that is added to class and patches before the registers are put in, a rotation of queries and keys, a bias of scores;
// an MLP or a gated one; layer scales.
#pragma once

#include <cstdint>
#include <vector>

#include "dinomaly/nn/block.hpp"
#include "dinomaly/nn/patch_embed.hpp"
#include "dinomaly/nn/rotary_position.hpp"
#include "dinomaly/nn/vit_config.hpp"
#include "dinomaly/ops/concat.hpp"
#include "dinomaly/ops/resample.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> using EncoderBlock = Block<D, Attention, LayerScale, AnyMlp>;

/// A block with the parts that a configuration names.
template <Device D> EncoderBlock<D> encoder_block(const VitConfig& c) {
    EncoderBlock<D> block;
    block.norm1 = LayerNorm<D>(c.width, c.eps);
    block.attn = Attention<D>(c.width, c.heads);
    if (c.position == Position::relative) block.attn.bias = RelativeBias<D>(c.grid, c.heads);
    block.ls1 = LayerScale<D>(c.width, c.has_layer_scale);
    block.norm2 = LayerNorm<D>(c.width, c.eps);
    if (c.is_gated)
        block.mlp = GatedMlp<D>(c.width, c.hidden_width());
    else
        block.mlp = Mlp<D>(c.width, c.hidden_width());
    block.ls2 = LayerScale<D>(c.width, c.has_layer_scale);
    return block;
}

template <Device D> struct VisionTransformer {
    VitConfig config;
    Param<D> cls_token, pos_embed, register_tokens;
    RotaryPosition<D> rope;
    PatchEmbed<D> patch_embed;
    std::vector<EncoderBlock<D>> blocks;
    LayerNorm<D> norm;  // published with most encoders, and not applied

    VisionTransformer() = default;
    /// Zeros, to be filled by io/checkpoint.hpp or nn/init.hpp. Throws for parts that do not fit each other.
    explicit VisionTransformer(const VitConfig& c)
        : config(c), cls_token(zeros<Full<D>>({1, 1, c.width})), patch_embed(c.width, c.patch), norm(c.width, c.eps) {
        check(c.position != Position::relative || c.registers == 0, "encoder", c.registers,
              " registers, which relative positions do not know: none expected");
        if (c.position == Position::absolute) pos_embed = zeros<Full<D>>({1, 1 + c.grid * c.grid, c.width});
        if (c.position == Position::rotary) rope = RotaryPosition<D>(c.head_dim());
        if (c.registers > 0) register_tokens = zeros<Full<D>>({1, c.registers, c.width});
        for (std::int64_t i = 0; i < c.depth; ++i) blocks.push_back(encoder_block<D>(c));
    }

    /// The absolute embedding of a grid of h x w patches, class token first: [1, 1 + h w, C]. It was learned on a
    /// square grid and is resized bicubically.
    Var<Full<D>> position(std::int64_t h, std::int64_t w) const {
        const std::int64_t grid = config.grid, width = config.width;
        if (h == grid && w == grid) return pos_embed;
        const Var<Full<D>> plane =
            permute(reshape(slice(pos_embed, 1, 1, grid * grid), {grid, grid, width}), {2, 0, 1});
        const double offset = config.resize == PositionResize::offset ? 0.1 : 0;
        const auto scale = [&](std::int64_t side) {
            return (static_cast<double>(side) + offset) / static_cast<double>(grid);
        };
        const Var<Full<D>> resized = resize_bicubic(plane, h, w, scale(h), scale(w));  // [C, h, w]
        const Var<Full<D>> rows = reshape(permute(resized, {1, 2, 0}), {1, h * w, width});
        return concat({slice(pos_embed, 1, 0, 1), rows}, 1);
    }

    /// What the attention of each block is told of h x w patches.
    Places<D> places(std::int64_t h, std::int64_t w) const { return {h, w, rope(h, w)}; }

    /// What enters the first block: image [B, 3, H, W] -> [B, 1 + registers + h w, C].
    Var<D> tokens(const Var<Full<D>>& image) const {
        const std::int64_t batch = image.size(0);
        const Var<D> patches = patch_embed(image);  // [B, h w, C]
        const Var<D> every = zeros<D>({batch, 1, 1});
        const Var<D> cls = every + cls_token;  // [B, 1, C]
        Var<D> x = concat({cls, patches}, 1);
        if (config.position == Position::absolute)
            x = x + position(image.size(2) / config.patch, image.size(3) / config.patch);
        if (config.registers == 0) return x;
        const Var<D> registers = every + register_tokens;  // [B, R, C]
        return concat({slice(x, 1, 0, 1), registers, slice(x, 1, 1, x.size(1) - 1)}, 1);
    }

    /// Runs blocks 0 .. last on an image and calls visit(i, x) with the output [B, N, C] of each; the final norm is not
    /// applied, as Dinomaly reads the blocks.
    template <class Visit> void operator()(const Var<Full<D>>& image, std::int64_t last, const Visit& visit) const {
        check(last < static_cast<std::int64_t>(blocks.size()), "encoder", "block ", last, " of ", blocks.size());
        Var<D> x = tokens(image);
        const Places<D> where = places(image.size(2) / config.patch, image.size(3) / config.patch);
        for (std::int64_t i = 0; i <= last; ++i) {
            x = blocks[static_cast<std::size_t>(i)](x, where);
            visit(i, x);
        }
    }

    void each(auto&& visit) {
        visit("cls_token", cls_token);
        visit("pos_embed", pos_embed);
        visit("register_tokens", register_tokens);
        visit("rope", rope);
        visit("patch_embed", patch_embed);
        visit("blocks", blocks);
        visit("norm", norm);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
