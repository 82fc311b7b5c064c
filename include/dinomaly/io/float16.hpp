// SPDX-License-Identifier: Apache-2.0
// IEEE half precision as it lies in weight files: 1 sign, 5 exponent and 10 mantissa bits, smallest normal 2^-14,
// smallest subnormal 2^-24, largest 65504. Conversions only, rounded to nearest even; NaN payloads survive.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::io {

/// The value of a half; exact.
inline float float_from_half(std::uint16_t half) {
    const std::uint32_t sign = (half & 0x8000U) << 16;
    const std::uint32_t exponent = (half >> 10) & 0x1fU;
    const std::uint32_t mantissa = half & 0x3ffU;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
    }
    const std::uint32_t float_exponent = exponent == 0x1f ? 0xff : exponent + 112;  // biases 15 and 127
    return std::bit_cast<float>(sign | (float_exponent << 23) | (mantissa << 13));
}

/// The nearest half, ties to even; 65520 and above become infinite.
inline std::uint16_t half_from_float(float value) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (word >> 16) & 0x8000U;
    const std::uint32_t magnitude = word & 0x7fffffffU;
    const auto with_sign = [sign](std::uint32_t bits) { return static_cast<std::uint16_t>(sign | bits); };

    if (magnitude > 0x7f800000U) {  // NaN: keeps the upper payload, never turns into infinity
        const std::uint32_t payload = (magnitude >> 13) & 0x3ffU;
        return with_sign(0x7c00U | (payload != 0 ? payload : 0x200U));
    }
    if (magnitude >= 0x477ff000U) return with_sign(0x7c00U);
    if (magnitude < 0x38800000U) {  // below 2^-14: between 0.5 and 1 floats are 2^-24 apart, so the sum rounds
        const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
        return with_sign(std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5F));
    }
    const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
    return with_sign((rounded >> 13) - (112U << 10));
}

/// A float for a second rounding: inexact values get an odd mantissa (rounding to odd), so that rounding the result to
/// nearest in a format at least two bits narrower equals rounding the double itself.
inline float round_to_odd(double value) {
    const float nearest = static_cast<float>(value);
    if (static_cast<double>(nearest) == value || std::isnan(value)) return nearest;
    std::uint32_t word = std::bit_cast<std::uint32_t>(nearest);
    if (std::abs(static_cast<double>(nearest)) > std::abs(value)) --word;  // towards zero
    return std::bit_cast<float>(word | 1U);
}

}  // namespace dinomaly::io
