// SPDX-License-Identifier: Apache-2.0
// Tiling: a large picture as overlapping windows, each of which the network sees as a picture.
//
// A window is a tile of the picture's own pixels. It is resized to sizes.size, and its middle, sizes.crop, is seen. The
// windows stand evenly along each axis, so that what they see covers the whole picture and overlaps by at least an
// eighth. The first and the last reach beyond the picture's border by the margin that is not seen; there they hold the
// picture mirrored. A picture that is no larger than a tile is not cut: it is judged whole, as without tiles.
//
// With a tile of T pixels, of which s = T crop/size are seen after a margin of m = T offset/size, an axis of W pixels
// has its first window at floor(-m) and its last at ceil(W - m - s); steps are at most 7/8 s. Where W <= s one window
// stands in the middle.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/preprocess.hpp"
#include "dinomaly/vision/resize.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// The most windows of one picture.
inline constexpr std::size_t max_windows = 10000;

/// The windows of one axis.
struct TileAxis {
    int pixels = 0;          ///< of the picture
    int tile = 0;            ///< of a window
    double margin = 0;       ///< of a window before what is seen, in the picture's pixels
    double seen = 0;         ///< of a window
    std::vector<int> first;  ///< where the windows begin; the first may be below 0

    /// For windows that are resized to `size`, of which `crop` pixels from `offset` on are seen. Throws when there
    /// would be more than max_windows.
    TileAxis(int pixels_, int tile_, int size, int offset, int crop) : pixels(pixels_), tile(tile_) {
        const double scale = static_cast<double>(tile) / size;
        margin = scale * offset;
        seen = scale * crop;
        if (pixels <= seen) {
            first = {(pixels - tile) / 2};
            return;
        }
        const double begin = std::floor(-margin), end = std::ceil(pixels - margin - seen);
        const double step = std::max(1.0, std::floor(seen * 7 / 8));
        check((end - begin) / step < static_cast<double>(max_windows), "tiles", "a side of ", tile, " pixels cuts ",
              pixels, " into more than ", max_windows, " windows; larger tiles are needed");
        const int steps = std::max(1, static_cast<int>(std::ceil((end - begin) / step)));
        for (int i = 0; i <= steps; ++i)
            first.push_back(static_cast<int>(std::lround(begin + (end - begin) * i / steps)));
    }
};

/// How one picture is cut into windows.
class Tiling {
public:
    /// For a picture of these sides and tiles of `tile` pixels; none: the picture is judged whole. Throws when the
    /// tile is impossible or there would be more than max_windows.
    Tiling(PictureSize picture, const Preprocess& sizes, PictureSize tile)
        : Tiling(picture, sizes, tile, is_small(picture, sizes, tile)) {}

    /// Whether the picture is judged as one that knows no tiles.
    bool is_whole() const { return whole_; }
    /// How many windows there are, at least 1.
    std::size_t count() const { return columns_.first.size() * rows_.first.size(); }
    /// The windows of a row come after each other, rows from top to bottom.
    std::size_t column(std::size_t i) const { return i % columns_.first.size(); }
    std::size_t row(std::size_t i) const { return i / columns_.first.size(); }
    /// A window in the picture's pixels; it may reach beyond the border (see cut).
    Window window(std::size_t i) const {
        return {columns_.first[column(i)], rows_.first[row(i)], columns_.tile, rows_.tile};
    }
    const TileAxis& columns() const { return columns_; }
    const TileAxis& rows() const { return rows_; }

    /// The sizes by which the picture's map lies over it, for overlay and masks: those given for a whole picture; a map
    /// of windows covers all of its picture.
    const Preprocess& map_sizes() const { return map_sizes_; }

private:
    Tiling(PictureSize picture, const Preprocess& sizes, PictureSize tile, bool whole)
        : whole_(whole),
          columns_(axis(picture.width, sizes.size.width, sizes.offset().width, sizes.crop.width, tile.width)),
          rows_(axis(picture.height, sizes.size.height, sizes.offset().height, sizes.crop.height, tile.height)),
          map_sizes_(sizes) {
        check_size("tiles", picture.width, picture.height);
        if (whole) return;
        map_sizes_.size = sizes.crop;
        check(count() <= max_windows, "tiles", "a tile of ", tile, " cuts a picture of ", picture, " into ", count(),
              " windows, at most ", max_windows, " expected; larger tiles are needed");
    }

    static bool is_small(PictureSize picture, const Preprocess& sizes, PictureSize tile) {
        if (tile == PictureSize{}) return true;
        check_tile(tile);
        Preprocess{.size = sizes.size, .crop = sizes.crop, .patch = 1}.validate();
        return picture.width <= tile.width && picture.height <= tile.height;
    }

    TileAxis axis(int pixels, int size, int offset, int crop, int tile) const {
        if (whole_) return {pixels, pixels, 1, 0, 1};
        return {pixels, tile, size, offset, crop};
    }

    bool whole_;
    TileAxis columns_, rows_;
    Preprocess map_sizes_;
};

/// Pixel i of an axis of n that goes on beyond its ends as its mirror image: -1 is 1, n is n - 2.
inline int mirrored(int i, int n) {
    if (n == 1) return 0;
    const int period = 2 * (n - 1);
    const int place = (i % period + period) % period;
    return place < n ? place : period - place;
}

/// The pixels of a window; beyond the picture's border the picture is mirrored.
inline Image cut(const Image& image, const Window& window) {
    check_image("cut", image);
    Image out = make_image(window.width, window.height, image.channels);
    const auto channels = static_cast<std::size_t>(image.channels);
    // The columns that lie in the picture are copied in one go.
    const int begin = std::clamp(-window.left, 0, window.width);
    const int end = std::clamp(image.width - window.left, begin, window.width);
    const auto column = [&](int x) {
        return static_cast<std::size_t>(mirrored(window.left + x, image.width)) * channels;
    };
    for (int y = 0; y < window.height; ++y) {
        const std::uint8_t* from = image.row(mirrored(window.top + y, image.height));
        std::uint8_t* to = out.row(y);
        const auto copy_one = [&](int x) {
            std::copy_n(from + column(x), channels, to + static_cast<std::size_t>(x) * channels);
        };
        for (int x = 0; x < begin; ++x) copy_one(x);
        if (begin < end)
            std::copy_n(from + column(begin), static_cast<std::size_t>(end - begin) * channels,
                        to + static_cast<std::size_t>(begin) * channels);
        for (int x = end; x < window.width; ++x) copy_one(x);
    }
    return out;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
