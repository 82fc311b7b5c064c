// SPDX-License-Identifier: Apache-2.0
// Augmentation: what training sees of a picture where there are only a few, another part of it each time, turned and
// mirrored (Dinomaly2, few-shot).
//
// Of a picture resized to W x H a rectangle is cut out, its area that of the crop w x h, its sides sqrt(A r) and
// sqrt(A / r), r the crop's ratio times a factor from .95 to 1.05, log-uniform; anywhere, each place equally likely. Up
// to ten ratios are drawn until one fits (torchvision's RandomResizedCrop); else it is the largest rectangle of a ratio
// nearest to those allowed, in the middle. It is cut out first and resized to the crop then, so that nothing beyond it
// shows, then turned by 0, 90, 180 or 270 degrees (an oblong crop by 0 or 180), then mirrored along x and along y, each
// with probability 1/2.
//
// All of it is a function of (seed, number of the draw).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "dinomaly/core/philox.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/preprocess.hpp"
#include "dinomaly/vision/resize.hpp"
#include "dinomaly/vision/tiling.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// One way to see a picture.
struct Augmentation {
    Window part;            ///< of the resized picture
    int quarter_turns = 0;  ///< counter-clockwise
    bool mirrored_x = false, mirrored_y = false;
};

namespace detail {

constexpr double least_ratio = 0.95, largest_ratio = 1.05;

inline double unit_number(std::uint32_t word) {
    return static_cast<double>(word) * 0x1p-32;
}

/// A rectangle of the crop's area and of `ratio` times its ratio; its place from two words. None when it does not fit.
inline std::optional<Window> part_of(const Preprocess& sizes, double ratio, std::uint32_t x, std::uint32_t y) {
    const double stretch = std::sqrt(ratio);
    const auto width = static_cast<int>(std::lrint(sizes.crop.width * stretch));  // half to even, as Python rounds
    const auto height = static_cast<int>(std::lrint(sizes.crop.height / stretch));
    if (width < 1 || height < 1 || width > sizes.size.width || height > sizes.size.height) return std::nullopt;
    return Window{static_cast<int>(unit_number(x) * (sizes.size.width - width + 1)),
                  static_cast<int>(unit_number(y) * (sizes.size.height - height + 1)), width, height};
}

/// The largest rectangle in the middle whose ratio is allowed.
inline Window middle_part(const Preprocess& sizes) {
    PictureSize size = sizes.size;
    const double usual = static_cast<double>(sizes.crop.width) / sizes.crop.height;
    const double ratio = static_cast<double>(size.width) / size.height / usual;
    if (ratio < least_ratio) size.height = static_cast<int>(std::lrint(size.width / (usual * least_ratio)));
    if (ratio > largest_ratio) size.width = static_cast<int>(std::lrint(size.height * usual * largest_ratio));
    return {(sizes.size.width - size.width) / 2, (sizes.size.height - size.height) / 2, size.width, size.height};
}

}  // namespace detail

/// The augmentation of draw number `draw`.
inline Augmentation draw_augmentation(std::uint64_t seed, std::uint64_t draw, const Preprocess& sizes) {
    constexpr std::uint64_t stream = 0x6175676d656e74;  // "augment": no other use has it
    constexpr std::uint64_t tries = 10, blocks = 16;    // a draw has blocks of its own: its tries and one more
    const Philox random{seed, stream};
    Augmentation drawn;
    std::optional<Window> part;
    for (std::uint64_t i = 0; i < tries && !part; ++i) {
        const auto [word] = random.block(draw * blocks + i);
        const double low = std::log(detail::least_ratio), high = std::log(detail::largest_ratio);
        part = detail::part_of(sizes, std::exp(low + detail::unit_number(word[0]) * (high - low)), word[1], word[2]);
    }
    drawn.part = part ? *part : detail::middle_part(sizes);
    const auto [word] = random.block(draw * blocks + tries);
    drawn.quarter_turns = static_cast<int>(word[0] >> 30);
    if (sizes.crop.width != sizes.crop.height) drawn.quarter_turns &= 2;
    drawn.mirrored_x = word[1] >> 31 != 0;
    drawn.mirrored_y = word[2] >> 31 != 0;
    return drawn;
}

/// The picture turned counter-clockwise by quarters, 0 to 3, then mirrored.
inline Image turn_and_mirror(const Image& image, const Augmentation& way) {
    check_image("turn", image);
    const bool is_upright = way.quarter_turns % 2 == 0;
    Image out = is_upright ? make_image(image.width, image.height, image.channels)
                           : make_image(image.height, image.width, image.channels);
    const auto channels = static_cast<std::size_t>(image.channels);
    const int right = image.width - 1, bottom = image.height - 1;
    for (int y = 0; y < out.height; ++y) {
        std::uint8_t* to = out.row(y);
        const int v = way.mirrored_y ? out.height - 1 - y : y;
        for (int x = 0; x < out.width; ++x, to += channels) {
            const int u = way.mirrored_x ? out.width - 1 - x : x;
            int from_x = u, from_y = v;
            switch (way.quarter_turns & 3) {
                case 1: from_x = right - v, from_y = u; break;
                case 2: from_x = right - u, from_y = bottom - v; break;
                case 3: from_x = v, from_y = bottom - u; break;
                default: break;
            }
            std::copy_n(image.row(from_y) + static_cast<std::size_t>(from_x) * channels, channels, to);
        }
    }
    return out;
}

/// What the network sees of a picture that was resized to sizes.size already: crop.width x crop.height pixels. Throws
/// when the picture has another size.
inline Image augment(const Image& resized, const Augmentation& way, const Preprocess& sizes) {
    check(PictureSize(resized.width, resized.height) == sizes.size, "augment", "a picture of ", resized.width, 'x',
          resized.height, ", ", sizes.size, " expected");
    return turn_and_mirror(resize(cut(resized, way.part), sizes.crop.width, sizes.crop.height), way);
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
