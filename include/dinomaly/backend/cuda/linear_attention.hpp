// SPDX-License-Identifier: Apache-2.0
// Linear attention on the GPU, forward and backward: one pass over memory for each sum over the tokens and one for each
// result; only qkv and out are kept between the two.
//
//   p = elu(q) + 1, r = elu(k) + 1             [N, d]
//   S = r^T v [d, d],  s = sum of r [d],  n = p s + eps [N],  out = (p S) / n
// Backward, with e = dout / n and h = -sum_c(dout * out) / n [N]:
//   dp = e S^T + h s^T,  dS = p^T e,  ds = p^T h,  dr = v dS^T + ds,  dv = r dS
//   dq = dp * elu'(q),   dk = dr * elu'(k)
//
// Two kernels do it. sum_states adds up a state, S with s or dS with ds, over a part of a head's tokens. apply_states
// multiplies a part's rows by the state, whose parts it first adds in order. Both work in tiles (tile.hpp): products
// are done in the type of the tensors, while the features, n, h, s, ds and all sums are float. How the tokens are
// parted depends on their number alone.
//
// qkv is [B, N, 3, H, d] as the projection left it; out and dout are [B, N, H, d].
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/cuda/head_rows.hpp"
#include "dinomaly/backend/cuda/tile.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda::linear {

inline constexpr int blocks = 4;  // on a multiprocessor, which leaves a thread 128 registers

/// How the tokens of a head are parted, and how its state lies in memory: a matrix [columns, columns], then a vector.
struct Partition {
    HeadSizes sizes;
    int token_tiles, parts;
    int tiles, columns;  // of 64 channels, and the channels that they hold

    explicit Partition(const AttentionSizes& s)
        : sizes(s),
          token_tiles((sizes.tokens + tile_side - 1) / tile_side),
          parts(std::min((token_tiles + 3) / 4, 8)),
          tiles((sizes.channels + tile_side - 1) / tile_side),
          columns(tiles * tile_side) {}

    DINOMALY_HD std::int64_t vector_offset() const { return std::int64_t{columns} * columns; }
    DINOMALY_HD std::int64_t state_size() const { return vector_offset() + columns; }
};

/// What a block works on: a part of the tokens of a head, for one of several outputs. Blocks of the same rows follow
/// each other, so what one has read the next finds in cache.
struct Work : Partition {
    int output, part;
    std::int64_t head;

    __device__ Work(const Partition& p, int outputs) : Partition(p) {
        const int block = static_cast<int>(blockIdx.x), row_block = block / outputs;
        output = block % outputs, part = row_block % parts, head = row_block / parts;
    }
    __device__ int first_tile() const { return token_tiles * part / parts; }
    __device__ int end_tile() const { return token_tiles * (part + 1) / parts; }
};

/// Eight floats of the head's state from `offset` on, its parts added in order.
__device__ inline Piece load_state(const Work& w, const float* states, std::int64_t offset) {
    const float* from = states + w.head * w.parts * w.state_size() + offset;
    Piece sum = load_floats(from);
    for (int part = 1; part < w.parts; ++part) sum = sum + load_floats(from + part * w.state_size());
    return sum;
}
/// The state's vector into shared memory.
__device__ inline void load_vector(const Work& w, const float* states, float* shared) {
    for (int i = static_cast<int>(threadIdx.x) * 8; i < w.columns; i += tile_threads * 8)
        store_floats(shared + i, load_state(w, states, w.vector_offset() + i));
}

/// The sum over a row of what its eight threads hold, in all of them.
__device__ inline float sum_row(float x) {
    for (int lanes = 1; lanes < 8; lanes *= 2) x += __shfl_xor_sync(0xffffffffU, x, lanes);
    return x;
}
__device__ inline float dot(const Piece& a, const Piece& b) {
    float sum = 0;
    for (unsigned i = 0; i < 8; ++i) sum += a[i] * b[i];
    return sum;
}
/// n of a row less eps, in all of its threads, whose first columns are given; `sum` is s.
template <class Rows> __device__ float norm(const Work& w, const Rows& q, int row, int column, const float* sum) {
    float n = 0;
    for (int i = column; i < w.columns; i += tile_side) n += dot(q.features(row, i), load_floats(sum + i));
    return sum_row(n);
}

// --- sums over tokens

/// A row's share in a state: [columns, columns] sums left^T right, the vector weight * left.
struct StateTerm {
    Piece left, right;
    float weight;
};

/// S and s, from k and v.
template <class S, bool wide> struct KeyTerms {
    const S* qkv;

    __device__ void prepare(const Work&, float*) const {}
    __device__ StateTerm operator()(const Work& w, const float*, int row, int left, int right) const {
        const HeadRows<const S, wide> k(w.sizes, w.head, qkv, 1, 3), v(w.sizes, w.head, qkv, 2, 3);
        return {k.features(row, left), v.load(row, right), 1.0F};
    }
};

/// What a token's gradients are multiplied by: 1 / n, and h.
using RowFactors = native::Group<float, 2>;

/// dS and ds, from q, out and dout; leaves each row's factors.
template <class S, bool wide> struct QueryTerms {
    const S *qkv, *out, *dout;
    const float* states;
    float eps;
    RowFactors* factors;  // [B, H, N]

    __device__ void prepare(const Work& w, float* shared) const { load_vector(w, states, shared); }
    __device__ StateTerm operator()(const Work& w, const float* sum, int row, int left, int right) const {
        const HeadRows<const S, wide> q(w.sizes, w.head, qkv, 0, 3), o(w.sizes, w.head, out), g(w.sizes, w.head, dout);
        const int column = left % tile_side;
        float common = 0;
        for (int i = column; i < w.columns; i += tile_side) common += dot(g.load(row, i), o.load(row, i));
        common = sum_row(common);
        const float n = norm(w, q, row, column, sum) + eps;
        const float inverse = row < w.sizes.tokens ? 1.0F / n : 0.0F, h = -common * inverse;
        if (left == 0 && right == 0 && row < w.sizes.tokens) factors[w.head * w.sizes.tokens + row] = {{inverse, h}};
        return {q.features(row, left), g.load(row, right) * spread(inverse), h};
    }
};

/// The states of all parts: a tile of them, and the vector, from one block each.
template <class S, class Terms>
__global__ void __launch_bounds__(tile_threads, blocks) sum_states(Partition partition, Terms terms, float* states) {
    const Work w(partition, partition.tiles * partition.tiles);
    const int left = w.output / w.tiles * tile_side, right = w.output % w.tiles * tile_side;
    unsigned char* memory = shared_memory();
    const Tile<S> lefts(memory), rights(memory + Tile<S>::bytes);
    float* vector = reinterpret_cast<float*>(memory + 2 * Tile<S>::bytes);
    const TileShare share;
    terms.prepare(w, vector);
    __syncthreads();

    TileSums sums;
    Piece weighted{};
    for (int tile = w.first_tile(); tile < w.end_tile(); ++tile) {
        share.each_row([&](int row) {
            const StateTerm term = terms(w, vector, tile * tile_side + row, left + share.column, right + share.column);
            lefts.store(row, share.column, term.left);
            rights.store(row, share.column, term.right);
            for (unsigned j = 0; j < 8; ++j) weighted[j] += term.weight * term.left[j];
        });
        __syncthreads();
        multiply<Stands::transposed, Stands::plain>(lefts, rights, sums);
        __syncthreads();
    }

    float* state = states + (w.head * w.parts + w.part) * w.state_size();
    for (int j = 0; j < 8; ++j)
        for (int half = 0; half < 2; ++half)
            *reinterpret_cast<native::Group<float, 2>*>(state + std::int64_t{left + TileSums::row(half)} * w.columns +
                                                        right + TileSums::column(j)) = {
                {sums.part[j][2 * half], sums.part[j][2 * half + 1]}};
    if (right > 0) return;
    // A column's 16 partial sums: those of a warp by shuffles, those of the four warps by the first.
    float* by_warp = reinterpret_cast<float*>(memory);
    for (unsigned j = 0; j < 8; ++j) {
        for (int lanes = 8; lanes < 32; lanes *= 2) weighted[j] += __shfl_xor_sync(0xffffffffU, weighted[j], lanes);
        if (threadIdx.x % 32 < 8) by_warp[threadIdx.x / 32 * tile_side + threadIdx.x % 8 * 8 + j] = weighted[j];
    }
    __syncthreads();
    if (threadIdx.x < tile_side) {
        const float* column = by_warp + threadIdx.x;
        state[w.vector_offset() + left + threadIdx.x] =
            column[0] + column[tile_side] + column[2 * tile_side] + column[3 * tile_side];
    }
}

// --- results from states

/// out = (p S) / n.
template <class S, bool wide> struct OutStep {
    static constexpr Stands state = Stands::plain;
    const S* qkv;
    S* out;
    float eps;

    __device__ HeadRows<const S, wide> queries(const Work& w) const { return {w.sizes, w.head, qkv, 0, 3}; }
    __device__ Piece left(const Work& w, int row, int column) const { return queries(w).features(row, column); }
    __device__ void finish(const Work& w, const float* sum, int row, int column, const Piece& x) const {
        const float inverse = 1.0F / (norm(w, queries(w), row, column % tile_side, sum) + eps);
        HeadRows<S, wide>(w.sizes, w.head, out).store(row, column, x * spread(inverse), false);
    }
};

/// dq = (e S^T + h s^T) elu'(q).
template <class S, bool wide> struct QueryStep {
    static constexpr Stands state = Stands::transposed;
    const S *qkv, *dout;
    S* dqkv;
    bool adds;
    const RowFactors* factors;

    __device__ RowFactors of_row(const Work& w, int row) const {
        return row < w.sizes.tokens ? factors[w.head * w.sizes.tokens + row] : RowFactors{};
    }
    __device__ Piece left(const Work& w, int row, int column) const {
        return HeadRows<const S, wide>(w.sizes, w.head, dout).load(row, column) * spread(of_row(w, row)[0]);
    }
    __device__ void finish(const Work& w, const float* sum, int row, int column, const Piece& x) const {
        const Piece dp = x + spread(of_row(w, row)[1]) * load_floats(sum + column);
        const Piece p = HeadRows<const S, wide>(w.sizes, w.head, qkv, 0, 3).features(row, column);
        HeadRows<S, wide>(w.sizes, w.head, dqkv, 0, 3).store(row, column, dp * slopes(p), adds);
    }
};

/// dk = (v dS^T + ds) elu'(k).
template <class S, bool wide> struct KeyStep {
    static constexpr Stands state = Stands::transposed;
    const S* qkv;
    S* dqkv;
    bool adds;

    __device__ Piece left(const Work& w, int row, int column) const {
        return HeadRows<const S, wide>(w.sizes, w.head, qkv, 2, 3).load(row, column);
    }
    __device__ void finish(const Work& w, const float* sum, int row, int column, const Piece& x) const {
        const Piece r = HeadRows<const S, wide>(w.sizes, w.head, qkv, 1, 3).features(row, column);
        HeadRows<S, wide>(w.sizes, w.head, dqkv, 1, 3)
            .store(row, column, (x + load_floats(sum + column)) * slopes(r), adds);
    }
};

/// dv = r dS.
template <class S, bool wide> struct ValueStep {
    static constexpr Stands state = Stands::plain;
    const S* qkv;
    S* dqkv;
    bool adds;

    __device__ Piece left(const Work& w, int row, int column) const {
        return HeadRows<const S, wide>(w.sizes, w.head, qkv, 1, 3).features(row, column);
    }
    __device__ void finish(const Work& w, const float*, int row, int column, const Piece& x) const {
        HeadRows<S, wide>(w.sizes, w.head, dqkv, 2, 3).store(row, column, x, adds);
    }
};

/// Bytes of shared memory: a tile of rows and one of sums, the state's tiles for 64 columns of the result, its vector.
template <class S> std::size_t apply_bytes(const Partition& p) {
    return static_cast<std::size_t>((1 + p.tiles) * Tile<S>::bytes + Tile<float>::bytes + p.columns * 4);
}

/// 64 columns of a result, from `first` on, for a part's rows: left times the state or its transpose, finished by the
/// step. A warp's rows are its own all the way, so the warps go on without waiting for each other.
template <class S, class Step> __device__ void apply(const Work& w, const Step& step, const float* states, int first) {
    unsigned char* memory = shared_memory();
    const Tile<S> rows(memory);
    const Tile<float> result(memory + Tile<S>::bytes);
    unsigned char* state_memory = memory + Tile<S>::bytes + Tile<float>::bytes;
    const auto state = [&](int tile) { return Tile<S>(state_memory + tile * Tile<S>::bytes); };
    float* vector = reinterpret_cast<float*>(state_memory + w.tiles * Tile<S>::bytes);
    const TileShare share;
    load_vector(w, states, vector);
    for (int tile = 0; tile < w.tiles; ++tile)
        share.each_row([&](int row) {
            const bool plain = Step::state == Stands::plain;
            const std::int64_t state_row = row + (plain ? tile * tile_side : first);
            const int column = share.column + (plain ? first : tile * tile_side);
            state(tile).store(row, share.column, load_state(w, states, state_row * w.columns + column));
        });
    __syncthreads();

    for (int tile = w.first_tile(); tile < w.end_tile(); ++tile) {
        TileSums sums;
        for (int channels = 0; channels < w.tiles; ++channels) {
            share.each_row([&](int row) {
                rows.store(row, share.column,
                           step.left(w, tile * tile_side + row, channels * tile_side + share.column));
            });
            __syncwarp();
            multiply<Stands::plain, Step::state>(rows, state(channels), sums);
            __syncwarp();
        }
        result.store(sums);
        __syncwarp();
        share.each_row([&](int row) {
            step.finish(w, vector, tile * tile_side + row, first + share.column, result.load(row, share.column));
        });
    }
}

template <class S, class Step>
__global__ void __launch_bounds__(tile_threads, blocks)
    apply_states(Partition partition, Step step, const float* states) {
    const Work w(partition, partition.tiles);
    apply<S>(w, step, states, w.output * tile_side);
}
/// Two steps over the same rows.
template <class S, class First, class Second>
__global__ void __launch_bounds__(tile_threads, blocks)
    apply_states_twice(Partition partition, First step, Second other, const float* states) {
    const Work w(partition, 2 * partition.tiles);
    if (w.output < w.tiles)
        apply<S>(w, step, states, w.output * tile_side);
    else
        apply<S>(w, other, states, (w.output - w.tiles) * tile_side);
}

// --- on the host

inline constexpr std::int64_t most_channels = 192;  // whose tiles of float fit the shared memory of every GPU

/// Whether eight columns of a head always lie at a multiple of their size.
template <class S, class... Pointers> bool reads_wide(const AttentionSizes& s, const Pointers*... tensors) {
    const std::uintptr_t places = (reinterpret_cast<std::uintptr_t>(tensors) | ...);
    return s.head_dim % 8 == 0 && places % (8 * sizeof(S)) == 0;
}

/// Blocks for `outputs` from each part of each head, which have `shared_bytes`.
inline Layout layout(const AttentionSizes& s, const Partition& p, int outputs, std::size_t shared_bytes) {
    return {static_cast<unsigned>(s.batch * s.heads * p.parts * outputs), tile_threads, shared_bytes};
}

/// The states of all parts of all heads.
template <class S, class Terms>
std::shared_ptr<float> states_of(const AttentionSizes& s, const Partition& p, const Terms& terms) {
    const std::shared_ptr<float> states = scratch<float>(s.batch * s.heads * p.parts * p.state_size());
    launch(layout(s, p, p.tiles * p.tiles, static_cast<std::size_t>(2 * Tile<S>::bytes + p.columns * 4)),
           sum_states<S, Terms>, p, terms, states.get());
    return states;
}

template <class S, bool wide> void forward(const AttentionSizes& s, float eps, const S* qkv, S* out) {
    const Partition p(s);
    const std::shared_ptr<float> states = states_of<S>(s, p, KeyTerms<S, wide>{qkv});
    launch(layout(s, p, p.tiles, apply_bytes<S>(p)), apply_states<S, OutStep<S, wide>>, p,
           OutStep<S, wide>{qkv, out, eps}, states.get());
}

template <class S, bool wide>
void backward(const AttentionSizes& s, float eps, const S* qkv, const S* out, const S* dout, S* dqkv, bool adds) {
    const Partition p(s);
    const std::shared_ptr<RowFactors> factors = scratch<RowFactors>(s.batch * s.heads * s.tokens);
    const std::shared_ptr<float> states = states_of<S>(s, p, KeyTerms<S, wide>{qkv});
    const std::shared_ptr<float> slopes =
        states_of<S>(s, p, QueryTerms<S, wide>{qkv, out, dout, states.get(), eps, factors.get()});
    launch(layout(s, p, p.tiles, apply_bytes<S>(p)), apply_states<S, QueryStep<S, wide>>, p,
           QueryStep<S, wide>{qkv, dout, dqkv, adds, factors.get()}, states.get());
    launch(layout(s, p, 2 * p.tiles, apply_bytes<S>(p)), apply_states_twice<S, KeyStep<S, wide>, ValueStep<S, wide>>, p,
           KeyStep<S, wide>{qkv, dqkv, adds}, ValueStep<S, wide>{qkv, dqkv, adds}, slopes.get());
}

inline void expect_head_dim(const AttentionSizes& s) {
    check(s.head_dim <= most_channels, "linear_attention", "head_dim ", s.head_dim, ", at most ", most_channels,
          " expected on a GPU");
}

}  // namespace cuda::linear

/// out [B, N, H, d] from qkv [B, N, 3, H, d]; d at most 192.
template <class S> void linear_attention_forward(Cuda<S>, const AttentionSizes& s, float eps, const S* qkv, S* out) {
    cuda::linear::expect_head_dim(s);
    if (s.batch * s.tokens * s.width() == 0) return;
    if (cuda::linear::reads_wide<S>(s, qkv, out))
        cuda::linear::forward<S, true>(s, eps, qkv, out);
    else
        cuda::linear::forward<S, false>(s, eps, qkv, out);
}

/// dqkv [B, N, 3, H, d] from qkv, out and dout [B, N, H, d], d at most 192; adds to dqkv on request.
template <class S>
void linear_attention_backward(Cuda<S>, const AttentionSizes& s, float eps, const S* qkv, const S* out, const S* dout,
                               S* dqkv, bool adds) {
    cuda::linear::expect_head_dim(s);
    if (s.batch * s.tokens * s.width() == 0) return;
    if (cuda::linear::reads_wide<S>(s, qkv, out, dout, dqkv))
        cuda::linear::backward<S, true>(s, eps, qkv, out, dout, dqkv, adds);
    else
        cuda::linear::backward<S, false>(s, eps, qkv, out, dout, dqkv, adds);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
