// SPDX-License-Identifier: Apache-2.0
// Operands of products in the order in which a tile reads them (backend/cpu/tile.hpp).
//
// A panel holds some columns of a matrix [k, n] word by word: [words][columns][elements of a word], zeros where k or n
// end. Right operands become panels of Tile::cols columns, one after the other; a left operand is read where it lies
// unless it is transposed. Elements are converted on the way: float weights to bfloat16.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/backend/cpu/tile.hpp"
#include "dinomaly/backend/operands.hpp"
#include "dinomaly/core/packet.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Words that k elements of T fill.
template <class T> std::int64_t words_of(std::int64_t k) {
    return (k + Tile<T>::per_word - 1) / Tile<T>::per_word;
}

/// Memory for `count` elements that lasts as long as the handle; not initialised.
template <class T> std::shared_ptr<T> scratch(std::int64_t count) {
    return std::static_pointer_cast<T>(Cpu<T>::allocate(static_cast<std::size_t>(count) * sizeof(T)));
}

namespace detail {

/// A panel from rows [k, valid] that lie `stride` apart.
template <class T, class S>
void pack_rows(const S* from, std::int64_t stride, std::int64_t k, std::int64_t valid, std::int64_t cols, T* to) {
    constexpr std::int64_t per_word = Tile<T>::per_word;
    for (std::int64_t row = 0; row < k; row += per_word, from += per_word * stride, to += cols * per_word) {
        if (per_word == 1) {
            for (std::int64_t c = 0; c < valid; ++c) to[c] = static_cast<T>(from[c]);
        } else {
            const std::int64_t present = std::min(per_word, k - row);
            std::int64_t c = 0;
            if constexpr (std::is_same_v<T, bfloat16>)
                if (present == 2)
                    for (constexpr int width = Packet<float>::width; c + width <= valid; c += width)
                        native::store_pairs(to + 2 * c, native::halves(from + c), native::halves(from + stride + c));
            for (; c < valid; ++c)
                for (std::int64_t i = 0; i < per_word; ++i)
                    to[c * per_word + i] = i < present ? static_cast<T>(from[i * stride + c]) : T{};
        }
        std::fill(to + valid * per_word, to + cols * per_word, T{});
    }
}

/// A panel from `valid` columns, each k elements in a line, that lie `stride` apart.
template <class T, class S>
void pack_columns(const S* from, std::int64_t stride, std::int64_t k, std::int64_t valid, std::int64_t cols, T* to) {
    constexpr std::int64_t per_word = Tile<T>::per_word, block = 16 * per_word;
    for (std::int64_t first = 0; first < k; first += block, to += block * cols) {
        const std::int64_t present = std::min(block, k - first);
        const std::int64_t words = words_of<T>(present);
        for (std::int64_t c = 0; c < cols; ++c) {
            T line[block] = {};
            if (c < valid)
                for (std::int64_t i = 0; i < present; ++i) line[i] = static_cast<T>(from[c * stride + first + i]);
            for (std::int64_t w = 0; w < words; ++w)
                std::copy_n(line + w * per_word, per_word, to + (w * cols + c) * per_word);
        }
    }
}

/// A panel of `cols` columns of x [k, valid].
template <class T, class S>
void pack_panel(Matrix<const S> x, std::int64_t k, std::int64_t valid, std::int64_t cols, T* to) {
    if (x.transposed)
        pack_columns(x.data, x.stride, k, valid, cols, to);
    else
        pack_rows(x.data, x.stride, k, valid, cols, to);
}

}  // namespace detail

/// A right operand [k, n] in panels; copies share them.
template <class T> class Panels {
public:
    Panels() = default;
    /// Packs b [k, n], of T or of what converts to it, on all threads.
    template <class S>
    Panels(std::int64_t k, std::int64_t n, Matrix<const S> b)
        : stride_(words_of<T>(k) * cols * per_word), memory_(scratch<T>((n + cols - 1) / cols * stride_)) {
        data_ = memory_.get();
        parallel_for((n + cols - 1) / cols, [&](std::int64_t i) {
            detail::pack_panel(b.from(0, i * cols), k, std::min(cols, n - i * cols), cols, memory_.get() + i * stride_);
        });
    }

    /// Packs rows that fill(first, count, to) writes to [count, n], a few at a time while they are near, on all
    /// threads.
    template <class Fill>
    Panels(std::int64_t k, std::int64_t n, const Fill& fill)
        : stride_(words_of<T>(k) * cols * per_word), memory_(scratch<T>((n + cols - 1) / cols * stride_)) {
        constexpr std::int64_t rows = 32;  // whole words
        data_ = memory_.get();
        parallel_for((k + rows - 1) / rows, [&](std::int64_t i) {
            const std::int64_t first = i * rows, count = std::min(rows, k - first);
            const std::shared_ptr<T> part = scratch<T>(count * n);
            fill(first, count, part.get());
            for (std::int64_t col = 0; col < n; col += cols)
                detail::pack_rows(part.get() + col, n, count, std::min(cols, n - col), cols,
                                  memory_.get() + col / cols * stride_ + first * cols);
        });
    }

    /// The part that begins at this row and column, which begin a word and a panel.
    Panels from(std::int64_t row, std::int64_t col) const {
        Panels part = *this;
        part.data_ = at(col / cols, row / per_word);
        return part;
    }
    /// Panel i from a word on.
    const T* at(std::int64_t i, std::int64_t word) const { return data_ + i * stride_ + word * cols * per_word; }

private:
    static constexpr std::int64_t cols = Tile<T>::cols, per_word = Tile<T>::per_word;

    std::int64_t stride_ = 0;  // elements from panel to panel
    std::shared_ptr<T> memory_;
    const T* data_ = nullptr;
};

/// In double a right operand is read where it lies, which must outlive this.
template <> class Panels<double> {
public:
    Panels() = default;
    Panels(std::int64_t, std::int64_t, Matrix<const double> b) : matrix_(b) {}

    Panels from(std::int64_t row, std::int64_t col) const { return Panels(0, 0, matrix_.from(row, col)); }
    Matrix<const double> matrix() const { return matrix_; }

private:
    Matrix<const double> matrix_{nullptr, 0};
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
