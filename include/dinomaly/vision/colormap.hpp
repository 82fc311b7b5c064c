// SPDX-License-Identifier: Apache-2.0
// A colour for each value in [0, 1], from black through violet, red and orange to pale yellow.
//
// Lightness grows steadily along the map, so that an order of values is an order of brightness, on paper and to
// colour-blind eyes as well. Straight lines between nine control points of our own.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Red, green, blue.
using Color = std::array<std::uint8_t, 3>;

/// The colour of a value; below 0 and NaN the first, above 1 the last.
inline Color heat_color(float value) {
    static constexpr std::array<std::array<float, 3>, 9> points{{{0, 0, 6},
                                                                 {32, 12, 74},
                                                                 {83, 17, 108},
                                                                 {134, 32, 104},
                                                                 {184, 51, 84},
                                                                 {225, 87, 52},
                                                                 {247, 136, 18},
                                                                 {250, 194, 58},
                                                                 {252, 252, 180}}};
    const float last = static_cast<float>(points.size() - 1);
    const float position = !(value > 0.0F) ? 0.0F : value < 1.0F ? value * last : last;
    const std::size_t below = position < last ? static_cast<std::size_t>(position) : points.size() - 2;
    const float part = position - static_cast<float>(below);
    Color color{};
    for (std::size_t c = 0; c < 3; ++c)
        color[c] =
            static_cast<std::uint8_t>(std::lround(points[below][c] + part * (points[below + 1][c] - points[below][c])));
    return color;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
