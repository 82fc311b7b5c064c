// SPDX-License-Identifier: Apache-2.0
// Precision: what the inputs of a matrix product are kept in.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "dinomaly/core/error.hpp"

namespace dinomaly::inline DINOMALY_ABI {

enum class Precision { fp32, bf16, int8 };

namespace detail {

inline constexpr std::array<std::pair<const char*, Precision>, 3> precision_names{
    {{"fp32", Precision::fp32}, {"bf16", Precision::bf16}, {"int8", Precision::int8}}};

}  // namespace detail

/// "fp32", "bf16" or "int8".
inline const char* precision_name(Precision precision) {
    return detail::precision_names[static_cast<std::size_t>(precision)].first;
}

/// The precision of that name. Throws Error for any other.
inline Precision find_precision(const std::string& name) {
    for (const auto& [known, precision] : detail::precision_names)
        if (name == known) return precision;
    fail("precision", '"', name, "\"; fp32, bf16 or int8 expected");
}

}  // namespace dinomaly::inline DINOMALY_ABI
