// SPDX-License-Identifier: Apache-2.0
// Softmax attention on the tensor cores, forward, for bfloat16 and a head_dim of 64, without the N x N matrix (Dao,
// FlashAttention-2, 2023).
//
// A block has 64 queries of a head, each of its four warps 16 of them in registers. Tiles of 64 keys and values pass
// through two stages of shared memory: the next is copied while this one is multiplied, so a tile needs one barrier.
// Scores become weights in the registers where the product left them, which are those that the product with the values
// takes. Weights are powers of two, 2^((s - top) scale log2 e), and only their sum is kept in full over all keys.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

#include "dinomaly/backend/cuda/runtime.hpp"
#include "dinomaly/backend/cuda/tile.hpp"
#include "dinomaly/backend/operands.hpp"
#include "dinomaly/core/math.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

inline constexpr int flash_head_dim = tile_side;

namespace detail {

using BfloatPair = native::Group<bfloat16, 2>;

/// What a block works on: 64 queries, a head, a picture. Made from its number alone, so nothing of it is kept while
/// the keys go by.
struct FlashBlock {
    int tokens, width, first_query, heads;

    __device__ explicit FlashBlock(const AttentionSizes& s)
        : tokens(static_cast<int>(s.tokens)),
          width(static_cast<int>(s.width())),
          first_query(static_cast<int>(blockIdx.x) * tile_side),
          heads(static_cast<int>(s.heads)) {}

    /// Where the head's first row begins in a tensor of all pictures with so many elements a row.
    __device__ std::int64_t start(int stride) const {
        return static_cast<std::int64_t>(blockIdx.z) * tokens * stride + std::int64_t{blockIdx.y} * flash_head_dim;
    }
    __device__ std::int64_t lse_start() const {
        return (static_cast<std::int64_t>(blockIdx.z) * heads + blockIdx.y) * tokens;
    }
};

/// Keys and values on their way to shared memory, 64 rows at a time into one stage and the other in turn.
class FlashStages {
public:
    __device__ FlashStages(const FlashBlock& block, const bfloat16* keys)
        : width_(block.width),
          row_(static_cast<int>(threadIdx.x / 8)),
          left_(block.tokens - row_),
          from_(keys + row_ * 3 * width_ + column()) {}

    __device__ static Tile<bfloat16> keys(int tile) {
        return Tile<bfloat16>(shared_memory() + tile % 2 * Tile<bfloat16>::bytes);
    }
    __device__ static Tile<bfloat16> values(int tile) {
        return Tile<bfloat16>(shared_memory() + (tile % 2 + 2) * Tile<bfloat16>::bytes);
    }

    /// Starts the copies of the next tile, zeros beyond the last token.
    __device__ void start(int tile) {
        for (int i = 0; i < tile_side; i += tile_threads / 8, from_ += tile_threads / 8 * 3 * width_) {
            copy_async(keys(tile).at(row_ + i, column()), from_, i < left_);
            copy_async(values(tile).at(row_ + i, column()), from_ + width_, i < left_);
        }
        left_ -= tile_side;
        commit_copies();
    }

private:
    __device__ static int column() { return static_cast<int>(threadIdx.x % 8 * 8); }

    int width_, row_, left_;
    const bfloat16* from_;
};

/// What the warp's 16 queries have gathered from the keys so far.
struct FlashRows {
    TileSums result;  // of weights times values
    float top[2] = {-std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
    float sum[2] = {};  // of this thread's weights

    /// Makes weights of scores; `factor` is the scale in powers of two.
    __device__ void weigh(TileSums& scores, float factor) {
        for (int half = 0; half < 2; ++half) {
            float highest = top[half];
            for (auto& part : scores.part) highest = fmaxf(highest, fmaxf(part[2 * half], part[2 * half + 1]));
            for (int lanes = 1; lanes < 4; lanes *= 2)
                highest = fmaxf(highest, __shfl_xor_sync(0xffffffffU, highest, lanes));
            const float shrink = exp2_fast((top[half] - highest) * factor), offset = highest * factor;
            top[half] = highest;
            sum[half] *= shrink;
            for (int j = 0; j < 8; ++j)
                for (int i = 2 * half; i < 2 * half + 2; ++i) {
                    const float weight = exp2_fast(scores.part[j][i] * factor - offset);
                    scores.part[j][i] = weight;
                    sum[half] += weight;
                    result.part[j][i] *= shrink;
                }
        }
    }
    /// Adds weights times values.
    __device__ void add(const TileSums& weights, Tile<bfloat16> values) {
        for (int k = 0; k < 4; ++k) {
            const float(&low)[4] = weights.part[2 * k], (&high)[4] = weights.part[2 * k + 1];
            const std::uint32_t rows[4] = {pack_bfloat16(low[0], low[1]), pack_bfloat16(low[2], low[3]),
                                           pack_bfloat16(high[0], high[1]), pack_bfloat16(high[2], high[3])};
            for (int j = 0; j < 8; j += 2) {
                std::uint32_t columns[4];
                values.right<Stands::plain>(16 * k, 8 * j, columns);
                multiply_add(result.part[j], rows, columns[0], columns[1]);
                multiply_add(result.part[j + 1], rows, columns[2], columns[3]);
            }
        }
    }
};

inline constexpr int flash_blocks = 4;  // on a multiprocessor, which leaves a thread 128 registers

/// out = softmax(scale q k^T) v for 64 queries of a head, and their lse unless it is null. A template, since nvcc knows
/// no inline kernels.
template <std::same_as<bfloat16> S>
__global__ void __launch_bounds__(tile_threads, flash_blocks)
    flash_attention_kernel(AttentionSizes sizes, float scale, const S* qkv, S* out, float* lse) {
    const FlashBlock block(sizes);
    const S* first = qkv + block.start(3 * block.width);
    FlashStages stages(block, first + block.width);
    stages.start(0);

    std::uint32_t queries[4][4];  // as multiply_add takes its left operand, 16 columns after the other
    for (int half = 0; half < 2; ++half) {
        const int row = min(block.first_query + TileSums::row(half), block.tokens - 1);  // more are never stored
        const S* from = first + std::int64_t{row} * 3 * block.width + TileSums::column(0);
        for (int i = 0; i < 8; ++i)
            queries[i / 2][half + i % 2 * 2] =
                std::bit_cast<std::uint32_t>(*reinterpret_cast<const BfloatPair*>(from + 8 * i));
    }

    const float factor = scale * 1.44269504F;  // log2 e
    FlashRows rows;
    const int tiles = (block.tokens + tile_side - 1) / tile_side;
    for (int tile = 0; tile < tiles; ++tile) {
        wait_copies<0>();
        __syncthreads();  // this tile is there, and nobody reads the one before any more
        if (tile + 1 < tiles) stages.start(tile + 1);
        const Tile<bfloat16> keys = FlashStages::keys(tile);
        TileSums scores;
        for (int k = 0; k < 4; ++k)
            for (int j = 0; j < 8; j += 2) {
                std::uint32_t columns[4];
                keys.right<Stands::transposed>(16 * k, 8 * j, columns);
                multiply_add(scores.part[j], queries[k], columns[0], columns[1]);
                multiply_add(scores.part[j + 1], queries[k], columns[2], columns[3]);
            }
        const int there = block.tokens - tile * tile_side;  // keys from this tile on
        if (there < tile_side)
            for (int j = 0; j < 8; ++j)
                for (int i = 0; i < 4; ++i)
                    if (TileSums::column(j) + i % 2 >= there)
                        scores.part[j][i] = -std::numeric_limits<float>::infinity();
        rows.weigh(scores, factor);
        rows.add(scores, FlashStages::values(tile));
    }

    for (int half = 0; half < 2; ++half) {
        float sum = rows.sum[half];
        for (int lanes = 1; lanes < 4; lanes *= 2) sum += __shfl_xor_sync(0xffffffffU, sum, lanes);
        const int row = block.first_query + TileSums::row(half);
        if (row >= block.tokens) continue;
        const float inverse = 1.0F / sum;
        S* to = out + block.start(block.width) + std::int64_t{row} * block.width;
        for (int j = 0; j < 8; ++j) {
            const float(&part)[4] = rows.result.part[j];
            *reinterpret_cast<BfloatPair*>(to + TileSums::column(j)) =
                std::bit_cast<BfloatPair>(pack_bfloat16(part[2 * half] * inverse, part[2 * half + 1] * inverse));
        }
        if (lse != nullptr && threadIdx.x % 4 == 0)
            lse[block.lse_start() + row] = rows.top[half] * scale + math::log(sum);
    }
}

}  // namespace detail

/// Whether flash_attention can take such sizes and memory: head_dim 64, rows at multiples of 16 bytes, no more pictures
/// than a grid has layers.
inline bool flash_attention_fits(const AttentionSizes& s, const void* qkv) {
    return s.head_dim == flash_head_dim && s.batch <= 65535 && reinterpret_cast<std::uintptr_t>(qkv) % 16 == 0;
}

/// out [B, N, H, 64] = softmax(q k^T / 8) v for every head of qkv [B, N, 3, H, 64]; lse [B, H, N], the log of the sum
/// of exponentials of each row of scores, unless null.
inline void flash_attention(const AttentionSizes& s, const bfloat16* qkv, bfloat16* out, float* lse) {
    if (s.batch * s.heads * s.tokens == 0) return;
    const dim3 blocks(blocks_for(s.tokens, tile_side), static_cast<unsigned>(s.heads), static_cast<unsigned>(s.batch));
    constexpr float scale = 0.125F;  // 1 / sqrt(64)
    launch({blocks, tile_threads, 4 * Tile<bfloat16>::bytes}, detail::flash_attention_kernel<bfloat16>, s, scale, qkv,
           out, lse);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
