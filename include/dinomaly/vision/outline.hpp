// SPDX-License-Identifier: Apache-2.0
// The line around what reaches a threshold on a map, in the pixels of the picture.
//
// Marching squares on the bilinear surface of the map, five steps to a map pixel: as smooth on a picture of 50
// megapixels as on a small one, at the same cost. Where a region leaves the map its outline follows the map's edge.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/picture_map.hpp"
#include "dinomaly/vision/strokes.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

inline constexpr int outline_steps = 5;  ///< grid points to a map pixel and axis; odd, so that one lies at its middle

/// What stands for a place without a value: below any threshold.
inline constexpr float no_value = std::numeric_limits<float>::lowest();

/// Values of the map at the grid's points, row by row. Around all a frame of points lies below any threshold.
class OutlineGrid {
public:
    explicit OutlineGrid(const PictureMap& map)
        : map_(map),
          fine_(
              map.map(), map.map_width(), map.map_height(),
              {outline_steps * map.map_width(), outline_steps * map.map_height()},
              {.size = {map.map_width(), map.map_height()}, .crop = {map.map_width(), map.map_height()}, .patch = 1}) {}

    int width() const { return fine_.width() + 2; }
    int height() const { return fine_.height() + 2; }
    /// Where grid point (i, j) lies in the picture. The outermost ones lie on the map's edge, and so does the frame.
    Point place(double i, double j) const {
        const auto at = [](double k, int pixels) {
            return k <= 1 ? 0.0 : k >= outline_steps * pixels ? static_cast<double>(pixels) : (k - 0.5) / outline_steps;
        };
        return {map_.picture_x(at(i, map_.map_width())), map_.picture_y(at(j, map_.map_height()))};
    }
    void read_row(int j, std::span<float> out) const {
        std::ranges::fill(out, no_value);
        if (j == 0 || j + 1 == height()) return;
        fine_.read_row(j - 1, out.subspan(1, out.size() - 2));
        for (float& value : out) value = std::isnan(value) ? no_value : std::clamp(value, no_value, -no_value);
    }

private:
    const PictureMap& map_;
    PictureMap fine_;
};

/// How far from a point with value `a` towards one with value `b` the threshold lies, where one of them reaches it. A
/// region reaches up to a point without a value.
inline double crossing(double a, double b, double threshold) {
    if (a <= static_cast<double>(no_value)) return 0;
    if (b <= static_cast<double>(no_value)) return 1;
    return (threshold - a) / (b - a);
}

}  // namespace detail

/// The outline of all places of a map that reach `threshold`, in no order. Places without a value lie outside.
inline std::vector<Stroke> outline(const PictureMap& map, float threshold) {
    const detail::OutlineGrid grid(map);
    const auto width = static_cast<std::size_t>(grid.width());
    std::vector<float> upper(width), lower(width);
    std::vector<Stroke> strokes;
    grid.read_row(0, upper);
    for (int y = 0; y + 1 < grid.height(); ++y, upper.swap(lower)) {
        grid.read_row(y + 1, lower);
        for (std::size_t i = 0; i + 1 < width; ++i) {
            const std::array<float, 4> value{upper[i], upper[i + 1], lower[i + 1], lower[i]};  // clockwise
            std::array<bool, 4> in{};
            for (std::size_t k = 0; k < 4; ++k) in[k] = value[k] >= threshold;
            // Side k leads from corner k to the next one.
            const auto on_side = [&, x = static_cast<double>(i)](std::size_t k) {
                const double t =
                    detail::crossing(static_cast<double>(value[k]), static_cast<double>(value[(k + 1) % 4]),
                                     static_cast<double>(threshold));
                switch (k) {
                    case 0: return grid.place(x + t, y);
                    case 1: return grid.place(x + 1, y + t);
                    case 2: return grid.place(x + 1 - t, y + 1);
                    default: return grid.place(x, y + 1 - t);
                }
            };
            std::array<std::size_t, 4> sides{};
            std::size_t crossed = 0;
            for (std::size_t k = 0; k < 4; ++k)
                if (in[k] != in[(k + 1) % 4]) sides[crossed++] = k;
            // With all four sides crossed, the inner corners belong together: each outer one is cut off.
            if (crossed == 4 && !in[0]) std::rotate(sides.begin(), sides.begin() + 1, sides.end());
            for (std::size_t k = 0; k < crossed; k += 2) strokes.push_back({on_side(sides[k]), on_side(sides[k + 1])});
        }
    }
    return strokes;
}

/// A white pen with a dark rim, seen on any background, its width fit for a picture of this size.
inline Pen outline_pen(PictureSize picture) {
    const double width = std::max(1.6, std::hypot(picture.width, picture.height) / 500);
    return {.width = width, .color = {255, 255, 255}, .rim = 0.6 * width, .rim_color = {0, 0, 0}};
}

/// Draws an outline into the picture it belongs to, RGB.
inline void draw_outline(Image& rgb, std::span<const Stroke> outline) {
    draw_strokes(rgb, outline, outline_pen({rgb.width, rgb.height}));
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
