// SPDX-License-Identifier: Apache-2.0
// PatchEmbed: cuts a picture into patches and projects each to a token; proj.weight [C, 3, p, p], proj.bias [C].
#pragma once

#include "dinomaly/nn/module.hpp"
#include "dinomaly/ops/patch_embed.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct PatchEmbed {
    /// The projection as published: a convolution's weight.
    struct Projection {
        Param<D> weight, bias;

        void each(auto&& visit) {
            visit("weight", weight);
            visit("bias", bias);
        }
    };

    Projection proj;

    PatchEmbed() = default;
    PatchEmbed(std::int64_t width, std::int64_t patch)
        : proj{zeros<Full<D>>({width, 3, patch, patch}), zeros<Full<D>>({width})} {}

    std::int64_t patch() const { return proj.weight.size(-1); }

    /// image [B, 3, H, W] -> tokens [B, (H/p) (W/p), C].
    Var<D> operator()(const Var<Full<D>>& image) const { return patch_embed<D>(image, proj.weight, proj.bias); }

    void each(auto&& visit) { visit("proj", proj); }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
