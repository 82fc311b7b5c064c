// SPDX-License-Identifier: Apache-2.0
// The map verb on the CPU: one pass over an elementwise formula, forward or backward.
//
// Work is cut into tasks by the grid's size alone. Outputs larger than the caches are written past them (streaming
// stores), which saves reading each line before it is overwritten.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/expr.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// How a grid is cut: `tasks` pieces, by rows where there are enough of them, else each row by columns too.
struct Partition {
    std::int64_t row_parts = 1, col_parts = 1;

    std::int64_t tasks() const { return row_parts * col_parts; }

    /// At most `limit` pieces of no fewer than about 32,768 elements.
    static Partition of(const Grid& grid, std::int64_t limit) {
        const std::int64_t tasks = std::clamp<std::int64_t>(grid.count() / 32768, 1, limit);
        Partition parts;
        parts.row_parts = std::clamp<std::int64_t>(grid.rows, 1, tasks);
        parts.col_parts = tasks / parts.row_parts;
        return parts;
    }

    /// Calls body(task, first_row, last_row, first_col, last_col); columns are cut at multiples of 64 elements.
    template <class Body> void each(const Grid& grid, const Body& body) const {
        parallel_for(tasks(), [&](std::int64_t task) {
            const std::int64_t i = task / col_parts, j = task % col_parts;
            const auto col = [&](std::int64_t part) {
                return part == col_parts ? grid.cols : grid.cols / 64 * part / col_parts * 64;
            };
            body(task, grid.rows * i / row_parts, grid.rows * (i + 1) / row_parts, col(j), col(j + 1));
        });
    }
};

inline constexpr std::int64_t map_tasks = 64;       // enough to balance, few enough to cost nothing
inline constexpr std::int64_t gradient_tasks = 16;  // each holds its own sums for broadcast leaves
inline constexpr std::int64_t streaming_bytes = std::int64_t{48} << 20;

/// y[r, c] = formula for the given rows and columns; y points at the first of these rows, each of `stride` elements. T
/// is the type of arithmetic, S that of the result.
template <class T, class S, class Formula>
void map_block(const Grid& grid, Formula formula, S* y, std::int64_t stride, std::int64_t row, std::int64_t last_row,
               std::int64_t first_col, std::int64_t last_col, bool streams = false) {
    constexpr int width = Packet<T>::width;
    for (S* out = y; row < last_row; ++row, out += stride) {
        formula.begin_row(Row::of(grid, row), grid.cols);
        std::int64_t col = first_col;
        if constexpr (Formula::is_staged)
            for (constexpr int strip = kernel::strip_packets * width; col + strip <= last_col; col += strip) {
                formula.stage(col);
                for (std::int64_t part = col; part < col + strip; part += width) {
                    typename Formula::Tape tape;
                    const Packet<T> value = formula.forward(tape, kernel::Staged<T>(part, col));
                    if constexpr (std::is_same_v<S, T>)
                        streams ? value.stream(out + part) : value.store(out + part);
                    else
                        value.store(out + part);
                }
            }
        if constexpr (std::is_same_v<S, T>)
            for (; streams && col + width <= last_col; col += width) {
                typename Formula::Tape tape;
                formula.forward(tape, kernel::Whole<T>{col}).stream(out + col);
            }
        for (; col + width <= last_col; col += width) {
            typename Formula::Tape tape;
            formula.forward(tape, kernel::Whole<T>{col}).store(out + col);
        }
        if (col < last_col) {
            typename Formula::Tape tape;
            const int rest = static_cast<int>(last_col - col);
            formula.forward(tape, kernel::Part<T>{col, rest}).store(out + col, rest);
        }
    }
    if (streams) std::atomic_thread_fence(std::memory_order_seq_cst);
}

/// y = formula over the whole grid. y may be an operand that is walked element by element.
template <class S, class Formula> void map(Cpu<S>, const Grid& grid, const Formula& formula, S* y) {
    using T = typename Cpu<S>::compute_type;
    if (grid.count() == 0) return;
    const bool streams = std::is_same_v<S, T> &&
                         grid.count() * static_cast<std::int64_t>(sizeof(S)) >= streaming_bytes &&
                         (grid.rows == 1 || grid.cols % Packet<T>::width == 0) &&
                         reinterpret_cast<std::uintptr_t>(y) % sizeof(Packet<T>) == 0;
    Partition::of(grid, map_tasks).each(grid, [&](std::int64_t, auto row, auto last_row, auto col, auto last_col) {
        map_block<T>(grid, formula, y + row * grid.cols, grid.cols, row, last_row, col, last_col, streams);
    });
}

/// Pushes dy back through the formula over the given rows and columns; dy points at the first of these rows.
template <class T, class S, class Formula>
void push_block(const Grid& grid, Formula& formula, const S* dy, std::int64_t row, std::int64_t last_row,
                std::int64_t first_col, std::int64_t last_col) {
    constexpr int width = Packet<T>::width;
    for (; row < last_row; ++row, dy += grid.cols) {
        formula.begin_row(Row::of(grid, row), grid.cols);
        std::int64_t col = first_col;
        for (; col + width <= last_col; col += width) {
            typename Formula::Tape tape;
            const kernel::Whole<T> at{col};
            formula.forward(tape, at);
            formula.backward(at.load(dy), tape, at);
        }
        if (col < last_col) {
            typename Formula::Tape tape;
            const kernel::Part<T> at{col, static_cast<int>(last_col - col)};
            formula.forward(tape, at);
            formula.backward(at.load(dy), tape, at);
        }
        formula.end_row(kernel::Alone{});
    }
}

/// Pushes dy [rows, cols] back through the formula; its leaves say where their gradients go. The number of tasks, for
/// which leaves that sum must have room, is gradient_parts(grid).
template <class S, class Formula> void map_backward(Cpu<S>, const Grid& grid, const Formula& formula, const S* dy) {
    if (grid.count() == 0) return;
    Partition::of(grid, gradient_tasks)
        .each(grid, [&](auto task, auto row, auto last_row, auto first_col, auto last_col) {
            Formula mine = formula;
            mine.begin_task(task);
            push_block<typename Cpu<S>::compute_type>(grid, mine, dy + row * grid.cols, row, last_row, first_col,
                                                      last_col);
        });
}

/// Tasks that map_backward cuts a grid into.
template <class S> std::int64_t gradient_parts(Cpu<S>, const Grid& grid) {
    return Partition::of(grid, gradient_tasks).tasks();
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
