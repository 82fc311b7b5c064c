// SPDX-License-Identifier: Apache-2.0
// OpenCV's colour table "hot", from black through red and yellow to white: depth pictures are drawn with it, as the
// encoder is to see what the authors' saw. Each channel rises once, from 0 to 255; the steps are OpenCV's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/vision/colormap.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

inline constexpr std::array<std::uint8_t, 104> hot_red{
    2,   5,   8,   10,  12,  15,  18,  20,  22,  25,  27,  30,  32,  35,  38,  40,  42,  45,  48,  50,  52,
    55,  57,  60,  62,  65,  68,  70,  72,  75,  78,  80,  82,  85,  88,  90,  92,  95,  98,  100, 102, 105,
    108, 110, 112, 115, 117, 120, 122, 125, 128, 130, 132, 135, 138, 140, 142, 145, 148, 150, 152, 155, 158,
    160, 162, 165, 168, 170, 172, 175, 178, 180, 182, 185, 188, 190, 192, 195, 198, 200, 202, 205, 208, 210,
    212, 215, 218, 220, 223, 225, 228, 230, 232, 235, 238, 240, 243, 245, 248, 250, 252, 253, 254, 254};
inline constexpr std::array<std::uint8_t, 104> hot_green{
    2,   4,   6,   8,   10,  13,  15,  18,  20,  22,  25,  28,  30,  32,  35,  38,  40,  42,  45,  48,  50,
    52,  55,  58,  60,  62,  65,  68,  70,  72,  75,  78,  80,  82,  85,  88,  90,  92,  95,  98,  100, 102,
    105, 108, 110, 112, 115, 118, 120, 122, 125, 128, 130, 132, 135, 138, 140, 142, 145, 148, 150, 152, 155,
    158, 160, 162, 165, 168, 170, 172, 175, 178, 180, 182, 185, 188, 190, 192, 195, 198, 200, 202, 205, 208,
    210, 212, 215, 218, 220, 222, 225, 228, 230, 232, 235, 238, 240, 242, 245, 248, 250, 252, 253, 254};
inline constexpr std::array<std::uint8_t, 52> hot_blue{2,   5,   8,   11,  15,  20,  25,  30,  35,  40,  45,  50,  55,
                                                       60,  65,  70,  75,  80,  85,  90,  95,  100, 105, 110, 115, 120,
                                                       125, 130, 135, 140, 145, 150, 155, 160, 165, 170, 175, 180, 185,
                                                       190, 195, 200, 205, 210, 215, 220, 225, 230, 235, 240, 245, 250};

/// 0 before `first`, the ramp's values from there on, 255 behind it.
inline std::uint8_t on_ramp(std::span<const std::uint8_t> ramp, std::size_t first, std::size_t level) {
    if (level < first) return 0;
    return level - first < ramp.size() ? ramp[level - first] : std::uint8_t{255};
}

}  // namespace detail

/// The colour of a level.
inline Color hot_color(std::uint8_t level) {
    return {detail::on_ramp(detail::hot_red, 1, level), detail::on_ramp(detail::hot_green, 102, level),
            detail::on_ramp(detail::hot_blue, 203, level)};
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
