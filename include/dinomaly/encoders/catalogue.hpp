// SPDX-License-Identifier: Apache-2.0
// The encoders that are known by name: what they are made of, where they come from, and on which terms.
//
// Sources: for architectures the families' own code, for licences the LICENSE files and READMEs of their repositories.
// What Dinomaly reached with them stands in published_results.hpp, how it is used with them in recommended.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dinomaly/nn/vit_config.hpp"

namespace dinomaly::encoders {

/// A licence of weights, and what is to be known before they are used; nothing where a notice is all that it asks for.
struct Licence {
    std::string_view name, note{};
};

/// Encoders that were trained alike and are published in one place.
struct Publication {
    std::string_view name, repository;  ///< the latter at GitHub
    Licence licence;
    bool has_mask_token = false;  ///< the files hold one more token, which is never used
};

/// One encoder.
struct CatalogueEntry {
    std::string_view key;  ///< FAMILY_vit_WIDTH_PATCH, as the authors' load(name) takes it
    Publication family;
    nn::VitConfig vit;
    std::string_view file;  ///< as it is published
    std::string_view note{};
};

namespace detail {

inline constexpr Licence apache{"Apache-2.0"}, mit{"MIT"}, non_commercial{"CC-BY-NC-4.0", "not for commercial use"},
    not_stated{"none stated", "its repository names no licence: ask its authors"},
    dinov3_licence{"DINOv3 License",
                   "Meta's own: free of charge, for commercial use too. The weights and what is derived from them may "
                   "be passed on under the same agreement only, with a copy of it; publications acknowledge them; not "
                   "for military, nuclear or espionage ends"};

inline constexpr Publication dinov2_family{"DINOv2", "facebookresearch/dinov2", apache, true},
    dinov3_family{"DINOv3", "facebookresearch/dinov3", dinov3_licence, true},
    dino_family{"DINO", "facebookresearch/dino", apache}, ibot_family{"iBOT", "bytedance/ibot", apache, true},
    mae_family{"MAE", "facebookresearch/mae", non_commercial}, deit_family{"DeiT", "facebookresearch/deit", apache},
    moco_family{"MoCo-v3", "facebookresearch/moco-v3", non_commercial},
    digpt_family{"D-iGPT", "OliverRensu/D-iGPT", not_stated}, beit_family{"BEiT", "microsoft/unilm", mit},
    beitv2_family{"BEiTv2", "microsoft/unilm", mit};

inline constexpr nn::VitConfig vit_small{.width = 384, .depth = 12, .heads = 6},
    vit_base{.width = 768, .depth = 12, .heads = 12}, vit_large{.width = 1024, .depth = 24, .heads = 16},
    vit_giant{.width = 1536, .depth = 40, .heads = 24, .hidden = 4096, .is_gated = true};

constexpr nn::VitConfig with_registers(nn::VitConfig vit) {
    vit.registers = 4;
    return vit;
}

constexpr nn::VitConfig dinov3(nn::VitConfig vit) {
    vit.patch = 16, vit.registers = 4, vit.grid = 14, vit.eps = 1e-5;
    vit.position = nn::Position::rotary;
    return vit;
}

/// S+: the small one with a gated MLP.
constexpr nn::VitConfig dinov3_plus() {
    nn::VitConfig vit = dinov3(vit_small);
    vit.hidden = 1536, vit.is_gated = true;
    return vit;
}

/// DINO's network, pre-trained at 224 x 224, which others took over.
constexpr nn::VitConfig plain(nn::VitConfig vit, std::int64_t patch = 16) {
    vit.patch = patch, vit.grid = 224 / patch, vit.has_layer_scale = false;
    return vit;
}

/// MoCo-v3's small one has 12 heads of 32, not 6 of 64.
constexpr nn::VitConfig moco_small() {
    nn::VitConfig vit = plain(vit_small);
    vit.heads = 12;
    return vit;
}

constexpr nn::VitConfig beit() {
    nn::VitConfig vit = vit_base;
    vit.patch = 16, vit.grid = 14, vit.position = nn::Position::relative;
    return vit;
}

constexpr std::string_view mae_note = "in the paper better at --size 256 --crop 224";
constexpr std::string_view moco_note = "trained with 12 heads of 32; the authors of Dinomaly run it with 6 of 64";

inline constexpr CatalogueEntry catalogue[] = {
    {"dinov2reg_vit_small_14", dinov2_family, with_registers(vit_small), "dinov2_vits14_reg4_pretrain.pth"},
    {"dinov2reg_vit_base_14", dinov2_family, with_registers(vit_base), "dinov2_vitb14_reg4_pretrain.pth"},
    {"dinov2reg_vit_large_14", dinov2_family, with_registers(vit_large), "dinov2_vitl14_reg4_pretrain.pth"},
    {"dinov2reg_vit_giant_14", dinov2_family, with_registers(vit_giant), "dinov2_vitg14_reg4_pretrain.pth"},
    {"dinov2_vit_small_14", dinov2_family, vit_small, "dinov2_vits14_pretrain.pth"},
    {"dinov2_vit_base_14", dinov2_family, vit_base, "dinov2_vitb14_pretrain.pth"},
    {"dinov2_vit_large_14", dinov2_family, vit_large, "dinov2_vitl14_pretrain.pth"},
    {"dinov2_vit_giant_14", dinov2_family, vit_giant, "dinov2_vitg14_pretrain.pth"},

    {"dinov3_vit_small_16", dinov3_family, dinov3(vit_small), "dinov3_vits16_pretrain_lvd1689m-08c60483.pth"},
    {"dinov3_vit_smallplus_16", dinov3_family, dinov3_plus(), "dinov3_vits16plus_pretrain_lvd1689m-4057cbaa.pth"},
    {"dinov3_vit_base_16", dinov3_family, dinov3(vit_base), "dinov3_vitb16_pretrain_lvd1689m-73cec8be.pth"},
    {"dinov3_vit_large_16", dinov3_family, dinov3(vit_large), "dinov3_vitl16_pretrain_lvd1689m-8aa4cbdd.pth"},

    {"dino_vit_small_8", dino_family, plain(vit_small, 8), "dino_deitsmall8_pretrain.pth"},
    {"dino_vit_small_16", dino_family, plain(vit_small), "dino_deitsmall16_pretrain.pth"},
    {"dino_vit_base_8", dino_family, plain(vit_base, 8), "dino_vitbase8_pretrain.pth"},
    {"dino_vit_base_16", dino_family, plain(vit_base), "dino_vitbase16_pretrain.pth"},
    {"ibot_vit_base_16", ibot_family, plain(vit_base), "vitb_16_rand_mask/checkpoint_teacher.pth"},
    {"ibot_vit_large_16", ibot_family, plain(vit_large), "vitl_16_rand_mask/checkpoint_teacher.pth"},
    {"mae_vit_base_16", mae_family, plain(vit_base), "mae_pretrain_vit_base.pth", mae_note},
    {"mae_vit_large_16", mae_family, plain(vit_large), "mae_pretrain_vit_large.pth"},
    {"deit_vit_small_16", deit_family, plain(vit_small), "deit_small_patch16_224-cd65a155.pth"},
    {"deit_vit_base_16", deit_family, plain(vit_base), "deit_base_patch16_224-b5f2ef4d.pth"},
    {"moco_vit_small_16", moco_family, moco_small(), "vit-s-300ep.pth.tar", moco_note},
    {"moco_vit_base_16", moco_family, plain(vit_base), "vit-b-300ep.pth.tar"},
    {"digpt_vit_base_16", digpt_family, plain(vit_base), "D-iGPT_B_PT_1K.pth"},

    {"beit_vit_base_16", beit_family, beit(), "beit_base_patch16_224_pt22k_ft22k.pth"},
    {"beitv2_vit_base_16", beitv2_family, beit(), "beitv2_base_patch16_224_pt1k_ft21k.pth"},
};

}  // namespace detail

/// All of them, family by family.
inline const auto& catalogue() {
    return detail::catalogue;
}

/// "DINOv2 ViT-S/14 with registers".
inline std::string title(const CatalogueEntry& entry) {
    const nn::VitConfig& vit = entry.vit;
    const char* size = vit.width == 384 ? "S" : vit.width == 768 ? "B" : vit.width == 1024 ? "L" : "g";
    return std::string(entry.family.name) + " ViT-" + size + (vit.width == 384 && vit.is_gated ? "+" : "") + '/' +
           std::to_string(vit.patch) +
           (vit.position == nn::Position::absolute && vit.registers > 0 ? " with registers" : "");
}

/// Parameters of an encoder's file: the network, its last norm and, where it has one, the token that masks patches.
inline std::int64_t count_parameters(const nn::VitConfig& vit, bool has_mask_token = false) {
    const bool is_relative = vit.position == nn::Position::relative,
               is_absolute = vit.position == nn::Position::absolute;
    const std::int64_t c = vit.width, hidden = vit.hidden_width(), area = vit.patch * vit.patch;
    const std::int64_t window = 2 * vit.grid - 1, tokens = vit.prefix() + (has_mask_token ? 1 : 0);
    const std::int64_t attention = 4 * c * c + (is_relative ? 3 : 4) * c;  // k has no bias beside a relative one
    const std::int64_t mlp = (vit.is_gated ? 3 : 2) * c * hidden + (vit.is_gated ? 2 : 1) * hidden + c;
    const std::int64_t block = attention + mlp + 4 * c + (vit.has_layer_scale ? 2 * c : 0) +
                               (is_relative ? (window * window + 3) * vit.heads : 0);
    return 3 * area * c + c + tokens * c + (is_absolute ? (1 + vit.grid * vit.grid) * c : 0) + vit.depth * block +
           2 * c;
}
inline std::int64_t count_parameters(const CatalogueEntry& entry) {
    return count_parameters(entry.vit, entry.family.has_mask_token);
}

/// A published file's name up to "_pretrain": "dinov3_vits16".
inline std::string_view short_name(const CatalogueEntry& entry) {
    return entry.file.substr(0, entry.file.find("_pretrain"));
}

/// The encoder of a key, or of a published file's name, whole or short where no other is called so; null: not known.
inline const CatalogueEntry* find_entry(std::string_view name) {
    const CatalogueEntry* called_so = nullptr;
    int count = 0;
    for (const CatalogueEntry& entry : catalogue()) {
        if (name == entry.key || name == entry.file) return &entry;
        if (name == short_name(entry)) called_so = &entry, ++count;
    }
    return count == 1 ? called_so : nullptr;
}

/// Those that an encoder's parts fit; several where networks are the same (DINO, iBOT, MAE, ..).
inline std::vector<const CatalogueEntry*> entries_like(const nn::VitConfig& vit) {
    std::vector<const CatalogueEntry*> found;
    for (const CatalogueEntry& entry : catalogue()) {
        nn::VitConfig same = entry.vit;
        same.resize = vit.resize, same.eps = vit.eps;  // what wrote the file decides these
        if (vit.position == nn::Position::rotary) same.grid = vit.grid;
        if (same.hidden_width() == vit.hidden_width()) same.hidden = vit.hidden;
        if (same == vit) found.push_back(&entry);
    }
    return found;
}

/// Whether the recommended sizes are published for an encoder; those at patch 8 are our choice.
inline bool has_published_sizes(const CatalogueEntry& entry) {
    return entry.vit.patch != 8;
}

}  // namespace dinomaly::encoders
