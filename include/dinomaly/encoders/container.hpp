// SPDX-License-Identifier: Apache-2.0
// Where in a file an encoder lies: training checkpoints put it into containers ("teacher", "state_dict", ..) and behind
// the names of the modules around it ("module.base_encoder.", "dinov2.", ..); io/pth.hpp joins both with dots. The
// patch embedding's weight, which every encoder has, shows the whole prefix.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "dinomaly/io/state_dict.hpp"

namespace dinomaly::encoders {

/// The patch embedding under the names of all encoders.
inline constexpr std::array<std::string_view, 4> patch_embeddings{
    "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.weight",
    "embeddings.patch_embeddings.proj.weight", "embeddings.patch_embeddings.weight"};

/// Where a file holds several encoders, the one in the earlier of these is meant. What is in none stands last but for
/// the two that trail the network that was trained.
inline constexpr std::array<std::string_view, 5> containers{"model_ema", "teacher", "model", "state_dict", "module"};
inline constexpr std::array<std::string_view, 2> second_choices{"student", "momentum_encoder"};

/// Parts of names that stand beside an encoder in training checkpoints and are not part of it.
inline constexpr auto beside_encoders = std::to_array<std::string_view>({
    "optimizer",       "optimizer_states", "optim",      "scaler",
    "grad_scaler",     "fp16_scaler",      "amp_scaler", "lr_scheduler",
    "lr_schedulers",   "callbacks",        "loops",                           // of the training
    "model_ema",       "teacher",          "student",    "momentum_encoder",  // another copy
    "predictor",       "projector",        "head",       "dino_head",
    "ibot_head",       "dino_loss",        "ibot_loss",  // what it was trained with
    "ibot_patch_loss", "classifier",       "pooler",     "decoder",
    "lm_head",         "koleo_loss",       "gram",  // and for
});

/// Calls visit(part) for each part of a name between dots, until it returns true. Returns whether it did.
template <class Visit> bool any_part(std::string_view name, const Visit& visit) {
    while (!name.empty()) {
        const std::size_t dot = std::min(name.find('.'), name.size());
        if (visit(name.substr(0, dot))) return true;
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return false;
}

namespace detail {

/// The lower, the rather is the encoder behind this prefix meant.
inline std::size_t rank_of(std::string_view prefix) {
    const auto is_second = [](std::string_view part) { return std::ranges::count(second_choices, part) > 0; };
    const std::size_t penalty = any_part(prefix, is_second) ? 2 * containers.size() : 0;
    const auto found = std::ranges::find(containers, prefix.substr(0, prefix.find('.')));
    return penalty + static_cast<std::size_t>(found - containers.begin());
}

}  // namespace detail

/// What stands before the names of a file's encoder, "" or "teacher.backbone."; nothing when it holds no encoder.
inline std::optional<std::string> find_encoder(const io::StateDict& file) {
    std::optional<std::string> best;
    for (const auto& [name, tensor] : file) {
        for (const std::string_view embedding : patch_embeddings) {
            if (!name.ends_with(embedding)) continue;
            const std::string prefix = name.substr(0, name.size() - embedding.size());
            if (!prefix.empty() && prefix.back() != '.') continue;
            if (!best || detail::rank_of(prefix) < detail::rank_of(*best)) best = prefix;
        }
    }
    return best;
}

/// Whether a tensor outside the encoder's prefix is one that training checkpoints are known to hold.
inline bool is_beside_encoder(std::string_view name) {
    return any_part(name, [](std::string_view part) { return std::ranges::count(beside_encoders, part) > 0; });
}

}  // namespace dinomaly::encoders
