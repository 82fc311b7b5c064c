// SPDX-License-Identifier: Apache-2.0
// The gemm verb on the CPU: C = A B or C += A B for row-major matrices, each operand transposed or not, batched.
//
// float, bfloat16 and bytes go through our tiles: B in panels, A by rows, k in blocks that keep a panel's part in
// cache. A row of C depends on its row of A and on B alone, summed in an order that sizes fix, so results depend
// neither on the number of threads nor on what other rows there are. double, which checks gradients, goes through
// Eigen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "dinomaly/backend/cpu/gemm_double.hpp"
#include "dinomaly/backend/cpu/pack.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// How the rows of a product are spread over threads: in panels, 48 rows or so unless said, cut between tiles.
class RowPanels {
public:
    static constexpr std::int64_t most = 48, tile_rows = 6;

    /// Panels of at most `rows_each` rows, a multiple of six.
    explicit RowPanels(std::int64_t rows, std::int64_t rows_each = most)
        : rows_(rows), tiles_((rows + tile_rows - 1) / tile_rows) {
        const std::int64_t threads = thread_pool().threads(), most_tiles = rows_each / tile_rows;
        const std::int64_t enough = (tiles_ + most_tiles - 1) / most_tiles;
        count_ = std::min(tiles_, (enough + threads - 1) / threads * threads);
    }

    std::int64_t count() const { return count_; }
    std::int64_t first(std::int64_t panel) const { return std::min(rows_, tiles_ * panel / count_ * tile_rows); }

private:
    std::int64_t rows_, tiles_, count_ = 0;
};

namespace detail {

/// Words of k that are done at a time: a panel's part, 98 KB, stays in the second cache.
inline constexpr std::int64_t block_words = 384;

/// A left operand of a few rows as tiles read it: where it lies, or copied.
template <class T> class LeftRows {
public:
    /// Of a [rows, k] in T or in what converts to it. Rows that lie whole pages apart would fight for the same places
    /// of the first cache, and are copied too.
    template <class S> LeftRows(Matrix<const S> a, std::int64_t rows, std::int64_t k) {
        constexpr std::int64_t page = 4096;
        if constexpr (std::is_same_v<S, T>)
            if (!a.transposed && a.stride * static_cast<std::int64_t>(sizeof(T)) < page && k % Tile<T>::per_word == 0) {
                data_ = a.data, row_stride_ = a.stride, word_stride_ = Tile<T>::per_word;
                return;
            }
        const std::int64_t words = words_of<T>(k);
        memory_ = scratch<T>(words * rows * Tile<T>::per_word);
        data_ = memory_.get();
        if (a.transposed) {
            pack_rows(a.data, a.stride, k, rows, rows, memory_.get());
            row_stride_ = Tile<T>::per_word, word_stride_ = rows * Tile<T>::per_word;
        } else {
            row_stride_ = words * Tile<T>::per_word, word_stride_ = Tile<T>::per_word;
            for (std::int64_t r = 0; r < rows; ++r) {
                T* to = memory_.get() + r * row_stride_;
                for (std::int64_t i = 0; i < k; ++i) to[i] = static_cast<T>(a.data[r * a.stride + i]);
                std::fill(to + k, to + row_stride_, T{});
            }
        }
    }

    const T* row(std::int64_t r) const { return data_ + r * row_stride_; }
    std::int64_t row_stride() const { return row_stride_; }
    std::int64_t word_stride() const { return word_stride_; }

private:
    std::shared_ptr<T> memory_;
    const T* data_;
    std::int64_t row_stride_, word_stride_;
};

inline void multiply_rows(std::int64_t rows, std::int64_t n, std::int64_t k, Matrix<const double> a,
                          const Panels<double>& b, Matrix<double> c, bool adds) {
    gemm_eigen(rows, n, k, a, b.matrix(), c, adds);
}

/// sums [rows, n] = or += a [rows, k] times panels, for few rows, on the calling thread. right(i, word) is panel i from
/// a word on, whose words lie right_stride elements apart.
template <class T, class S, class Right>
void multiply_rows(std::int64_t rows, std::int64_t n, std::int64_t k, Matrix<const S> a, const Right& right,
                   std::int64_t right_stride, typename Dot<T>::Sum* sums, std::int64_t stride, bool adds) {
    constexpr std::int64_t block = block_words * Tile<T>::per_word, cols = Tile<T>::cols;
    if (rows == 0) return;
    for (std::int64_t first = 0; first < k; first += block) {
        const std::int64_t part = std::min(block, k - first), words = words_of<T>(part);
        const LeftRows<T> left(a.from(0, first), rows, part);
        const std::int64_t word = first / Tile<T>::per_word, tiles = (rows + Tile<T>::rows - 1) / Tile<T>::rows;
        for (std::int64_t col = 0; col < n; col += cols) {
            // The part that comes next is fetched meanwhile, a piece with each tile.
            const T* next =
                col + cols < n ? right(col / cols + 1, word) : right(0, first + block < k ? word + words : 0);
            Ahead ahead{reinterpret_cast<const char*>(next),
                        (right_stride * static_cast<std::int64_t>(sizeof(T)) + tiles - 1) / tiles};
            for (std::int64_t row = 0; row < rows; row += Tile<T>::rows, ahead.next += words * ahead.stride)
                tile<T>(std::min(Tile<T>::rows, rows - row), std::min(cols, n - col), words, left.row(row),
                        left.row_stride(), left.word_stride(), right(col / cols, word), right_stride,
                        sums + row * stride + col, stride, adds || first > 0, ahead);
        }
    }
    if (k == 0 && !adds)
        for (std::int64_t row = 0; row < rows; ++row) std::fill_n(sums + row * stride, n, typename Dot<T>::Sum(0));
}

/// c [rows, n] = or += a [rows, k] panels for few rows, where c may be stored in another type than its sums.
template <class T, class S, class C>
void multiply_rows(std::int64_t rows, std::int64_t n, std::int64_t k, Matrix<const S> a, const Panels<T>& b,
                   Matrix<C> c, bool adds) {
    using Sum = typename Dot<T>::Sum;
    const auto right = [&](std::int64_t i, std::int64_t word) { return b.at(i, word); };
    constexpr std::int64_t right_stride = Tile<T>::cols * Tile<T>::per_word;
    if constexpr (std::is_same_v<C, Sum>) {
        multiply_rows<T>(rows, n, k, a, right, right_stride, c.data, c.stride, adds);
    } else {
        const std::shared_ptr<Sum> sums = scratch<Sum>(rows * n);
        multiply_rows<T>(rows, n, k, a, right, right_stride, sums.get(), n, false);
        for (std::int64_t row = 0; row < rows; ++row) {
            const Sum* from = sums.get() + row * n;
            C* to = c.data + row * c.stride;
            if (adds)
                for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<C>(static_cast<Sum>(to[i]) + from[i]);
            else
                for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<C>(from[i]);
        }
    }
}

}  // namespace detail

/// C [m, n] = A [m, k] B [k, n] on the calling thread; adds to C on request. Sizes are those after transposition. T is
/// the type in which the products are done.
template <class T, class A = T, class B = T, class C = T>
void gemm_serial(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const A> a, Matrix<const B> b, Matrix<C> c,
                 bool adds = false) {
    if constexpr (std::is_same_v<T, double>) {
        detail::gemm_eigen(m, n, k, a, b, c, adds);
    } else {
        constexpr std::int64_t cols = Tile<T>::cols;
        // Few rows do not repay the packing of whole panels of floats that can be read where they lie.
        if constexpr (Tile<T>::per_word == 1 && std::is_same_v<B, T> && std::is_same_v<C, T>)
            if (!b.transposed && n % cols == 0 && (m <= 2 * RowPanels::most || b.stride == cols)) {
                const auto right = [&](std::int64_t i, std::int64_t row) { return b.data + row * b.stride + i * cols; };
                for (std::int64_t row = 0; row < m; row += RowPanels::most)
                    detail::multiply_rows<T>(std::min(RowPanels::most, m - row), n, k, a.from(row, 0), right, b.stride,
                                             c.data + row * c.stride, c.stride, adds);
                return;
            }
        const Panels<T> panels(k, n, b);
        for (std::int64_t row = 0; row < m; row += RowPanels::most)
            detail::multiply_rows<T>(std::min(RowPanels::most, m - row), n, k, a.from(row, 0), panels, c.from(row, 0),
                                     adds);
    }
}

namespace detail {

/// C [m, n] = or += A [m, k] B on all threads. Of a long k (a weight gradient sums over all tokens) only so much is
/// packed at a time as fits the last cache: pack(first, count) gives such rows of B [k, n] in panels. Panels of C's
/// rows are large, as each reads all of them.
template <class T, class A, class C, class Pack>
void gemm_by_parts(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const A> a, const Pack& pack, Matrix<C> c,
                   bool adds) {
    constexpr std::int64_t block = block_words * Tile<T>::per_word, bytes = std::int64_t{16} << 20;
    const std::int64_t part =
        std::max<std::int64_t>(1, bytes / (block * n * static_cast<std::int64_t>(sizeof(T)))) * block;
    const RowPanels rows(m, 4 * RowPanels::most);
    for (std::int64_t first = 0; first < std::max<std::int64_t>(k, 1); first += part) {
        const std::int64_t length = std::min(part, k - first);
        const Panels<T> panels = pack(first, length);
        parallel_for(rows.count(), [&](std::int64_t panel) {
            const std::int64_t row = rows.first(panel);
            multiply_rows(rows.first(panel + 1) - row, n, length, a.from(row, first), panels, c.from(row, 0),
                          adds || first > 0);
        });
    }
}

}  // namespace detail

/// The same on all threads, for `batch` products at once.
template <class T, class A = T, class B = T, class C = T>
void gemm(Cpu<T>, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const A> a,
          Matrix<const B> b, Matrix<C> c, bool adds = false) {
    if (batch * m * n == 0) return;
    if (batch * m * n * k < 32 * 1024) {
        for (std::int64_t i = 0; i < batch; ++i) gemm_serial<T>(m, n, k, a.at(i), b.at(i), c.at(i), adds);
    } else if (batch > 1 && (batch >= thread_pool().threads() || m * n * k < 32 * 1024)) {
        parallel_for(batch, [&](std::int64_t i) { gemm_serial<T>(m, n, k, a.at(i), b.at(i), c.at(i), adds); });
    } else if constexpr (std::is_same_v<T, double>) {
        const bool by_rows = m >= n;
        const std::int64_t length = by_rows ? m : n;
        const std::int64_t pieces = std::clamp<std::int64_t>(length / 16, 1, thread_pool().threads());
        parallel_for(batch * pieces, [&](std::int64_t task) {
            const std::int64_t i = task / pieces, first = length * (task % pieces) / pieces,
                               count = length * (task % pieces + 1) / pieces - first;
            const std::int64_t row = by_rows ? first : 0, col = by_rows ? 0 : first;
            gemm_serial<T>(by_rows ? count : m, by_rows ? n : count, k, a.at(i).from(row, 0), b.at(i).from(0, col),
                           c.at(i).from(row, col), adds);
        });
    } else {
        for (std::int64_t i = 0; i < batch; ++i) {
            const auto pack = [&](std::int64_t first, std::int64_t count) {
                return Panels<T>(count, n, b.at(i).from(first, 0));
            };
            detail::gemm_by_parts<T>(m, n, k, a.at(i), pack, c.at(i), adds);
        }
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
