// SPDX-License-Identifier: Apache-2.0
// Which tensors an encoder has under DINOv2's names, and the sizes that their shapes tell.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/shape.hpp"
#include "dinomaly/encoders/draft.hpp"
#include "dinomaly/encoders/names.hpp"
#include "dinomaly/nn/vit_config.hpp"

namespace dinomaly::encoders {

/// The side of a square with this area, rounded down.
inline std::int64_t side_of(std::int64_t area) {
    return area > 0 ? static_cast<std::int64_t>(std::sqrt(static_cast<double>(area) + 0.5)) : 0;
}

/// Whether a position embedding has a square number of rows: none for the class token.
inline bool is_square(const Shape& position) {
    if (position.rank() != 3) return false;
    const std::int64_t side = side_of(position[1]);
    return side > 0 && side * side == position[1];
}

/// Names and shapes of all tensors of an encoder, in the order in which it uses them; the final norm is optional.
inline std::vector<std::pair<std::string, Shape>> layout_of(const nn::VitConfig& config, bool has_norm = true) {
    std::vector<std::pair<std::string, Shape>> layout;
    const std::int64_t width = config.width, hidden = config.hidden_width();
    const auto add = [&](const std::string& name, const Shape& shape) { layout.emplace_back(name, shape); };
    const auto linear = [&](const std::string& name, std::int64_t in, std::int64_t out) {
        add(name + ".weight", {out, in});
        add(name + ".bias", {out});
    };
    const auto norm = [&](const std::string& name) {
        add(name + ".weight", {width});
        add(name + ".bias", {width});
    };
    add("cls_token", {1, 1, width});
    if (config.position == nn::Position::absolute) add("pos_embed", {1, 1 + config.grid * config.grid, width});
    if (config.registers > 0) add("register_tokens", {1, config.registers, width});
    add("patch_embed.proj.weight", {width, 3, config.patch, config.patch});
    add("patch_embed.proj.bias", {width});
    if (config.position == nn::Position::rotary) add("rope.periods", {config.head_dim() / 4});
    for (std::int64_t i = 0; i < config.depth; ++i) {
        const std::string block = "blocks." + std::to_string(i) + '.';
        norm(block + "norm1");
        linear(block + "attn.qkv", width, 3 * width);
        if (config.position == nn::Position::relative)
            add(block + "attn.rel_table", {nn::relative_table_rows(config.grid), config.heads});
        linear(block + "attn.proj", width, width);
        if (config.has_layer_scale) add(block + "ls1.gamma", {width});
        norm(block + "norm2");
        linear(block + (config.is_gated ? "mlp.w12" : "mlp.fc1"), width, config.is_gated ? 2 * hidden : hidden);
        linear(block + (config.is_gated ? "mlp.w3" : "mlp.fc2"), hidden, width);
        if (config.has_layer_scale) add(block + "ls2.gamma", {width});
    }
    if (has_norm) norm("norm");
    return layout;
}

/// The number of blocks: one more than the largest number among the names.
inline std::int64_t depth_of(const Draft& draft) {
    std::int64_t depth = 0;
    for (const auto& [name, part] : draft.parts)
        if (const Place place = place_of(name); place.block) depth = std::max(depth, *place.block + 1);
    return depth;
}

/// What shapes and the presence of tensors tell of an encoder: all but the heads and the norms' eps. `refusal` opens
/// the text of the Error that is thrown when one that tells a size is missing or has another rank.
inline nn::VitConfig sizes_of(const Draft& draft, std::int64_t depth, bool is_rotary, const std::string& refusal) {
    constexpr std::int64_t most = 65536;
    const auto shape = [&](const std::string& name, int rank, const char* form) {
        check(draft.has(name), draft.file.c_str(), refusal, "\n  missing: ", name, ' ', form);
        const Part& part = draft.parts.at(name);
        const Shape& found = part.tensor.shape;
        check(found.rank() == rank && std::ranges::all_of(found, [](auto n) { return n > 0 && n <= most * most; }),
              draft.file.c_str(), refusal, "\n  of another shape: ", part.source, ": found ", found, ", expected ",
              form);
        return found;
    };
    nn::VitConfig config;
    const char* const projection = "[C, 3, p, p]";
    const Shape embedding = shape("patch_embed.proj.weight", 4, projection);
    check(embedding[0] <= most && embedding[1] == 3 && embedding[2] == embedding[3], draft.file.c_str(), refusal,
          "\n  of another shape: ", draft.parts.at("patch_embed.proj.weight").source, ": found ", embedding,
          ", expected ", projection);
    config.width = embedding[0];
    config.patch = embedding[2];
    config.depth = depth;
    check(depth > 0, draft.file.c_str(), refusal, "\n  missing: blocks.0 and all others");
    if (draft.has("register_tokens")) config.registers = shape("register_tokens", 3, "[1, R, C]")[1];
    config.is_gated = draft.has("blocks.0.mlp.w12.weight") || draft.has("blocks.0.mlp.w3.weight");
    config.hidden = shape(config.is_gated ? "blocks.0.mlp.w3.weight" : "blocks.0.mlp.fc2.weight", 2, "[C, hidden]")[1];
    if (config.hidden == 4 * config.width) config.hidden = 0;
    config.has_layer_scale = draft.has("blocks.0.ls1.gamma");
    if (draft.has("blocks.0.attn.rel_table")) {
        config.position = nn::Position::relative;
        const char* const form = "[(2 g - 1)^2 + 3, heads]";
        const Shape table = shape("blocks.0.attn.rel_table", 2, form);
        config.grid = (side_of(table[0] - 3) + 1) / 2;
        check(table[0] == nn::relative_table_rows(config.grid), draft.file.c_str(), refusal,
              "\n  of another shape: ", draft.parts.at("blocks.0.attn.rel_table").source, ": found ", table,
              ", expected ", form);
    } else if (is_rotary) {
        config.position = nn::Position::rotary;
        config.grid = nn::VitConfig{}.grid;
    } else {
        const char* const form = "[1, 1 + g g, C]";
        const Shape position = shape("pos_embed", 3, form);
        config.grid = side_of(position[1] - 1);
        check(config.grid > 0 && 1 + config.grid * config.grid == position[1], draft.file.c_str(), refusal,
              "\n  of another shape: ", draft.parts.at("pos_embed").source, ": found ", position, ", expected ", form);
    }
    return config;
}

}  // namespace dinomaly::encoders
