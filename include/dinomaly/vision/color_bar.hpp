// SPDX-License-Identifier: Apache-2.0
// A colour bar beside a picture: which colour is which value. Numbers are drawn with strokes, so that they fit any
// size.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dinomaly/vision/colormap.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/overlay.hpp"
#include "dinomaly/vision/strokes.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// Points of a character's lines on a grid of 4 x 8, two digits "xy" each; a blank lifts the pen.
inline std::string_view glyph(char c) {
    static constexpr std::array<std::string_view, 10> digits{
        "103041473818070110",          "022028",   "0201103041430848",
        "01103041433414 344547381807", "38300646", "40000313334447381807",
        "413010010718384744331304",    "004018",   "14030110304143341405071838474534",
        "071838474130100104153544"};
    if (c >= '0' && c <= '9') return digits[static_cast<std::size_t>(c - '0')];
    return c == '-' ? "0444" : c == '.' ? "0808" : "";
}

/// From one character's beginning to the next one's, in the grid's units.
inline double advance(char c) {
    return c == '.' ? 2.4 : 6.4;
}

inline double text_width(std::string_view text, double height) {
    double width = -2.4;
    for (char c : text) width += advance(c);
    return width * height / 8;
}

/// Writes digits, point and minus, their left upper corner at (x, y).
inline void draw_number(Image& rgb, std::string_view text, Point at, double height, const Pen& pen) {
    std::vector<Stroke> strokes;
    const double unit = height / 8;
    for (char c : text) {
        std::optional<Point> last;
        const std::string_view path = glyph(c);
        for (std::size_t i = 0; i < path.size();) {
            if (path[i] == ' ') {
                last.reset();
                ++i;
                continue;
            }
            const Point point{at.x + (path[i] - '0') * unit, at.y + (path[i + 1] - '0') * unit};
            strokes.push_back({last.value_or(point), point});
            last = point;
            i += 2;
        }
        at.x += advance(c) * unit;
    }
    draw_strokes(rgb, strokes, pen);
}

/// A value with as many decimals as tell values of the range apart.
inline std::string number_text(float value, float range) {
    const int decimals = std::clamp(2 - static_cast<int>(std::floor(std::log10(range))), 0, 6);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.*f", decimals, static_cast<double>(value));
    return text.data();
}

inline void fill(Image& rgb, const Window& area, const Color& color) {
    for (int y = area.top; y < area.top + area.height; ++y)
        for (int x = area.left; x < area.left + area.width; ++x) std::ranges::copy(color, rgb.row(y) + 3 * x);
}

}  // namespace detail

/// Where with_color_bar draws, for a picture of this size.
struct ColorBarLayout {
    int text = 0;       ///< height of a number
    Window bar;         ///< the colours, the highest value's at the top
    PictureSize whole;  ///< of the picture with its bar

    ColorBarLayout(PictureSize picture, int longest_number) {
        text = std::max(8, static_cast<int>(std::lround(0.024 * std::min(picture.width, picture.height))));
        const int height = std::max(picture.height, 12 * text);
        bar = {picture.width + text, 3 * text / 2, 3 * text / 2, height - 3 * text};
        whole = {bar.left + bar.width + text + longest_number + text, height};
    }
};

/// The RGB picture with the colours of `style` and their values at its right, on a dark ground. Where there is a
/// threshold within the range, its value stands out and a line like the outline's crosses the bar.
inline Image with_color_bar(const Image& picture, const OverlayStyle& style,
                            std::optional<float> threshold = std::nullopt) {
    check_image("with_color_bar", picture);
    style.validate();
    const float range = style.high - style.low;
    const auto number = [&](float value) { return detail::number_text(value, range); };
    std::vector<float> ticks;
    for (int i = 0; i <= 4; ++i) ticks.push_back(style.low + range * static_cast<float>(i) / 4);
    const float mark = threshold.value_or(std::numeric_limits<float>::quiet_NaN());
    const bool marked = mark >= style.low && mark <= style.high;

    const int text = ColorBarLayout({picture.width, picture.height}, 0).text;
    double longest = 0;
    for (float value : ticks) longest = std::max(longest, detail::text_width(number(value), text));
    const ColorBarLayout layout({picture.width, picture.height}, static_cast<int>(std::ceil(longest)));
    constexpr Color ground{24, 24, 27}, ink{212, 212, 216}, bright{255, 255, 255};
    Image out = make_image(layout.whole.width, layout.whole.height, 3);
    detail::fill(out, {0, 0, out.width, out.height}, ground);
    for (int y = 0; y < picture.height; ++y)
        for (int x = 0; x < picture.width; ++x)
            for (int c = 0; c < 3; ++c)
                out.row(y)[3 * x + c] = picture.row(y)[picture.channels * x + (picture.channels == 3 ? c : 0)];

    const Window& bar = layout.bar;
    for (int y = 0; y < bar.height; ++y)
        detail::fill(out, {bar.left, bar.top + y, bar.width, 1},
                     heat_color(1 - (static_cast<float>(y) + 0.5F) / static_cast<float>(bar.height)));

    const double thin = std::max(1.0, text / 9.0), right = bar.left + bar.width;
    const auto height_of = [&](float value) {
        return bar.top + static_cast<double>(1 - (value - style.low) / range) * bar.height;
    };
    const auto draw_tick = [&](float value, const Pen& pen) {
        const double y = height_of(value);
        detail::draw_number(out, number(value), {right + text, y - text / 2.0}, text, pen);
        return y;
    };
    for (float value : ticks) {
        if (marked && std::abs(height_of(value) - height_of(mark)) < 1.5 * text) continue;
        const double y = draw_tick(value, {.width = thin, .color = ink});
        draw_strokes(out, std::array{Stroke{{right + 0.2 * text, y}, {right + 0.55 * text, y}}},
                     {.width = thin, .color = ink});
    }
    if (marked) {
        const double y = draw_tick(mark, {.width = 1.5 * thin, .color = bright});
        draw_strokes(out, std::array{Stroke{{static_cast<double>(bar.left), y}, {right + 0.4 * text, y}}},
                     {.width = 1.6 * thin, .color = bright, .rim = thin, .rim_color = {0, 0, 0}});
    }
    return out;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
