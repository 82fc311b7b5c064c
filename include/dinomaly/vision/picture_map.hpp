// SPDX-License-Identifier: Apache-2.0
// PictureMap: a model's map in the pixels of the picture that it was computed from.
//
// A map covers only the middle crop/size of the picture's width and height (what the network saw): with W its width,
// pixel x lies at ((x + 1/2) size/W - offset) / crop of the map's width, likewise along the height. The map is read
// bilinearly between its pixels' middles; outside the crop there is no value: NaN.
//
// The values of a picture are computed row by row when they are asked for: a picture of 50 megapixels takes no more
// than its map.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/preprocess.hpp"
#include "dinomaly/vision/resize.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// Where a pixel's middle falls on one axis of a map: two neighbours and the weight of the second one.
struct MapPosition {
    std::size_t first = 0;
    std::size_t second = 0;
    float part = 0;
};

/// One axis of a picture of `pixels` that was resized to `size`, of which the map shows `crop` pixels from `offset` on.
struct MapAxis {
    int pixels = 0, map_pixels = 0, size = 0, offset = 0, crop = 0;

    /// 0 .. 1 along the map for a place in the picture, where pixel i reaches from i to i + 1.
    double along(double place) const { return (place * size / pixels - offset) / crop; }
    /// The place in the picture of 0 .. 1 along the map.
    double place(double along) const { return (along * crop + offset) * pixels / size; }
    /// The first pixel at or after `from` whose middle lies at or beyond `end` of the map's length.
    int first_beyond(double end) const {
        int i = std::clamp(static_cast<int>(std::floor(place(end) - 0.5)) - 1, 0, pixels);
        while (i < pixels && along(i + 0.5) < end) ++i;
        return i;
    }
    MapPosition position(int pixel) const {
        const double at = std::clamp(along(pixel + 0.5) * map_pixels - 0.5, 0.0, map_pixels - 1.0);
        const auto first = static_cast<std::size_t>(at);
        const std::size_t second = std::min(first + 1, static_cast<std::size_t>(map_pixels) - 1);
        return {first, second, static_cast<float>(at - static_cast<double>(first))};
    }
};

}  // namespace detail

/// A map [map_height, map_width] over its picture, value by value of the picture's pixels.
class PictureMap {
public:
    /// `sizes` are those the map was computed with. Throws when the map has another number of values than its sides
    /// say, or the sizes are impossible.
    PictureMap(std::span<const float> map, int map_width, int map_height, PictureSize picture, const Preprocess& sizes)
        : map_(map.begin(), map.end()), map_width_(static_cast<std::size_t>(map_width)) {
        check_size("picture map", map_width, map_height);
        check_size("picture map", picture.width, picture.height);
        sizes.validate();
        const std::size_t expected = map_width_ * static_cast<std::size_t>(map_height);
        check(map.size() == expected, "picture map", "a map of ", map.size(), " values, ", map_width, "x", map_height,
              " expected");
        const PictureSize offset = sizes.offset();
        x_ = {picture.width, map_width, sizes.size.width, offset.width, sizes.crop.width};
        y_ = {picture.height, map_height, sizes.size.height, offset.height, sizes.crop.height};
        covered_.left = x_.first_beyond(0);
        covered_.top = y_.first_beyond(0);
        covered_.width = x_.first_beyond(1) - covered_.left;
        covered_.height = y_.first_beyond(1) - covered_.top;
        for (int x = 0; x < covered_.width; ++x) columns_.push_back(x_.position(covered_.left + x));
    }

    int width() const { return x_.pixels; }
    int height() const { return y_.pixels; }
    /// The pixels that have values. Empty where a picture is so small that no pixel's middle lies in the crop.
    const Window& covered() const { return covered_; }
    bool covers_row(int y) const { return y >= covered_.top && y < covered_.top + covered_.height; }

    /// The values of row y from covered().left on, covered().width of them; y must be a covered row.
    void read_covered(int y, std::span<float> out) const {
        const detail::MapPosition row = y_.position(y);
        const float* const upper = map_.data() + row.first * map_width_;
        const float* const lower = map_.data() + row.second * map_width_;
        std::vector<float> line(map_width_);
        for (std::size_t u = 0; u < map_width_; ++u) line[u] = upper[u] + row.part * (lower[u] - upper[u]);
        for (std::size_t x = 0; x < columns_.size(); ++x) {
            const detail::MapPosition& column = columns_[x];
            out[x] = line[column.first] + column.part * (line[column.second] - line[column.first]);
        }
    }

    /// The values of row y, width() of them, NaN outside the crop.
    void read_row(int y, std::span<float> out) const {
        std::ranges::fill(out, std::numeric_limits<float>::quiet_NaN());
        if (covers_row(y)) read_covered(y, out.subspan(static_cast<std::size_t>(covered_.left), columns_.size()));
    }

    /// All values [height, width] at once: 4 bytes a pixel.
    std::vector<float> values() const {
        const auto row = static_cast<std::size_t>(width());
        std::vector<float> all(row * static_cast<std::size_t>(height()));
        for (int y = 0; y < height(); ++y) read_row(y, std::span(all).subspan(static_cast<std::size_t>(y) * row, row));
        return all;
    }

    int map_width() const { return x_.map_pixels; }
    int map_height() const { return y_.map_pixels; }
    /// The map itself, [map_height, map_width].
    std::span<const float> map() const { return map_; }
    /// The place in the picture of a place on the map; on either, pixel i reaches from i to i + 1.
    double picture_x(double map_x) const { return x_.place(map_x / x_.map_pixels); }
    double picture_y(double map_y) const { return y_.place(map_y / y_.map_pixels); }

private:
    std::vector<float> map_;
    std::size_t map_width_;
    detail::MapAxis x_, y_;
    Window covered_;
    std::vector<detail::MapPosition> columns_;  ///< of the covered ones
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
