// SPDX-License-Identifier: Apache-2.0
// A colour for each value in [0, 1]: "inferno", from black through violet, red and orange to pale yellow.
//
// Perceptually uniform: equal steps of the value look equally large, and lightness grows steadily, so that an order of
// values is an order of brightness, on paper and to colour-blind eyes as well. Designed by Stefan van der Walt and
// Nathaniel Smith for matplotlib, dedicated to the public domain (CC0). Of its 256 colours every 255/32nd stands here,
// with straight lines between them: nowhere further than 1.5 of 255 from the original.
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
    static constexpr std::array<std::array<float, 3>, 33> points{
        {{0, 0, 4},       {4, 3, 18},      {11, 7, 36},    {21, 11, 55},   {33, 12, 74},   {46, 10, 90},
         {60, 9, 101},    {74, 12, 107},   {87, 16, 109},  {99, 20, 110},  {112, 25, 110}, {125, 30, 109},
         {137, 34, 106},  {150, 39, 102},  {163, 43, 97},  {175, 49, 92},  {187, 55, 85},  {198, 62, 77},
         {209, 70, 68},   {219, 79, 59},   {227, 89, 50},  {235, 101, 40}, {241, 113, 30}, {246, 127, 20},
         {249, 141, 10},  {251, 156, 6},   {252, 171, 15}, {251, 186, 31}, {249, 202, 50}, {245, 217, 73},
         {242, 232, 101}, {243, 245, 134}, {252, 255, 164}}};
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
