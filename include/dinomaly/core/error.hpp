// SPDX-License-Identifier: Apache-2.0
// One exception type for all bad input, and the two functions that raise it.
//
// Messages read "[place] what was found, what was expected", where place is an op ("matmul") or a file. They are the
// same in release builds; nothing in the library aborts.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "dinomaly/core/macros.hpp"

namespace dinomaly {

/// Bad input: a shape that breaks an op's rule, a file that is not what it should be, a setting out of range.
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Throws Error with "[place] " and the streamed parts.
template <class... Parts> [[noreturn]] void fail(const std::string& place, const Parts&... parts) {
    std::ostringstream text;
    text << '[' << place << "] ";
    (text << ... << parts);
    throw Error(text.str());
}

/// Throws as fail() does unless the condition holds; the parts are only formatted then.
template <class... Parts> void check(bool condition, const char* place, const Parts&... parts) {
    if (!condition) [[unlikely]]
        fail(place, parts...);
}

}  // namespace dinomaly
