// SPDX-License-Identifier: Apache-2.0
// Which family an encoder is of, and whose names its file has: read off names that only they have.
#pragma once

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "dinomaly/encoders/names.hpp"

namespace dinomaly::encoders {

/// What names tell about an encoder.
struct Family {
    std::string name;    ///< "DINOv3"
    std::string naming;  ///< "official", "timm", "Hugging Face" or "ours"
    std::string reason;  ///< "it has storage_tokens"
};

/// The names that an encoder has, without prefix and numbers.
struct Evidence {
    std::set<std::string, std::less<>> top;     ///< outside the blocks
    std::set<std::string, std::less<>> blocks;  ///< behind the number of some block
    std::string prefix;                         ///< what stood before all of them
    bool has_zero_class_position = false;       ///< the class token's position is 0, as beside sines and cosines

    bool begins(std::string_view start) const {
        const auto found = top.lower_bound(start);
        return found != top.end() && found->starts_with(start);
    }
};

namespace detail {

/// The plain network that DINO, iBOT, MAE, DeiT, MoCo-v3 and D-iGPT share: what stands beside it tells them apart.
inline Family plain_family(const Evidence& seen, const std::string& naming) {
    const auto family = [&](const char* name, const std::string& reason) { return Family{name, naming, reason}; };
    if (seen.prefix.find("base_encoder.") != std::string::npos ||
        seen.prefix.find("momentum_encoder.") != std::string::npos)
        return family("MoCo-v3", "its names begin with " + seen.prefix);
    if (seen.begins("ar_") || seen.begins("kd_")) return family("D-iGPT", "it has ar_* or kd_*");
    if (seen.begins("masked_embed")) return family("iBOT", "it has masked_embed");
    if (seen.begins("decoder_") || seen.begins("mask_token") || seen.begins("embeddings.mask_token"))
        return family("MAE", "it has a mask token or decoder_*, and no layer scale");
    if (seen.begins("head")) return family("DeiT", "a plain network with a classifier, head");
    if (seen.has_zero_class_position)
        return family("MAE or MoCo-v3",
                      "a plain network whose class token has position zero, as beside sines and cosines");
    return family("DINO", "a plain network: no layer scale, registers, rotary or relative positions");
}

}  // namespace detail

/// The family of an encoder with these names; the nearest, when it is none.
inline Family recognise_family(const Evidence& seen) {
    const auto top = [&](std::string_view name) { return seen.top.contains(name); };
    const auto block = [&](std::string_view name) { return seen.blocks.contains(name); };
    const bool is_hugging_face = seen.begins("embeddings.");
    const char* const naming = is_hugging_face ? "Hugging Face" : "official";

    if (top("storage_tokens")) return {"DINOv3", "official", "it has storage_tokens"};
    if (top("rope_embed.periods")) return {"DINOv3", "official", "it has rope_embed.periods"};
    if (top("rope.periods")) return {"DINOv3", "ours", "it has rope.periods"};
    if (top("reg_token") && !top("pos_embed")) return {"DINOv3", "timm", "it has reg_token, and no pos_embed"};
    if (top("embeddings.patch_embeddings.weight"))
        return {"DINOv3", naming, "it has embeddings.patch_embeddings.weight, with no .projection"};
    if (block("attn.rel_table")) return {"BEiT", "ours", "its blocks have attn.rel_table"};
    for (const char* const table : {"attn.relative_position_bias_table",
                                    "attention.attention.relative_position_bias.relative_position_bias_table",
                                    "relative_position_bias.relative_position_bias_table"})
        if (block(table)) return {"BEiT", naming, std::string("its blocks have ") + table};
    if (top("embeddings.register_tokens"))
        return {"DINOv2 with registers", naming, "it has embeddings.position_embeddings and register_tokens"};
    if (block("layer_scale1.lambda1"))
        return {"DINOv2", naming, "it has embeddings.position_embeddings, and blocks have layer_scale1, no registers"};
    if (top("reg_token")) return {"DINOv2 with registers", "timm", "it has reg_token and pos_embed"};
    if (top("register_tokens")) return {"DINOv2 with registers", "official", "it has register_tokens"};
    if (block("ls1.gamma")) return {"DINOv2", "official", "its blocks have ls1.gamma, and it has no registers"};
    return detail::plain_family(seen, naming);
}

/// A tensor that files of a family have beside what is used, by its name behind the prefix and number.
struct Unused {
    std::string_view name;    ///< a whole name or its first parts; with * at its end, whatever begins so
    std::string_view family;  ///< the family's name begins so
};

/// Tensors that are left alone: they serve training, or stand behind the last block.
inline constexpr auto unused_names = std::to_array<Unused>({
    {"mask_token", ""},
    {"head", ""},
    {"head_dist", "DeiT"},
    {"fc_norm", ""},
    {"pooler", ""},
    {"attn.relative_position_index", "BEiT"},
    {"local_cls_norm", "DINOv3"},
    {"masked_embed", "iBOT"},
    {"decoder_*", "MAE"},
    {"decoder_*", "D-iGPT"},
    {"ar_*", "D-iGPT"},
    {"kd_*", "D-iGPT"},
    {"mask", "D-iGPT"},
});

/// Whether a tensor (renamed, without the block's number) is known to be of no use in an encoder of this family.
inline bool is_unused(std::string_view name, const std::string& family) {
    return std::ranges::any_of(unused_names, [&](const Unused& unused) {
        if (!family.starts_with(unused.family)) return false;
        if (unused.name.ends_with('*')) return name.starts_with(unused.name.substr(0, unused.name.size() - 1));
        return begins_with_part(name, unused.name);
    });
}

}  // namespace dinomaly::encoders
