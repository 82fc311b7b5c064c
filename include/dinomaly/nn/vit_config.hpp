// SPDX-License-Identifier: Apache-2.0
// VitConfig: the sizes that a vision transformer is made with.
#pragma once

#include <cstdint>

namespace dinomaly::nn {

/// Sizes of a vision transformer.
struct VitConfig {
    std::int64_t width = 384, depth = 12, heads = 6, patch = 14;
    std::int64_t registers = 0;
    std::int64_t grid = 37;  // side of the position embedding
    double eps = 1e-6;

    /// Tokens before the first patch: the class token and the registers.
    std::int64_t prefix() const { return 1 + registers; }
    /// Tokens of a picture of rows x columns pixels.
    std::int64_t tokens(std::int64_t rows, std::int64_t columns) const {
        return prefix() + (rows / patch) * (columns / patch);
    }

    friend bool operator==(const VitConfig&, const VitConfig&) = default;
};

}  // namespace dinomaly::nn
