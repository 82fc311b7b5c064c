// SPDX-License-Identifier: Apache-2.0
// What some files keep in several tensors, or leave out, as one: queries, keys and values; the two halves of a gated
// MLP; biases that are zero; the class token's position where the class token holds it already.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/encoders/draft.hpp"

namespace dinomaly::encoders {

namespace detail {

/// attn.{q,k,v}.weight -> attn.qkv.weight, and their biases; where no block has one for keys, it is zero.
inline void join_queries(Draft& draft, const std::string& attn, bool keys_have_bias) {
    const std::array<std::string, 3> names{attn + "q.", attn + "k.", attn + "v."};
    if (!draft.has(names[0] + "weight")) return;
    std::vector<Part> weights, biases;
    const bool has_bias = draft.has(names[0] + "bias");
    for (const std::string& name : names) {
        const bool may_lack_bias = !has_bias || (name == names[1] && !keys_have_bias);
        check(draft.has(name + "weight"), draft.file.c_str(), "has a tensor for \"", names[0],
              "weight\" and none for \"", name, "weight\"");
        check(may_lack_bias || draft.has(name + "bias"), draft.file.c_str(), "has a tensor for \"", names[0],
              "bias\" and none for \"", name, "bias\"");
        weights.push_back(draft.take(name + "weight"));
        const io::RawTensor& weight = weights.back().tensor;
        check(weight.shape.rank() == 2, draft.file.c_str(), '"', weights.back().source, "\" has shape ", weight.shape,
              "; [C, C] expected");
        const bool is_there = has_bias && draft.has(name + "bias");
        biases.push_back(is_there ? draft.take(name + "bias") : Part{zeros_like(weight, {weight.shape[0]}), ""});
    }
    draft.put(attn + "qkv.weight", joined(draft.file, weights));
    if (has_bias) draft.put(attn + "qkv.bias", joined(draft.file, biases));
}

/// attn.{q_bias,v_bias} -> attn.qkv.bias with zeros for the keys.
inline void join_biases(Draft& draft, const std::string& attn) {
    if (!draft.has(attn + "q_bias") || !draft.has(attn + "v_bias")) return;
    const Part q = draft.take(attn + "q_bias"), v = draft.take(attn + "v_bias");
    draft.put(attn + "qkv.bias", joined(draft.file, {q, Part{zeros_like(q.tensor, q.tensor.shape), ""}, v}));
}

/// attn.qkv.bias_mask, DINOv3's: 1 for queries and values, 0 for keys, whose biases are zero therefore. Untrained files
/// hold NaN there.
inline void apply_bias_mask(Draft& draft, const std::string& attn) {
    if (!draft.has(attn + "qkv.bias_mask") || !draft.has(attn + "qkv.bias")) return;
    const Part mask = draft.take(attn + "qkv.bias_mask");
    Part& bias = draft.parts.at(attn + "qkv.bias");
    const std::vector<float> values = mask.tensor.as<float>(draft.file + ": " + mask.source);
    check(bias.tensor.shape == mask.tensor.shape && mask.tensor.shape.rank() == 1 && values.size() % 3 == 0,
          draft.file.c_str(), '"', mask.source, "\" has shape ", mask.tensor.shape, " and \"", bias.source, "\" ",
          bias.tensor.shape, "; both [3 C] expected");
    const std::size_t third = values.size() / 3;
    for (std::size_t i = 0; i < values.size(); ++i)
        check(std::isnan(values[i]) || values[i] == (i / third == 1 ? 0.0F : 1.0F), draft.file.c_str(), '"',
              mask.source, "\" holds ", values[i], " at ", i, "; 1 for queries and values, 0 for keys expected");
    const std::size_t bytes = bias.tensor.bytes.size() / 3;
    std::vector<std::byte> masked(bias.tensor.bytes.view.begin(), bias.tensor.bytes.view.end());
    std::fill_n(masked.begin() + static_cast<std::ptrdiff_t>(bytes), bytes, std::byte{0});
    bias.tensor.bytes = io::SharedBytes::own(std::move(masked));
}

/// A linear layer under another name, with its bias if it has one.
inline void move_linear(Draft& draft, const std::string& from, const std::string& to) {
    for (const char* part : {".weight", ".bias"})
        if (draft.has(from + part)) draft.move(from + part, to + part);
}

/// Gated MLPs: gate, up and down, or w1, w2 and w3 or fc2, or a packed fc1 with fc2 -> w12 and w3. And what is not
/// gated -> fc1 and fc2.
inline void join_mlp(Draft& draft, const std::string& mlp) {
    const bool is_gated = draft.has(mlp + "gate.weight");
    move_linear(draft, mlp + "gate", mlp + "w1");
    move_linear(draft, mlp + "up", mlp + (is_gated ? "w2" : "fc1"));
    move_linear(draft, mlp + "down", mlp + (is_gated ? "w3" : "fc2"));
    if (draft.has(mlp + "w1.weight") && draft.has(mlp + "w2.weight")) {
        move_linear(draft, mlp + "fc2", mlp + "w3");
        for (const char* part : {"weight", "bias"}) {
            if (!draft.has(mlp + "w1." + part) || !draft.has(mlp + "w2." + part)) continue;
            const Part gate = draft.take(mlp + "w1." + part), up = draft.take(mlp + "w2." + part);
            draft.put(mlp + "w12." + part, joined(draft.file, {gate, up}));
        }
    }
    if (!draft.has(mlp + "fc1.weight") || !draft.has(mlp + "fc2.weight")) return;
    const Shape first = draft.shape(mlp + "fc1.weight"), second = draft.shape(mlp + "fc2.weight");
    if (first.rank() == 2 && second.rank() == 2 && second[1] > 0 && first[0] == 2 * second[1]) {
        move_linear(draft, mlp + "fc1", mlp + "w12");
        move_linear(draft, mlp + "fc2", mlp + "w3");
    }
}

}  // namespace detail

/// Brings the tensors of `depth` blocks to the form in which we keep them.
inline void join_blocks(Draft& draft, std::int64_t depth) {
    std::vector<std::string> blocks;
    for (std::int64_t i = 0; i < depth; ++i) blocks.push_back("blocks." + std::to_string(i) + '.');
    const auto any_has = [&](const char* name) {
        return std::ranges::any_of(blocks, [&](const std::string& block) { return draft.has(block + name); });
    };
    const bool keys_have_bias = any_has("attn.k.bias");
    for (const std::string& block : blocks) {
        detail::join_queries(draft, block + "attn.", keys_have_bias);
        detail::join_biases(draft, block + "attn.");
        detail::apply_bias_mask(draft, block + "attn.");
        detail::join_mlp(draft, block + "mlp.");
    }
    if (any_has("attn.qkv.bias")) return;
    for (const std::string& block : blocks) {
        if (!draft.has(block + "attn.qkv.weight")) continue;
        const io::RawTensor weight = draft.parts.at(block + "attn.qkv.weight").tensor;
        if (weight.shape.rank() == 2)
            draft.put(block + "attn.qkv.bias", Part{zeros_like(weight, {weight.shape[0]}), ""});
    }
}

/// pos_embed [1, g g, C], of timm: the class token's position is added to the class token already. Puts a row of zeros
/// in front: [1, 1 + g g, C].
inline void add_class_position(Draft& draft) {
    const Part patches = draft.take("pos_embed");
    const Part zero{zeros_like(patches.tensor, {1, 1, patches.tensor.shape[2]}), ""};
    draft.put("pos_embed", joined(draft.file, {zero, patches}, 1));
}

}  // namespace dinomaly::encoders
