// SPDX-License-Identifier: Apache-2.0
// Softmax attention on the GPU, forward and backward.
//
// Forward goes through flash_attention.hpp where that can take the sizes. Everything else is a composition, a picture
// at a time: products of all heads of a picture, whose scores [H, N, N] stand in memory, with a kernel for their rows:
//
//   P = softmax(scale q k^T + bias),  out = P v
//   P = exp(scale q k^T - lse),  dS = scale P (dO v^T - sum_c dO O),  dQ = dS K,  dK = dS^T Q,  dV = P^T dO
//
// A bias, where there is one, only forward knows. Scores are float; P and dS are stored in the type of the products. q,
// k and v are read where the qkv projection left them, [B, N, 3, H, d]; out is [B, N, H, d].
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "dinomaly/backend/cuda/flash_attention.hpp"
#include "dinomaly/backend/cuda/gemm.hpp"
#include "dinomaly/backend/cuda/rows.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// weights = softmax(scale * scores) for a row, and its lse unless that is null.
template <class S> struct SoftmaxRows {
    std::int64_t cols, stride;
    float scale;
    const float* scores;
    S* weights;  // may be the scores' own memory
    float* lse;

    template <class Lane> __device__ void operator()(const Lane& lane, std::int64_t row) const {
        const float* from = scores + row * stride;
        S* to = weights + row * stride;
        const float top = lane.max(cols, [&](auto at) { return at.load(from); });
        const auto power = [&](auto at) {
            return math::exp((at.load(from) - Packet<float>(top)) * Packet<float>(scale));
        };
        const float sum = lane.sum(cols, power);
        const Packet<float> inverse(1.0F / sum);
        lane.each(cols, [&](auto at) { at.store(to, power(at) * inverse); });
        if (lse != nullptr)
            lane.each(1, [&](auto at) { at.store(lse + row, Packet<float>(top * scale + math::log(sum))); });
    }
};

/// scores = scores + bias / scale for a row, whose bias lies in [H, N, N].
struct BiasRows {
    std::int64_t cols, stride;
    float scale;
    float* scores;
    const float* bias;

    template <class Lane> __device__ void operator()(const Lane& lane, std::int64_t row) const {
        float* to = scores + row * stride;
        const float* from = bias + row * cols;
        const Packet<float> inverse(1.0F / scale);
        lane.each(cols, [&](auto at) { at.store(to, at.load(to) + at.load(from) * inverse); });
    }
};

/// weights = exp(scale * scores - lse) and dscores = scale * weights * (dweights - sum of dout out) for a row of one of
/// the heads of a picture.
template <class S> struct SoftmaxSlopes {
    AttentionSizes sizes;
    std::int64_t stride;
    float scale;
    const float *scores, *dweights, *lse;  // [H, N, N], [H, N, N], [H, N]
    const S *out, *dout;                   // [N, H, d]
    S *weights, *dscores;                  // may be the memory of scores and dweights

    template <class Lane> __device__ void operator()(const Lane& lane, std::int64_t row) const {
        const std::int64_t head = row / sizes.tokens, token = row % sizes.tokens, n = sizes.tokens;
        const std::int64_t offset = token * sizes.width() + head * sizes.head_dim;
        const Packet<float> common(
            lane.sum(sizes.head_dim, [&](auto at) { return at.load(out + offset) * at.load(dout + offset); }));
        const Packet<float> log_sum(lse[row]), factor(scale);
        const std::int64_t at_row = row * stride;
        lane.each(n, [&](auto at) {
            const Packet<float> weight = math::exp(at.load(scores + at_row) * factor - log_sum);
            const Packet<float> slope = weight * (at.load(dweights + at_row) - common) * factor;
            at.store(weights + at_row, weight);
            at.store(dscores + at_row, slope);
        });
    }
};

/// The operands of a picture's products: matrices of all its heads.
struct AttentionPicture {
    AttentionSizes sizes;
    std::int64_t picture;

    /// q, k or v (0, 1, 2) of qkv, or of its gradient.
    template <class P> Matrix<P> part(P* qkv, std::int64_t index, bool transposed = false) const {
        return {qkv + (picture * sizes.tokens * 3 + index) * sizes.width(), 3 * sizes.width(), transposed,
                sizes.head_dim};
    }
    /// out, or its gradient.
    template <class P> Matrix<P> result(P* out, bool transposed = false) const {
        return {out + picture * sizes.tokens * sizes.width(), sizes.width(), transposed, sizes.head_dim};
    }
    /// [H, N, N], each row begun at a multiple of 16 bytes.
    template <class P> Matrix<P> square(P* scores, bool transposed = false) const {
        return {scores, stride(), transposed, sizes.tokens * stride()};
    }
    std::int64_t stride() const { return (sizes.tokens + 7) / 8 * 8; }
    std::int64_t rows() const { return sizes.heads * sizes.tokens; }
    float* lse(float* all) const { return all == nullptr ? nullptr : all + picture * rows(); }
    const float* lse(const float* all) const { return all + picture * rows(); }
};

/// Memory of S for squares: the floats' own where S is float.
template <class S> std::shared_ptr<S> narrow_squares(const std::shared_ptr<float>& wide, std::int64_t count) {
    if constexpr (std::is_same_v<S, float>)
        return wide;
    else
        return scratch<S>(count);
}

/// 1 / sqrt(head_dim).
inline float attention_scale(const AttentionSizes& s) {
    return 1.0F / std::sqrt(static_cast<float>(s.head_dim));
}

}  // namespace cuda

/// out [B, N, H, d] = softmax(q k^T / sqrt(d) + bias) v for every head of qkv [B, N, 3, H, d]; lse [B, H, N] and
/// bias [H, N, N] unless null.
template <class S>
void attention_forward(Cuda<S> device, const AttentionSizes& s, const S* qkv, S* out, float* lse,
                       const float* bias = nullptr) {
    if constexpr (std::is_same_v<S, bfloat16>)
        if (bias == nullptr && cuda::flash_attention_fits(s, qkv)) return cuda::flash_attention(s, qkv, out, lse);
    for (std::int64_t i = 0; i < s.batch; ++i) {
        const cuda::AttentionPicture picture{s, i};
        const std::int64_t n = s.tokens, d = s.head_dim, count = picture.rows() * picture.stride();
        const std::shared_ptr<float> scores = cuda::scratch<float>(count);
        const std::shared_ptr<S> weights = cuda::narrow_squares<S>(scores, count);
        gemm<S, S, S, float>(device, s.heads, n, n, d, picture.part(qkv, 0), picture.part(qkv, 1, true),
                             picture.square(scores.get()));
        if (bias != nullptr)
            rows(device, picture.rows(), n,
                 cuda::BiasRows{n, picture.stride(), cuda::attention_scale(s), scores.get(), bias});
        rows(device, picture.rows(), n,
             cuda::SoftmaxRows<S>{n, picture.stride(), cuda::attention_scale(s), scores.get(), weights.get(),
                                  picture.lse(lse)});
        const S* p = weights.get();
        gemm<S>(device, s.heads, n, d, n, picture.square(p), picture.part(qkv, 2), picture.result(out));
    }
}

/// dqkv [B, N, 3, H, d] from qkv, out, lse and dout [B, N, H, d]; adds to dqkv on request.
template <class S>
void attention_backward(Cuda<S> device, const AttentionSizes& s, const S* qkv, const S* out, const float* lse,
                        const S* dout, S* dqkv, bool adds) {
    for (std::int64_t i = 0; i < s.batch; ++i) {
        const cuda::AttentionPicture picture{s, i};
        const std::int64_t n = s.tokens, d = s.head_dim, count = picture.rows() * picture.stride();
        const std::shared_ptr<float> scores = cuda::scratch<float>(count), slopes = cuda::scratch<float>(count);
        const std::shared_ptr<S> weights = cuda::narrow_squares<S>(scores, count),
                                 dscores = cuda::narrow_squares<S>(slopes, count);
        gemm<S, S, S, float>(device, s.heads, n, n, d, picture.part(qkv, 0), picture.part(qkv, 1, true),
                             picture.square(scores.get()));
        gemm<S, S, S, float>(device, s.heads, n, n, d, picture.result(dout), picture.part(qkv, 2, true),
                             picture.square(slopes.get()));
        rows(device, picture.rows(), n,
             cuda::SoftmaxSlopes<S>{s, picture.stride(), cuda::attention_scale(s), scores.get(), slopes.get(),
                                    picture.lse(lse), picture.result(out).data, picture.result(dout).data,
                                    weights.get(), dscores.get()});
        const S *p = weights.get(), *ds = dscores.get();
        gemm<S>(device, s.heads, n, d, n, picture.square(ds), picture.part(qkv, 1), picture.part(dqkv, 0), adds);
        gemm<S>(device, s.heads, n, d, n, picture.square(ds, true), picture.part(qkv, 0), picture.part(dqkv, 1), adds);
        gemm<S>(device, s.heads, n, d, n, picture.square(p, true), picture.result(dout), picture.part(dqkv, 2), adds);
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
