// SPDX-License-Identifier: Apache-2.0
// bfloat16: the upper half of a float, rounded to nearest even. Storage only; arithmetic is done in float.
#pragma once

#include <bit>
#include <cstdint>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// 1 sign, 8 exponent and 7 mantissa bits; converts from and to float.
struct bfloat16 {
    std::uint16_t bits = 0;

    bfloat16() = default;
    DINOMALY_HD explicit bfloat16(float value) {
        const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
        const bool is_nan = (word & 0x7fffffffU) > 0x7f800000U;
        const std::uint32_t rounded = word + 0x7fffU + ((word >> 16) & 1U);
        bits = static_cast<std::uint16_t>((is_nan ? (word | 0x400000U) : rounded) >> 16);
    }
    DINOMALY_HD operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace dinomaly::inline DINOMALY_ABI
