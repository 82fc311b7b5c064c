// SPDX-License-Identifier: Apache-2.0
// The library's version, as in CMakeLists.txt.
#pragma once

#include "dinomaly/core/macros.hpp"

namespace dinomaly {

inline constexpr const char* version = "0.1.0";

}  // namespace dinomaly
