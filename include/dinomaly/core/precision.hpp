// SPDX-License-Identifier: Apache-2.0
// Precision: what the inputs of a matrix product are kept in. tf32 is a GPU's: fp32 in memory, rounded to ten bits of
// mantissa as the product reads it.
#pragma once

#include <string>

#include "dinomaly/core/error.hpp"

namespace dinomaly {

enum class Precision { fp32, bf16, int8, tf32 };

/// "fp32", "bf16", "int8" or "tf32".
inline const char* precision_name(Precision precision) {
    switch (precision) {
        case Precision::bf16: return "bf16";
        case Precision::int8: return "int8";
        case Precision::tf32: return "tf32";
        default: return "fp32";
    }
}

/// The precision of that name. Throws Error for any other.
inline Precision find_precision(const std::string& name) {
    for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8, Precision::tf32})
        if (name == precision_name(precision)) return precision;
    fail("precision", '"', name, "\"; fp32, bf16, int8 or tf32 expected");
}

}  // namespace dinomaly
