// SPDX-License-Identifier: Apache-2.0
// Tiles [64, 64] of matrices in shared memory, and their products by a block of four warps: on the tensor cores where
// they are in bfloat16, else by fused multiply-adds. Both leave the sums in the same threads, so a kernel is written
// once for either type.
//
// For work on rows each warp has the 16 rows of a tile whose sums it holds, four at a time: eight threads share a row,
// each with eight columns, one piece of 16 bytes in bfloat16.
#pragma once

#include <cstdint>

#include "dinomaly/backend/cuda/primitives.hpp"
#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/native.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

inline constexpr int tile_side = 64, tile_threads = 128;

/// Eight neighbouring columns of a row.
using Piece = native::Group<float, 8>;

/// Eight floats at a multiple of 16 bytes. Halves go as a whole: element by element they would be as many reads.
__device__ inline Piece load_floats(const float* from) {
    using Half = native::Group<float, 4>;
    const Half low = *reinterpret_cast<const Half*>(from), high = *reinterpret_cast<const Half*>(from + 4);
    return {{low.values[0], low.values[1], low.values[2], low.values[3], high.values[0], high.values[1], high.values[2],
             high.values[3]}};
}
__device__ inline void store_floats(float* to, const Piece& x) {
    using Half = native::Group<float, 4>;
    *reinterpret_cast<Half*>(to) = {{x.values[0], x.values[1], x.values[2], x.values[3]}};
    *reinterpret_cast<Half*>(to + 4) = {{x.values[4], x.values[5], x.values[6], x.values[7]}};
}

/// The rows and columns of a tile that are this thread's in work on rows.
struct TileShare {
    int first_row, column;  // of its rows, and of its eight columns

    __device__ TileShare()
        : first_row(static_cast<int>(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 8)),
          column(static_cast<int>(threadIdx.x % 8 * 8)) {}

    /// f(row) for its four rows, one beside the other: what they read is on its way at the same time.
    template <class F> __device__ void each_row(const F& f) const {
        f(first_row), f(first_row + 4), f(first_row + 8), f(first_row + 12);
    }
};

/// This thread's part of a product [64, 64]: of 8 columns after the other what multiply_add leaves, for the 16 rows of
/// its warp.
struct TileSums {
    float part[8][4] = {};

    /// row(0) and row(1) are those of part[j][0], [1] and of part[j][2], [3]; column(j) that of part[j][0] and [2].
    __device__ static int row(int half) {
        return static_cast<int>(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4) + 8 * half;
    }
    __device__ static int column(int j) { return 8 * j + 2 * static_cast<int>(threadIdx.x % 4); }
};

/// How an operand of C = A B stands in its tile: as it is, or as its transpose.
enum class Stands { plain, transposed };

template <class S> class Tile;

/// In bfloat16. The eight values more a row spread a column of pieces over all banks of the memory, and leave every
/// address a constant away from one that depends on the lane.
template <> class Tile<bfloat16> {
public:
    static constexpr int stride = tile_side + 8, bytes = tile_side * stride * 2;

    __device__ explicit Tile(unsigned char* memory) : memory_(memory) {}

    __device__ unsigned char* at(int row, int column) const { return memory_ + (row * stride + column) * 2; }
    __device__ void store(int row, int column, const Piece& x) const {
        native::Group<std::uint32_t, 4> words;
        for (unsigned i = 0; i < 4; ++i) words[i] = pack_bfloat16(x[2 * i], x[2 * i + 1]);
        *reinterpret_cast<native::Group<std::uint32_t, 4>*>(at(row, column)) = words;
    }

    /// A's rows from `row` on, columns from `k` on, as multiply_add takes its left operand.
    template <Stands how> __device__ void left(int row, int k, std::uint32_t (&a)[4]) const {
        if constexpr (how == Stands::plain)
            load_matrices(a, down_first() + (row * stride + k) * 2);
        else
            load_matrices_transposed(a, across_first() + (k * stride + row) * 2);
    }
    /// B's rows from `k` on as multiply_add takes its right operand: b[0], b[1] for the columns from `column` on, b[2],
    /// b[3] for those from eight more.
    template <Stands how> __device__ void right(int k, int column, std::uint32_t (&b)[4]) const {
        if constexpr (how == Stands::plain)
            load_matrices_transposed(b, down_first() + (k * stride + column) * 2);
        else
            load_matrices(b, across_first() + (column * stride + k) * 2);
    }

private:
    /// The row that this lane names of four matrices in the tile's first 16 rows and columns: matrix 1 lies below
    /// matrix 0, or beside it.
    __device__ const unsigned char* down_first() const {
        const int lane = static_cast<int>(threadIdx.x % 32);
        return at(lane % 16, lane / 16 * 8);
    }
    __device__ const unsigned char* across_first() const {
        const int lane = static_cast<int>(threadIdx.x % 32);
        return at(lane / 16 * 8 + lane % 8, lane / 8 % 2 * 8);
    }

    unsigned char* memory_;
};

/// In float, with as many more.
template <> class Tile<float> {
public:
    static constexpr int stride = tile_side + 8, bytes = tile_side * stride * 4;

    __device__ explicit Tile(unsigned char* memory) : memory_(reinterpret_cast<float*>(memory)) {}

    __device__ float& at(int row, int column) const { return memory_[row * stride + column]; }
    __device__ void store(int row, int column, const Piece& x) const { store_floats(&at(row, column), x); }
    __device__ Piece load(int row, int column) const { return load_floats(&at(row, column)); }
    /// All sums of the block.
    __device__ void store(const TileSums& sums) const {
        for (int j = 0; j < 8; ++j)
            for (int half = 0; half < 2; ++half)
                *reinterpret_cast<native::Group<float, 2>*>(&at(TileSums::row(half), TileSums::column(j))) = {
                    {sums.part[j][2 * half], sums.part[j][2 * half + 1]}};
    }

private:
    float* memory_;
};

/// sums [64, 64] += A B. Where A stands plain a warp reads only its own rows of it.
template <Stands left, Stands right> __device__ void multiply(Tile<bfloat16> a, Tile<bfloat16> b, TileSums& sums) {
    const int row = static_cast<int>(threadIdx.x / 32 * 16);
    for (int k = 0; k < tile_side; k += 16) {
        std::uint32_t rows[4];
        a.left<left>(row, k, rows);
        for (int j = 0; j < 8; j += 2) {
            std::uint32_t columns[4];
            b.right<right>(k, 8 * j, columns);
            multiply_add(sums.part[j], rows, columns[0], columns[1]);
            multiply_add(sums.part[j + 1], rows, columns[2], columns[3]);
        }
    }
}
template <Stands left, Stands right> __device__ void multiply(Tile<float> a, Tile<float> b, TileSums& sums) {
    const auto element = [](const Tile<float>& tile, Stands how, int row, int column) {
        return how == Stands::plain ? tile.at(row, column) : tile.at(column, row);
    };
    for (int k = 0; k < tile_side; ++k) {
        const float low = element(a, left, TileSums::row(0), k), high = element(a, left, TileSums::row(1), k);
        for (int j = 0; j < 8; ++j)
            for (int i = 0; i < 2; ++i) {
                const float column = element(b, right, k, TileSums::column(j) + i);
                sums.part[j][i] += low * column;
                sums.part[j][2 + i] += high * column;
            }
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
