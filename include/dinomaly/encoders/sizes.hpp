// SPDX-License-Identifier: Apache-2.0
// Which picture sizes fit an encoder, and which ones Dinomaly is used with: the one place that knows.
//
//   encoder                               crop                       what does not fit
//   DINOv2, DINOv3                        a multiple of the patch    is refused
//   DINO, iBOT, MAE, DeiT, MoCo-v3, ..    any from one patch on      is not seen: the last rows and columns
//   BEiT, BEiTv2                          that of their fixed grid   is refused
//
// The paper compares encoders at 28 x 28 patches, cut from a picture of 32 x 32: 448 and 392 pixels at patch 14, 512
// and 448 at patch 16. BEiT's grid is 14 x 14, so its sizes are 256 and 224.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>

#include "dinomaly/core/error.hpp"
#include "dinomaly/nn/vit_config.hpp"
#include "dinomaly/vision/preprocess.hpp"

namespace dinomaly::encoders {

/// Which crops an encoder takes.
enum class CropRule : std::uint8_t {
    whole_patches,  ///< multiples of the patch
    any,            ///< what is left of whole patches is ignored
    fixed,          ///< the one that its position grid was made for
};

/// The rule of an encoder, read off its parts: those of DINO's network have absolute positions and no layer scale.
inline CropRule crop_rule(const nn::VitConfig& encoder) {
    if (encoder.position == nn::Position::relative) return CropRule::fixed;
    const bool is_plain = encoder.position == nn::Position::absolute && !encoder.has_layer_scale;
    return is_plain ? CropRule::any : CropRule::whole_patches;
}

/// What the sides of a crop must be a multiple of: Preprocess::patch.
inline int crop_step(const nn::VitConfig& encoder) {
    return crop_rule(encoder) == CropRule::any ? 1 : static_cast<int>(encoder.patch);
}

/// The sizes that Dinomaly is used with: 28 x 28 patches of 32 x 32, or a fixed grid and as much around it.
inline vision::Preprocess recommended_sizes(const nn::VitConfig& encoder) {
    const std::int64_t grid = crop_rule(encoder) == CropRule::fixed ? encoder.grid : 28;
    const auto crop = static_cast<int>(grid * encoder.patch);
    return {.size = crop * 8 / 7, .crop = crop, .patch = crop_step(encoder)};
}

/// "--size 448 --crop 392".
inline std::string size_options(const vision::Preprocess& sizes) {
    return "--size " + std::to_string(sizes.size.width) + " --crop " + std::to_string(sizes.crop.width);
}

/// Throws, saying which crops fit, when the encoder does not take this one.
inline void check_crop(const nn::VitConfig& encoder, vision::PictureSize crop) {
    const auto patch = static_cast<int>(encoder.patch);
    const CropRule rule = crop_rule(encoder);
    const std::string usual = "; this encoder's usual setting is " + size_options(recommended_sizes(encoder));
    if (rule == CropRule::fixed) {
        const auto side = static_cast<int>(encoder.grid * encoder.patch);
        check(crop == vision::PictureSize(side), "preprocess", "crop ", crop, " does not fit an encoder with a fixed ",
              "grid of ", encoder.grid, 'x', encoder.grid, " patches of ", patch, ": ", side, " only", usual);
    }
    const auto check_side = [&](const char* name, int side) {
        if (rule == CropRule::any) {
            check(side >= patch, "preprocess", "crop ", crop, " is smaller than a patch, ", patch, ": ", name, ' ',
                  side, usual);
            return;
        }
        const int below = std::max(1, side / patch) * patch;
        check(side > 0 && side % patch == 0, "preprocess", "crop ", crop, " is not a multiple of the patch, ", patch,
              ": ", name, ' ', side, ", ", below, " or ", below + patch, " fit", usual);
    };
    check_side("width", crop.width);
    check_side("height", crop.height);
}

/// Gives a model's sizes those that are asked for, above 0, and the encoder's patch. Throws when they do not fit.
inline void set_sizes(vision::Preprocess& sizes, const nn::VitConfig& encoder, vision::PictureSize size = {},
                      vision::PictureSize crop = {}) {
    check_crop(encoder, crop == vision::PictureSize{} ? sizes.crop : crop);
    sizes.patch = crop_step(encoder);
    sizes.replace(size, crop);
}

/// Columns and rows of a crop that the encoder does not see, at the right and at the bottom.
inline vision::PictureSize ignored_pixels(const nn::VitConfig& encoder, vision::PictureSize crop) {
    const auto patch = static_cast<int>(encoder.patch);
    return {crop.width % patch, crop.height % patch};
}

/// A sentence about what is ignored of a crop, or nothing.
inline std::string ignored_text(const nn::VitConfig& encoder, vision::PictureSize crop) {
    const vision::PictureSize ignored = ignored_pixels(encoder, crop);
    if (ignored == vision::PictureSize{}) return {};
    const vision::PictureSize seen(crop.width - ignored.width, crop.height - ignored.height);
    std::ostringstream text;
    text << "of the crop " << crop << " the encoder sees " << seen << ", whole patches of " << encoder.patch
         << ": the last " << ignored.width << " columns and " << ignored.height
         << " rows are ignored, as in the authors' "
         << "code; " << size_options(recommended_sizes(encoder)) << " has whole patches";
    return text.str();
}

}  // namespace dinomaly::encoders
