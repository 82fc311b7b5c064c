// SPDX-License-Identifier: Apache-2.0
// The map verb on a GPU: one pass over an elementwise formula, forward or backward.
//
// Forward a thread computes one packet. Backward a block takes some rows: its threads walk down their columns, which
// keeps the sums of a leaf that is repeated over rows in registers. A leaf that is repeated along the row sums over the
// threads of a block instead, in a pass of its own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/cuda/team.hpp"
#include "dinomaly/core/expr.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

inline constexpr int map_threads = 256;

/// a / b for a >= 0 and b > 0; of 32 bits where both fit, which takes a fraction of the time.
DINOMALY_HD inline std::int64_t quotient(std::int64_t a, std::int64_t b) {
    if (((a | b) >> 32) == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
    return a / b;
}

/// A packet of a grid by its number.
template <class T> struct PacketPlace {
    std::int64_t row;
    kernel::Part<T> at;

    static DINOMALY_HD std::int64_t a_row(const Grid& grid) {
        return (grid.cols + Packet<T>::width - 1) / Packet<T>::width;
    }
    static DINOMALY_HD PacketPlace of(const Grid& grid, std::int64_t index) {
        const std::int64_t row = grid.rows == 1 ? 0 : quotient(index, a_row(grid));
        const std::int64_t col = (index - row * a_row(grid)) * Packet<T>::width, rest = grid.cols - col;
        return {row, {col, static_cast<int>(rest < Packet<T>::width ? rest : Packet<T>::width)}};
    }
};

template <class T, class S, class Formula> __global__ void map_kernel(Grid grid, Formula formula, S* y) {
    const std::int64_t index = thread_index();
    if (index >= grid.rows * PacketPlace<T>::a_row(grid)) return;
    const PacketPlace<T> place = PacketPlace<T>::of(grid, index);
    formula.begin_row(Row::of(grid, place.row), grid.cols);
    typename Formula::Tape tape;
    place.at.store(y + place.row * grid.cols, formula.forward(tape, place.at));
}

/// How a grid is cut for the backward pass, a block each: by rows where there are enough of them, else each row by
/// columns too.
struct Tasks {
    static constexpr std::int64_t most = 512;  // enough to fill a GPU, few enough for each to hold its own sums

    std::int64_t row_parts = 1, col_parts = 1;

    DINOMALY_HD std::int64_t count() const { return row_parts * col_parts; }

    /// Pieces of no fewer than 4096 elements.
    static Tasks of(const Grid& grid) {
        Tasks tasks;
        const std::int64_t pieces = std::clamp<std::int64_t>(grid.count() / 4096, 1, most);
        tasks.row_parts = std::clamp<std::int64_t>(grid.rows, 1, pieces);
        tasks.col_parts = pieces / tasks.row_parts;
        return tasks;
    }
    /// By rows alone, so that several grids of as many rows are cut alike.
    static Tasks by_rows(std::int64_t rows) { return {std::clamp<std::int64_t>(rows, 1, most), 1}; }

    /// The rows and columns of a task; columns are cut at multiples of 64 elements.
    struct Piece {
        std::int64_t row, last_row, col, last_col;
    };
    DINOMALY_HD Piece piece(const Grid& grid, std::int64_t task) const {
        const std::int64_t i = task / col_parts, j = task % col_parts;
        return {grid.rows * i / row_parts, grid.rows * (i + 1) / row_parts, grid.cols / 64 * j / col_parts * 64,
                j + 1 == col_parts ? grid.cols : grid.cols / 64 * (j + 1) / col_parts * 64};
    }
};

/// The packet that a thread has at column `col`.
template <class T> DINOMALY_HD kernel::Part<T> part_at(std::int64_t col, std::int64_t last_col) {
    const std::int64_t rest = last_col - col;
    return {col, static_cast<int>(rest < Packet<T>::width ? rest : Packet<T>::width)};
}

/// Threads walk down their columns: for leaves that move along the row. The formula's value goes to y, which may be dy,
/// where it is kept.
template <class T, bool keeps_value, class S, class Formula>
__global__ void push_columns_kernel(Grid grid, Tasks tasks, Formula formula, const S* dy, S* y) {
    const Tasks::Piece piece = tasks.piece(grid, blockIdx.x);
    formula.begin_task(blockIdx.x);
    const std::int64_t step = static_cast<std::int64_t>(blockDim.x) * Packet<T>::width;
    for (std::int64_t col = piece.col + threadIdx.x * Packet<T>::width; col < piece.last_col; col += step) {
        const kernel::Column<T> at{part_at<T>(col, piece.last_col)};
        for (std::int64_t row = piece.row; row < piece.last_row; ++row) {
            formula.begin_row(Row::of(grid, row), grid.cols);
            typename Formula::Tape tape;
            [[maybe_unused]] const Packet<T> value = formula.forward(tape, at);
            formula.backward(at.load(dy + row * grid.cols), tape, at);
            if constexpr (keeps_value) at.store(y + row * grid.cols, value);
        }
        formula.end_columns(at);
    }
}

/// The block walks along its rows: for leaves of which one element serves a whole row.
template <class T, class S, class Formula>
__global__ void push_rows_kernel(Grid grid, Tasks tasks, Formula formula, const S* dy) {
    const Tasks::Piece piece = tasks.piece(grid, blockIdx.x);
    formula.begin_task(blockIdx.x);
    const std::int64_t step = static_cast<std::int64_t>(blockDim.x) * Packet<T>::width;
    for (std::int64_t row = piece.row; row < piece.last_row; ++row) {
        formula.begin_row(Row::of(grid, row), grid.cols);
        for (std::int64_t col = piece.col + threadIdx.x * Packet<T>::width; col < piece.last_col; col += step) {
            const kernel::Part<T> at = part_at<T>(col, piece.last_col);
            typename Formula::Tape tape;
            formula.forward(tape, at);
            formula.backward(at.load(dy + row * grid.cols), tape, at);
        }
        formula.end_row(BlockTeam{});
    }
}

/// Pushes dy back through the formula in the given tasks. With keeps_value the formula's value then stands in y, which
/// may be dy's memory, if the result is true.
template <class T, bool keeps_value = false, class S, class Formula>
bool push(const Grid& grid, const Tasks& tasks, const Formula& formula, const S* dy, S* y = nullptr) {
    if (grid.count() == 0) return false;
    const Layout layout{static_cast<unsigned>(tasks.count()), map_threads, block_bytes<T>(map_threads)};
    if (Formula rows = formula; rows.keep_pass(kernel::Pass::rows))
        launch(layout, push_rows_kernel<T, S, Formula>, grid, tasks, rows, dy);
    Formula columns = formula;
    if (!columns.keep_pass(kernel::Pass::columns)) return false;
    launch(layout, push_columns_kernel<T, keeps_value, S, Formula>, grid, tasks, columns, dy, y);
    return keeps_value;
}

}  // namespace cuda

/// y = formula over the whole grid. y may be an operand that is walked element by element.
template <class S, class Formula> void map(Cuda<S>, const Grid& grid, const Formula& formula, S* y) {
    using T = typename Cuda<S>::compute_type;
    if (grid.count() == 0) return;
    const std::int64_t packets = grid.rows * cuda::PacketPlace<T>::a_row(grid);
    cuda::launch({cuda::blocks_for(packets, cuda::map_threads), cuda::map_threads}, cuda::map_kernel<T, S, Formula>,
                 grid, formula, y);
}

/// Pushes dy [rows, cols] back through the formula; its leaves say where their gradients go. The number of tasks, for
/// which leaves that sum must have room, is gradient_parts(grid).
template <class S, class Formula> void map_backward(Cuda<S>, const Grid& grid, const Formula& formula, const S* dy) {
    cuda::push<typename Cuda<S>::compute_type>(grid, cuda::Tasks::of(grid), formula, dy);
}

/// Tasks that map_backward cuts a grid into.
template <class S> std::int64_t gradient_parts(Cuda<S>, const Grid& grid) {
    return cuda::Tasks::of(grid).count();
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
