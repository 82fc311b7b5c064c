// SPDX-License-Identifier: Apache-2.0
// A heat map laid over its picture, in the picture's own pixels.
//
// A map covers only the middle crop/size of the picture's width and height (what the network saw): with W its width,
// pixel x lies at ((x + 1/2) size/W - offset) / crop of the map's width, likewise along the height. The map is
// read bilinearly between its pixels' middles; outside the crop the picture stays as it is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "dinomaly/vision/colormap.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/normalize.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// How a heat map is drawn: the values that get the first and the last colour, and how much of it shows.
struct OverlayStyle {
    float low = 0.0F;
    float high = 1.0F;
    float opacity = 0.5F;  ///< 0 leaves the picture, 1 shows the map alone
};

namespace detail {

/// Where the pixels of one axis of a picture fall on a map: two neighbours and the weight of the second one.
struct MapPosition {
    bool inside = false;
    std::size_t first = 0;
    std::size_t second = 0;
    float part = 0;
};

/// For an axis of `pixels` that was resized to `size`, of which the map shows `crop` pixels from `offset` on.
inline std::vector<MapPosition> map_positions(int pixels, int map_pixels, int size, int offset, int crop) {
    std::vector<MapPosition> positions;
    for (int i = 0; i < pixels; ++i) {
        const double along = ((i + 0.5) * size / pixels - offset) / crop;
        const double place = std::clamp(along * map_pixels - 0.5, 0.0, map_pixels - 1.0);
        const auto first = static_cast<std::size_t>(place);
        const std::size_t second = std::min(first + 1, static_cast<std::size_t>(map_pixels) - 1);
        positions.push_back(
            {along >= 0 && along < 1, first, second, static_cast<float>(place - static_cast<double>(first))});
    }
    return positions;
}

}  // namespace detail

/// The RGB picture with map [map_height, map_width] over its middle. `sizes` are those the map was computed with.
/// Throws when the map's values are not map_width * map_height in number, or the style is out of range.
inline Image overlay(const Image& picture, std::span<const float> map, int map_width, int map_height,
                     const Preprocess& sizes, const OverlayStyle& style) {
    check_image("overlay", picture);
    check_size("overlay", map_width, map_height);
    sizes.validate();
    const std::size_t expected = static_cast<std::size_t>(map_width) * static_cast<std::size_t>(map_height);
    check(map.size() == expected, "overlay", "a map of ", map.size(), " values, ", map_width, "x", map_height,
          " expected");
    check(style.low < style.high, "overlay", "range ", style.low, " .. ", style.high, ", low below high expected");
    check(style.opacity >= 0 && style.opacity <= 1, "overlay", "opacity ", style.opacity, ", 0 .. 1 expected");

    Image out = to_rgb(picture);
    const PictureSize size = sizes.size, offset = sizes.offset(), crop = sizes.crop;
    const auto columns = detail::map_positions(out.width, map_width, size.width, offset.width, crop.width);
    const auto rows = detail::map_positions(out.height, map_height, size.height, offset.height, crop.height);
    for (int y = 0; y < out.height; ++y) {
        const detail::MapPosition& row = rows[static_cast<std::size_t>(y)];
        if (!row.inside) continue;
        const std::span<const float> upper = map.subspan(row.first * static_cast<std::size_t>(map_width));
        const std::span<const float> lower = map.subspan(row.second * static_cast<std::size_t>(map_width));
        std::uint8_t* pixel = out.row(y);
        for (const detail::MapPosition& column : columns) {
            if (column.inside) {
                const float left = std::lerp(upper[column.first], lower[column.first], row.part);
                const float right = std::lerp(upper[column.second], lower[column.second], row.part);
                const float value = std::lerp(left, right, column.part);
                const Color color = heat_color((value - style.low) / (style.high - style.low));
                for (std::size_t c = 0; c < 3; ++c)
                    pixel[c] = static_cast<std::uint8_t>(std::lround(
                        std::lerp(static_cast<float>(pixel[c]), static_cast<float>(color[c]), style.opacity)));
            }
            pixel += 3;
        }
    }
    return out;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
