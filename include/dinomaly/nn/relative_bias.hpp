// SPDX-License-Identifier: Apache-2.0
// RelativeBias: BEiT's learned bias of a block's attention scores, one a head for each offset between two cells of a
// g x g grid, and three for pairs with the class token (Bao et al., 2022).
//
// Row of the table for query a and key b, at (row, col): (row_a - row_b + g - 1) (2 g - 1) + col_a - col_b + g - 1;
// the last three rows are class -> patch, patch -> class, class -> class.
#pragma once

#include <cstdint>
#include <vector>

#include "dinomaly/nn/module.hpp"
#include "dinomaly/nn/vit_config.hpp"
#include "dinomaly/ops/gather.hpp"
#include "dinomaly/ops/permute.hpp"
#include "dinomaly/ops/reshape.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

/// Rows of a table of offsets for every pair of 1 + g g tokens, class token first, query by query.
inline std::vector<std::int64_t> relative_index(std::int64_t g) {
    const std::int64_t side = 2 * g - 1, tokens = 1 + g * g, last = relative_table_rows(g) - 1;
    std::vector<std::int64_t> rows;
    rows.reserve(static_cast<std::size_t>(tokens * tokens));
    rows.push_back(last);
    for (std::int64_t b = 0; b < g * g; ++b) rows.push_back(last - 2);
    for (std::int64_t a = 0; a < g * g; ++a) {
        rows.push_back(last - 1);
        for (std::int64_t b = 0; b < g * g; ++b) rows.push_back((a / g - b / g + g - 1) * side + a % g - b % g + g - 1);
    }
    return rows;
}

template <Device D> struct RelativeBias {
    std::int64_t grid = 0;
    Param<D> table;  // [(2 g - 1)^2 + 3, H]

    RelativeBias() = default;
    RelativeBias(std::int64_t grid_, std::int64_t heads)
        : grid(grid_), table(zeros<Full<D>>({relative_table_rows(grid_), heads})) {}

    bool defined() const { return table.value().defined(); }

    /// What is added to the scores of h x w patches and the class token, [H, N, N]. Throws unless h = w = g.
    Var<Full<D>> operator()(std::int64_t h, std::int64_t w) const {
        check(h == grid && w == grid, "encoder", h, " x ", w, " patches: its relative positions are those of ", grid,
              " x ", grid);
        const std::int64_t tokens = 1 + grid * grid;
        return permute(reshape(gather(table, relative_index(grid)), {tokens, tokens, table.size(1)}), {2, 0, 1});
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
