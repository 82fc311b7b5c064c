// SPDX-License-Identifier: Apache-2.0
// From a decoded picture to what the network reads: resize, centre crop, scale to [0, 1], subtract the mean and divide
// by the deviation of the pictures that the encoders were trained on.
//
//   x[c, y, x] = (pixel / 255 - mean[c]) / deviation[c], in float steps; a mask is pixel / 255
#pragma once

#include <array>
#include <span>
#include <vector>

#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/preprocess.hpp"
#include "dinomaly/vision/resize.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

inline constexpr std::array<float, 3> pixel_mean{0.485F, 0.456F, 0.406F};
inline constexpr std::array<float, 3> pixel_deviation{0.229F, 0.224F, 0.225F};

/// The picture resized to sizes.size and cut to its middle, sizes.crop; as many channels as before.
inline Image resize_and_crop(const Image& image, const Preprocess& sizes) {
    sizes.validate();
    const PictureSize offset = sizes.offset();
    return resize(image, sizes.size.width, sizes.size.height,
                  {offset.width, offset.height, sizes.crop.width, sizes.crop.height});
}

/// Normalises an RGB picture [height, width, 3] into out [3, height, width].
inline void normalize(const Image& rgb, std::span<float> out) {
    check_image("normalize", rgb);
    check(rgb.channels == 3, "normalize", rgb.channels, " channels, 3 expected");
    check(out.size() == rgb.pixels.size(), "normalize", "room for ", out.size(), " values, ", rgb.pixels.size(),
          " expected");
    const std::size_t plane = out.size() / 3;
    std::array<std::array<float, 256>, 3> value_of;
    for (std::size_t c = 0; c < 3; ++c)
        for (std::size_t v = 0; v < 256; ++v)
            value_of[c][v] = (static_cast<float>(v) / 255.0F - pixel_mean[c]) / pixel_deviation[c];
    for (std::size_t i = 0; i < plane; ++i)
        for (std::size_t c = 0; c < 3; ++c) out[c * plane + i] = value_of[c][rgb.pixels[3 * i + c]];
}

/// The network's input [3, height, width] of a decoded picture, grey or RGB.
inline std::vector<float> to_input(const Image& picture, const Preprocess& sizes) {
    const Image cropped = to_rgb(resize_and_crop(picture, sizes));
    std::vector<float> out(cropped.pixels.size());
    normalize(cropped, out);
    return out;
}

/// The ground truth [height, width] in [0, 1] of a decoded mask, resized and cropped as its picture is.
inline std::vector<float> to_mask(Image mask, const Preprocess& sizes) {
    const Image cropped = resize_and_crop(to_grey(std::move(mask)), sizes);
    std::vector<float> out;
    out.reserve(cropped.pixels.size());
    for (std::uint8_t value : cropped.pixels) out.push_back(static_cast<float>(value) / 255.0F);
    return out;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
