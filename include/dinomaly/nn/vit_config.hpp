// SPDX-License-Identifier: Apache-2.0
// VitConfig: the sizes and the parts that a vision transformer is made with, and what of it follows from these.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace dinomaly::nn {

/// Where tokens get their places from.
enum class Position : std::uint8_t {
    absolute,  ///< a learned embedding a cell of a grid, added to the tokens (DINO, DINOv2, MAE, ..)
    rotary,    ///< queries and keys of patches are turned by angles of their row and column (DINOv3)
    relative,  ///< a learned bias a block for each offset between two cells of a fixed grid (BEiT)
};

/// How an absolute embedding of g x g is brought to h x w cells, bicubically.
enum class PositionResize : std::uint8_t {
    offset,  ///< with steps of g / (h + 0.1): DINO's and DINOv2's code
    size,    ///< with steps of g / h: timm's and Hugging Face's
};

/// Sizes and parts of a vision transformer; the defaults are DINOv2-S without registers.
struct VitConfig {
    std::int64_t width = 384, depth = 12, heads = 6, patch = 14;
    std::int64_t registers = 0;
    std::int64_t grid = 37;   // side of the position embedding, or of the fixed grid; without meaning when rotary
    double eps = 1e-6;        // of the layer norms
    std::int64_t hidden = 0;  // width of the MLPs' hidden layer (behind the gate); 0: four times `width`
    bool is_gated = false;    // MLPs are w3(silu(w1 x) * w2 x), not fc2(gelu(fc1 x))
    bool has_layer_scale = true;
    Position position = Position::absolute;
    PositionResize resize = PositionResize::offset;

    std::int64_t head_dim() const { return width / heads; }
    std::int64_t hidden_width() const { return hidden > 0 ? hidden : 4 * width; }
    /// Tokens before the first patch: the class token and the registers.
    std::int64_t prefix() const { return 1 + registers; }
    /// Tokens of a picture of rows x columns pixels.
    std::int64_t tokens(std::int64_t rows, std::int64_t columns) const {
        return prefix() + (rows / patch) * (columns / patch);
    }

    friend bool operator==(const VitConfig&, const VitConfig&) = default;
};

/// Rows of a table of relative positions on a grid of g x g cells: an offset each, and the class token's three.
inline std::int64_t relative_table_rows(std::int64_t grid) {
    return (2 * grid - 1) * (2 * grid - 1) + 3;
}

/// The periods of rotary positions, 100^(4 j / head_dim) rounded to float: [head_dim / 4] (DINOv3).
inline std::vector<float> rotary_periods(std::int64_t head_dim) {
    std::vector<float> periods;
    for (std::int64_t j = 0; 4 * j < head_dim; ++j)
        periods.push_back(
            static_cast<float>(std::pow(100.0, static_cast<double>(4 * j) / static_cast<double>(head_dim))));
    return periods;
}

}  // namespace dinomaly::nn
