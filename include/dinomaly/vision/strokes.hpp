// SPDX-License-Identifier: Apache-2.0
// Straight strokes drawn into a picture with smooth edges, as a pen with a round tip of a given width would.
//
// Of all strokes of a call each pixel learns the distance of its middle to the nearest one; the pen's colour covers it
// by (width / 2 + 1/2 - distance), kept within 0 .. 1. So strokes that meet leave no darker joints.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "dinomaly/vision/colormap.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// A place in a picture: pixel i reaches from i to i + 1.
struct Point {
    double x = 0, y = 0;
};
struct Stroke {
    Point from, to;
};

/// What draws: a line of `width` pixels and, on both sides of it, a rim of another colour that sets it off.
struct Pen {
    double width = 1;
    Color color{255, 255, 255};
    double rim = 0;
    Color rim_color{0, 0, 0};

    double reach() const { return width / 2 + rim + 0.5; }
};

namespace detail {

inline double distance(Point p, const Stroke& stroke) {
    const double dx = stroke.to.x - stroke.from.x, dy = stroke.to.y - stroke.from.y;
    const double squared = dx * dx + dy * dy;
    const double along = squared > 0 ? ((p.x - stroke.from.x) * dx + (p.y - stroke.from.y) * dy) / squared : 0;
    const double t = std::clamp(along, 0.0, 1.0);
    return std::hypot(p.x - stroke.from.x - t * dx, p.y - stroke.from.y - t * dy);
}

/// The pixels from `first` to before `end` of one axis that a pen may touch.
struct PixelRange {
    int first = 0, end = 0;

    static PixelRange around(double low, double high, double reach, int pixels) {
        const auto bounded = [pixels](double at) {
            return static_cast<int>(std::clamp(std::floor(at), 0.0, static_cast<double>(pixels)));
        };
        return {bounded(low - reach), bounded(high + reach + 1)};
    }
};

inline void blend(std::uint8_t* pixel, const Color& color, double part) {
    for (std::size_t c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>(pixel[c] + (color[c] - pixel[c]) * part + 0.5);
}

}  // namespace detail

/// Draws strokes into an RGB picture; what lies outside of it is left out. Takes a byte for each pixel of the
/// rectangle around all strokes. Throws unless the picture has 3 channels.
inline void draw_strokes(Image& rgb, std::span<const Stroke> strokes, const Pen& pen) {
    check_image("draw_strokes", rgb);
    check(rgb.channels == 3, "draw_strokes", rgb.channels, " channels, 3 expected");
    if (strokes.empty()) return;
    const double reach = pen.reach();
    Point low = strokes.front().from, high = low;
    for (const Stroke& stroke : strokes)
        for (const Point& p : {stroke.from, stroke.to}) {
            low = {std::min(low.x, p.x), std::min(low.y, p.y)};
            high = {std::max(high.x, p.x), std::max(high.y, p.y)};
        }
    const auto columns = detail::PixelRange::around(low.x, high.x, reach, rgb.width);
    const auto rows = detail::PixelRange::around(low.y, high.y, reach, rgb.height);
    if (columns.first >= columns.end || rows.first >= rows.end) return;

    constexpr double far = 255;  // distances are kept in 255ths of the reach
    const auto stride = static_cast<std::size_t>(columns.end - columns.first);
    std::vector<std::uint8_t> nearest(stride * static_cast<std::size_t>(rows.end - rows.first), 255);
    for (const Stroke& s : strokes) {
        const auto xs =
            detail::PixelRange::around(std::min(s.from.x, s.to.x), std::max(s.from.x, s.to.x), reach, rgb.width);
        const auto ys =
            detail::PixelRange::around(std::min(s.from.y, s.to.y), std::max(s.from.y, s.to.y), reach, rgb.height);
        for (int y = ys.first; y < ys.end; ++y)
            for (int x = xs.first; x < xs.end; ++x) {
                const double d = detail::distance({x + 0.5, y + 0.5}, s) * far / reach;
                std::uint8_t& kept = nearest[static_cast<std::size_t>(y - rows.first) * stride +
                                             static_cast<std::size_t>(x - columns.first)];
                if (d < kept) kept = static_cast<std::uint8_t>(d);
            }
    }
    for (int y = rows.first; y < rows.end; ++y) {
        const std::uint8_t* kept = nearest.data() + static_cast<std::size_t>(y - rows.first) * stride;
        std::uint8_t* pixel = rgb.row(y) + 3 * columns.first;
        for (int x = columns.first; x < columns.end; ++x, ++kept, pixel += 3) {
            if (*kept == 255) continue;
            const double inside = reach - *kept * reach / far;  // how far within the outer edge
            if (pen.rim > 0) detail::blend(pixel, pen.rim_color, std::clamp(inside, 0.0, 1.0));
            detail::blend(pixel, pen.color, std::clamp(inside - pen.rim, 0.0, 1.0));
        }
    }
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
