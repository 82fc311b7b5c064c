// SPDX-License-Identifier: Apache-2.0
// Grid and strides: how an elementwise kernel walks tensors of different shapes.
//
// All operands of a map are broadcast to the shape of its result. Neighbouring axes that every operand walks alike are
// merged, so most grids end as one long row, or as rows against a repeated row (a bias). The last axis is the row:
// there an operand moves by 1 or stands still (0); over the outer axes it has any stride, 0 where it is repeated.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dinomaly/core/shape.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Element strides of one operand over the axes of a grid.
using Strides = std::array<std::int64_t, max_rank>;

/// The iteration space of a map: `rows` rows of `cols` elements, rows laid out over `outer` axes.
struct Grid {
    int outer = 0;                               // axes above the row
    std::array<std::int64_t, max_rank> sizes{};  // of the outer axes
    std::int64_t rows = 1, cols = 1;

    std::int64_t count() const { return rows * cols; }
};

/// A row of a grid: its number and its coordinates over the outer axes. Loops run to a constant, so that a GPU's
/// compiler unrolls them and keeps the arrays in registers.
struct Row {
    std::int64_t index = 0;
    int outer = 0;
    std::array<std::int64_t, max_rank> at{};

    DINOMALY_HD static Row of(const Grid& grid, std::int64_t index) {
        Row row;
        row.index = index;
        row.outer = grid.outer;
        for (int i = max_rank - 1; i > 0; --i) {
            if (i >= grid.outer) continue;
            const auto axis = static_cast<std::size_t>(i);
            row.at[axis] = index % grid.sizes[axis];
            index /= grid.sizes[axis];
        }
        row.at[0] = index;
        return row;
    }

    DINOMALY_HD std::int64_t offset(const Strides& strides) const {
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < max_rank; ++i)
            if (i < static_cast<std::size_t>(outer)) sum += at[i] * strides[i];
        return sum;
    }
};

/// Strides of an operand of shape `from` when it is broadcast to `to`.
inline Strides broadcast_strides(const Shape& from, const Shape& to) {
    const auto natural = row_major_strides(from);
    Strides strides{};
    for (int i = 1; i <= from.rank(); ++i)
        if (from[-i] != 1)
            strides[static_cast<std::size_t>(to.rank() - i)] = natural[static_cast<std::size_t>(from.rank() - i)];
    return strides;
}

/// Builds the grid of a map over `shape` and rewrites each operand's strides to it. With keep_rows the last axis is
/// never merged: the rows of the grid are then the rows of a matrix product.
inline Grid make_grid(const Shape& shape, std::vector<Strides>& operands, bool keep_rows = false) {
    std::array<std::int64_t, max_rank> sizes{};
    std::vector<Strides> merged(operands.size());
    int rank = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const auto from = static_cast<std::size_t>(axis);
        if (shape[axis] == 1 && !(keep_rows && axis == shape.rank() - 1)) continue;
        bool joins = rank > 0 && !(keep_rows && axis == shape.rank() - 1);
        for (std::size_t i = 0; joins && i < operands.size(); ++i)
            joins = merged[i][static_cast<std::size_t>(rank - 1)] == operands[i][from] * shape[axis];
        if (!joins) sizes[static_cast<std::size_t>(rank++)] = 1;
        const auto to = static_cast<std::size_t>(rank - 1);
        sizes[to] *= shape[axis];
        for (std::size_t i = 0; i < operands.size(); ++i) merged[i][to] = operands[i][from];
    }
    Grid grid;
    if (rank > 0) {
        grid.outer = rank - 1;
        grid.cols = sizes[static_cast<std::size_t>(rank - 1)];
        for (int i = 0; i < grid.outer; ++i) {
            grid.sizes[static_cast<std::size_t>(i)] = sizes[static_cast<std::size_t>(i)];
            grid.rows *= sizes[static_cast<std::size_t>(i)];
        }
    }
    operands = std::move(merged);
    return grid;
}

}  // namespace dinomaly::inline DINOMALY_ABI
