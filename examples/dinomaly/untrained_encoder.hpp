// SPDX-License-Identifier: Apache-2.0
// A small vision transformer that has learned nothing, for the demo and for tests where no published one is at hand.
//
// Its values are drawn from a fixed seed. What makes it tell parts apart all the same: its patch filters are smooth
// (sums of low cosines with random weights, so a part that sits a pixel further gives nearly the same features), each
// position has an embedding of its own, and its blocks change the features only a little.
#pragma once

#include <cstdint>
#include <filesystem>

namespace dinomaly::program {

struct UntrainedEncoder {
    std::int64_t width = 192;
    std::int64_t registers = 0;
    std::int64_t grid = 14;     ///< side of the position embedding
    double branch_scale = 0.3;  ///< what the blocks' branches are scaled by before they are added
    double position = 0.5;      ///< deviation of the position embedding; that of the patch features is about 1
    int frequencies = 4;        ///< cosines in each direction of a patch filter
};

/// Writes the encoder as safetensors, under the published names.
void write_untrained_encoder(const std::filesystem::path& file, const UntrainedEncoder& encoder, std::uint64_t seed);

}  // namespace dinomaly::program
