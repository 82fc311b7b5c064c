// SPDX-License-Identifier: Apache-2.0
// The small change of writing HTML: escaped text, numbers, pictures as data.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace dinomaly::page {

/// Text that may stand in an element or a quoted attribute.
std::string escaped(std::string_view text);

/// A number with a fixed count of decimals, the same in every locale; "-" where it is not finite.
std::string number(double value, int decimals);

/// A figure of 0..1 in per cent with one decimal, as the tables of papers print it.
inline std::string percent(double value) {
    return number(100 * value, 1);
}

std::string base64(std::span<const std::byte> bytes);

/// Bytes as the address of a picture: "data:image/jpeg;base64,..".
std::string data_address(std::string_view type, std::span<const std::byte> bytes);

}  // namespace dinomaly::page
