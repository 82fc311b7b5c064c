// SPDX-License-Identifier: Apache-2.0
// What Dinomaly is made and trained with on an encoder, as far as that depends on the encoder: read off its parts, so
// that a file that is in no catalogue is treated as its relatives are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/model_config.hpp"

namespace dinomaly::encoders {

/// Whether the kept blocks of an encoder of this depth are published: of 12 blocks (S, B) and of 24 (L).
inline bool is_published_depth(std::int64_t depth) {
    return depth == 12 || depth == 24;
}

/// The blocks whose output Dinomaly restores: at 4, 6, .., 18 parts of 24 of the depth. That is the published list for
/// 12 and 24 blocks; for another depth it is our choice. Throws Error, naming `source`, for less than 12 blocks.
inline std::vector<std::int64_t> kept_blocks(const std::string& source, std::int64_t depth) {
    check(depth >= 12, source.c_str(), "an encoder of ", depth, " blocks; 12 (S, B), 24 (L) or more expected");
    std::vector<std::int64_t> kept;
    for (const std::int64_t part : eight_blocks(4, 2)) kept.push_back((depth * part + 12) / 24);  // rounded
    return kept;
}

/// A Dinomaly on an encoder. Class token and registers of DINOv3 leave before the bottleneck, as its published variant
/// has it; those of all others stay until the map. Throws Error, naming `source`, for less than 12 blocks.
inline DinomalyConfig recommended_config(const nn::VitConfig& encoder, const std::string& source = "model") {
    DinomalyConfig config;
    config.encoder = encoder;
    config.kept = kept_blocks(source, encoder.depth);
    config.patches_only = encoder.position == nn::Position::rotary;
    return config;
}

/// Settings of a training run that depend on the encoder.
struct TrainingChoice {
    bool amsgrad = true;
    std::int64_t batch = 16;
};

/// As published: DINOv3 is trained without amsgrad, and its L with 12 pictures, for which 32 GB of a GPU were enough.
inline TrainingChoice recommended_training(const nn::VitConfig& encoder) {
    const bool is_dinov3 = encoder.position == nn::Position::rotary;
    return {.amsgrad = !is_dinov3, .batch = is_dinov3 && encoder.width >= 1024 ? 12 : 16};
}

}  // namespace dinomaly::encoders
