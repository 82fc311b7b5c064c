// SPDX-License-Identifier: Apache-2.0
// What Dinomaly is trained with on an encoder, as far as that depends on the encoder: read off its parts, so that a
// file that is in no catalogue is treated as its relatives are. What it is made of is in variant_config
// (model_config.hpp).
#pragma once

#include <cstdint>

#include "dinomaly/nn/vit_config.hpp"

namespace dinomaly::encoders {

/// Whether the kept blocks of an encoder of this depth are published: of 12 blocks (S, B) and of 24 (L).
inline bool is_published_depth(std::int64_t depth) {
    return depth == 12 || depth == 24;
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
