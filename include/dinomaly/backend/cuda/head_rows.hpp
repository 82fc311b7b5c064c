// SPDX-License-Identifier: Apache-2.0
// The rows of an attention head as a thread of a kernel reads and writes them, eight columns at a time (tile.hpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "dinomaly/backend/cuda/tile.hpp"
#include "dinomaly/backend/operands.hpp"
#include "dinomaly/core/math.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

/// Sizes of an attention as kernels use them.
struct HeadSizes {
    int heads, tokens, channels;
    std::int64_t width;

    explicit HeadSizes(const AttentionSizes& s)
        : heads(static_cast<int>(s.heads)),
          tokens(static_cast<int>(s.tokens)),
          channels(static_cast<int>(s.head_dim)),
          width(s.width()) {}
};

/// The rows of one of all pictures' heads in a tensor [B, N, parts, H, d], which read as zeros beyond the last token
/// and the last channel. `wide` says that eight columns are all there or none, and lie at a multiple of their size.
template <class S, bool wide> class HeadRows {
public:
    __device__ HeadRows(const HeadSizes& s, std::int64_t head, S* tensor, int part = 0, int parts = 1)
        : first_(tensor + (head / s.heads * s.tokens * parts + part) * s.width + head % s.heads * s.channels),
          stride_(s.width * parts),
          tokens_(s.tokens),
          channels_(s.channels) {}

    __device__ Piece load(int row, int column) const {
        // What is not there is read from the first row instead: a branch would keep reads from overlapping.
        const S* from = holds(row, column) ? first_ + row * stride_ + column : first_;
        Piece x;
        if constexpr (wide) {
            const auto group = *reinterpret_cast<const native::Group<std::remove_const_t<S>, 8>*>(from);
            for (unsigned i = 0; i < 8; ++i) x[i] = holds(row, column) ? static_cast<float>(group[i]) : 0.0F;
        } else {
            for (unsigned i = 0; i < 8; ++i)
                x[i] = holds(row, column + static_cast<int>(i)) ? static_cast<float>(from[i]) : 0.0F;
        }
        return x;
    }
    /// elu(x) + 1 of what is there.
    __device__ Piece features(int row, int column) const {
        const Piece x = load(row, column);
        Piece y;
        for (unsigned i = 0; i < 8; ++i) {
            const bool there = holds(row, column + (wide ? 0 : static_cast<int>(i)));
            const float power = math::exp(math::min(0.0F, x[i]));
            y[i] = math::select(there, math::select(x[i] > 0.0F, x[i] + 1.0F, power), 0.0F);
        }
        return y;
    }
    __device__ void store(int row, int column, const Piece& x, bool adds) const {
        if (!holds(row, column)) return;
        const Piece sum = adds ? load(row, column) + x : x;
        S* to = first_ + row * stride_ + column;
        if constexpr (wide) {
            native::Group<S, 8> group;
            for (unsigned i = 0; i < 8; ++i) group[i] = static_cast<S>(sum[i]);
            *reinterpret_cast<native::Group<S, 8>*>(to) = group;
        } else {
            for (unsigned i = 0; i < 8; ++i)
                if (holds(row, column + static_cast<int>(i))) to[i] = static_cast<S>(sum[i]);
        }
    }

private:
    __device__ bool holds(int row, int column) const { return row < tokens_ && column < channels_; }

    S* first_;
    std::int64_t stride_;
    int tokens_, channels_;
};

/// elu' from elu + 1.
__device__ inline Piece slopes(const Piece& features) {
    return native::generate<float, 8>([&](int i) { return math::min(1.0F, features.values[i]); });
}
/// The same factor for eight columns.
__device__ inline Piece spread(float x) {
    return native::generate<float, 8>([&](int) { return x; });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
