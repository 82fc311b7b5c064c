// SPDX-License-Identifier: Apache-2.0
// The names of an encoder's tensors, as tables: what official files, timm and Hugging Face call what DINOv2's files
// call "blocks.3.attn.proj.weight". Only names change here; what has to be joined gets a name between the two, such as
// attn.q, and joined.hpp does the rest.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dinomaly::encoders {

/// `from` is a whole name or its first parts.
struct Rename {
    std::string_view from, to;
};

/// Names outside the blocks.
inline constexpr auto top_names = std::to_array<Rename>({
    // DINOv3
    {"storage_tokens", "register_tokens"},
    {"rope_embed.periods", "rope.periods"},
    {"rope_embeddings.periods", "rope.periods"},
    // timm
    {"reg_token", "register_tokens"},
    // Hugging Face
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.mask_token", "mask_token"},
    {"embeddings.register_tokens", "register_tokens"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection", "patch_embed.proj"},
    {"embeddings.patch_embeddings.proj", "patch_embed.proj"},
    {"embeddings.patch_embeddings", "patch_embed.proj"},
    {"layernorm", "norm"},
});

/// What stands before a block's number.
inline constexpr auto block_prefixes =
    std::to_array<std::string_view>({"blocks.", "encoder.layer.", "model.layer.", "layer.", "layers."});

/// Names behind a block's number; of two that fit, the first counts.
inline constexpr auto block_names = std::to_array<Rename>({
    // BEiT and timm
    {"gamma_1", "ls1.gamma"},
    {"gamma_2", "ls2.gamma"},
    {"attn.relative_position_bias_table", "attn.rel_table"},
    {"mlp.fc1_g", "mlp.w1"},
    {"mlp.fc1_x", "mlp.w2"},
    // Hugging Face: DINOv2 and ViT
    {"attention.attention.query", "attn.q"},
    {"attention.attention.key", "attn.k"},
    {"attention.attention.value", "attn.v"},
    {"attention.output.dense", "attn.proj"},
    {"layer_scale1.lambda1", "ls1.gamma"},
    {"layer_scale2.lambda1", "ls2.gamma"},
    {"mlp.weights_in", "mlp.w12"},
    {"mlp.weights_out", "mlp.w3"},
    {"layernorm_before", "norm1"},
    {"layernorm_after", "norm2"},
    {"intermediate.dense", "mlp.fc1"},
    {"output.dense", "mlp.fc2"},
    // Hugging Face: BEiT
    {"lambda_1", "ls1.gamma"},
    {"lambda_2", "ls2.gamma"},
    {"attention.attention.relative_position_bias.relative_position_bias_table", "attn.rel_table"},
    {"attention.attention.relative_position_bias.relative_position_index", "attn.relative_position_index"},
    // Hugging Face: DINOv3, and since transformers 5 all models in memory
    {"relative_position_bias.relative_position_bias_table", "attn.rel_table"},
    {"relative_position_bias.relative_position_index", "attn.relative_position_index"},
    {"attention.q_proj", "attn.q"},
    {"attention.k_proj", "attn.k"},
    {"attention.v_proj", "attn.v"},
    {"attention.o_proj", "attn.proj"},
    {"mlp.gate_proj", "mlp.gate"},
    {"mlp.up_proj", "mlp.up"},
    {"mlp.down_proj", "mlp.down"},
});

/// Whether a name is `part` or begins with it and a dot.
inline bool begins_with_part(std::string_view name, std::string_view part) {
    return name.starts_with(part) && (name.size() == part.size() || name[part.size()] == '.');
}

/// A name taken apart: the block's number, and what is left of the name.
struct Place {
    std::optional<std::int64_t> block;
    std::string_view rest;
};

namespace detail {

/// Takes "12." off the front; nothing when the name does not begin with a number below 1024 and a dot.
inline std::optional<std::int64_t> take_number(std::string_view& name) {
    constexpr std::int64_t max_blocks = 1024;
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || number < 0 || number >= max_blocks || end == name.data() + name.size() || *end != '.')
        return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()) + 1);
    return number;
}

template <class Table> std::string renamed(std::string_view name, const Table& table) {
    for (const Rename& rename : table)
        if (begins_with_part(name, rename.from)) return std::string(rename.to).append(name.substr(rename.from.size()));
    return std::string(name);
}

}  // namespace detail

/// Takes a name apart. "blocks.1.7.": checkpoints of sharded training have chunks of blocks, numbered throughout.
inline Place place_of(std::string_view name) {
    for (const std::string_view prefix : block_prefixes) {
        if (!name.starts_with(prefix)) continue;
        std::string_view rest = name.substr(prefix.size());
        std::optional<std::int64_t> block = detail::take_number(rest);
        if (!block) continue;
        if (const auto in_chunk = detail::take_number(rest)) block = in_chunk;
        return {block, rest};
    }
    return {std::nullopt, name};
}

/// The tensor's name between the naming of its file and ours.
inline std::string rename(const Place& place) {
    if (!place.block) return detail::renamed(place.rest, top_names);
    return "blocks." + std::to_string(*place.block) + '.' + detail::renamed(place.rest, block_names);
}

}  // namespace dinomaly::encoders
