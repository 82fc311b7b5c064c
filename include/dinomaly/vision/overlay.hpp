// SPDX-License-Identifier: Apache-2.0
// A heat map laid over its picture, in the picture's own pixels (picture_map.hpp says where it lies).
//
//     const PictureMap map(judged.map, judged.map_width, judged.map_height, {picture.width, picture.height}, sizes);
//     const OverlayStyle style = absolute_style(threshold);
//     Image out = overlay(picture, map, style);          // the same colour means the same value in every picture
//     draw_outline(out, outline(map, threshold));        // outline.hpp: what reaches the threshold
//     out = with_color_bar(out, style, threshold);       // color_bar.hpp: which colour is which value
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dinomaly/vision/colormap.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/picture_map.hpp"
#include "dinomaly/vision/preprocess.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// How a heat map is drawn: the values that get the first and the last colour, and how much of it shows.
struct OverlayStyle {
    float low = 0.0F;
    float high = 1.0F;
    float opacity = 0.5F;  ///< 0 leaves the picture, 1 shows the map alone
    bool fades = false;    ///< opacity grows from 0 at `low`, slowly at first, to its full size in the middle
    bool grey = false;     ///< the picture in grey: every colour is the map's
    float shade = 0.0F;    ///< how much of the picture outside the map turns into grey: it was not judged

    /// How much of the map shows at a value, given as its place in the range, 0 .. 1.
    float opacity_at(float place) const {
        const float grown = std::clamp(2 * place, 0.0F, 1.0F);
        return fades ? opacity * grown * grown : opacity;
    }
    /// Throws unless low is below high and the others are 0 .. 1.
    void validate() const {
        check(low < high, "overlay", "range ", low, " .. ", high, ", low below high expected");
        check(opacity >= 0 && opacity <= 1, "overlay", "opacity ", opacity, ", 0 .. 1 expected");
        check(shade >= 0 && shade <= 1, "overlay", "shade ", shade, ", 0 .. 1 expected");
    }
};

/// An absolute scale: 0 has the first colour, the pixel threshold the middle one, twice the threshold the last. Good
/// parts stay cold, cold places show the picture, and that in grey: an orange part is not taken for a hot one. Throws
/// unless the threshold is above 0.
inline OverlayStyle absolute_style(float threshold) {
    check(threshold > 0 && std::isfinite(threshold), "overlay", "a pixel threshold of ", threshold,
          ", a number above 0 expected");
    return {.low = 0.0F, .high = 2 * threshold, .opacity = 0.65F, .fades = true, .grey = true, .shade = 0.5F};
}

namespace detail {

/// Mixes colours, in steps of 1/1024 of a style's range.
class HeatMixer {
public:
    explicit HeatMixer(const OverlayStyle& style) : low_(style.low), scale_(steps / (style.high - style.low)) {
        for (std::size_t i = 0; i <= steps; ++i) {
            const float place = static_cast<float>(i) / steps, opacity = style.opacity_at(place);
            const Color color = heat_color(place);
            for (std::size_t c = 0; c < 3; ++c) added_[i][c] = static_cast<float>(color[c]) * opacity + 0.5F;
            kept_[i] = 1 - opacity;
        }
    }
    void mix(std::uint8_t* pixel, float value) const {
        const float place = (value - low_) * scale_;
        const auto step = static_cast<std::size_t>(place > 0 ? std::min(place + 0.5F, float{steps}) : 0.0F);
        for (std::size_t c = 0; c < 3; ++c)
            pixel[c] = static_cast<std::uint8_t>(kept_[step] * static_cast<float>(pixel[c]) + added_[step][c]);
    }

private:
    static constexpr std::size_t steps = 1024;
    float low_, scale_;
    std::array<std::array<float, 3>, steps + 1> added_;
    std::array<float, steps + 1> kept_;
};

/// The row in grey, still RGB.
inline void make_grey(std::uint8_t* row, int width) {
    const Image line{width, 1, 3, {row, row + 3 * width}};
    std::ranges::copy(to_rgb(to_grey(line)).pixels, row);
}

/// Turns pixels into `shade` parts of grey.
inline void shade_pixels(std::uint8_t* pixels, int count, float shade) {
    constexpr float grey = 96.0F;
    for (int i = 0; i < 3 * count; ++i)
        pixels[i] = static_cast<std::uint8_t>(static_cast<float>(pixels[i]) * (1 - shade) + grey * shade + 0.5F);
}

}  // namespace detail

/// The RGB picture with its map over the covered part. Throws when their sizes differ or the style is out of range.
inline Image overlay(const Image& picture, const PictureMap& map, const OverlayStyle& style) {
    check_image("overlay", picture);
    check(picture.width == map.width() && picture.height == map.height(), "overlay", "a picture of ", picture.width,
          "x", picture.height, ", one of ", map.width(), "x", map.height(), " expected, as the map");
    style.validate();
    Image out = to_rgb(picture);
    const Window& covered = map.covered();
    const auto mixer = std::make_unique<detail::HeatMixer>(style);
    std::vector<float> values(static_cast<std::size_t>(covered.width));
    for (int y = 0; y < out.height; ++y) {
        std::uint8_t* const row = out.row(y);
        if (style.grey && picture.channels == 3) detail::make_grey(row, out.width);
        if (!map.covers_row(y)) {
            detail::shade_pixels(row, out.width, style.shade);
            continue;
        }
        map.read_covered(y, values);
        detail::shade_pixels(row, covered.left, style.shade);
        std::uint8_t* pixel = row + 3 * covered.left;
        for (float value : values) {
            mixer->mix(pixel, value);
            pixel += 3;
        }
        detail::shade_pixels(pixel, out.width - covered.left - covered.width, style.shade);
    }
    return out;
}

/// The same for a map [map_height, map_width] as the model gives it. `sizes` are those the map was computed with.
inline Image overlay(const Image& picture, std::span<const float> map, int map_width, int map_height,
                     const Preprocess& sizes, const OverlayStyle& style) {
    check_image("overlay", picture);
    return overlay(picture, PictureMap(map, map_width, map_height, {picture.width, picture.height}, sizes), style);
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
