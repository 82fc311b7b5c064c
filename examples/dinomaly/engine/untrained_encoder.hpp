// SPDX-License-Identifier: Apache-2.0
// A small vision transformer that has learned nothing, for the demo where no published one is at hand: every value is
// drawn from a fixed seed. Its blocks change the patches' features only a little (layer scale 0.3), which did better
// than 0.1 and 1.
#pragma once

#include <cstdint>
#include <filesystem>

namespace dinomaly::program {

struct UntrainedEncoder {
    std::int64_t width = 128;
    std::int64_t grid = 28;  ///< side of the position embedding, in patches
    float layer_scale = 0.3F;
};

/// Writes the encoder as safetensors, under the published names.
void write_untrained_encoder(const std::filesystem::path& file, const UntrainedEncoder& encoder, std::uint64_t seed);

}  // namespace dinomaly::program
