// SPDX-License-Identifier: Apache-2.0
// How much arithmetic a Dinomaly takes, in multiply-adds of its matrix products, to say how fast a run was.
//
// Of one picture with P patches of p x p pixels and T = P + prefix tokens, C channels in heads of d (where class token
// and registers leave before the bottleneck T is P behind it; an object of several pictures is encoded as often):
//
//   patch embedding                  3 p^2 C P
//   an encoder block's linears       (4 C^2 + 2 C H) T   qkv 3, projection 1, MLP 2 of hidden width H, 3 where gated
//   a decoder block's linears        12 C^2 T     H = 4 C
//   softmax attention of a block     2 C T^2      q k^T and weights v; encoder, blocks up to the last kept one
//   linear attention of a block      2 C d T      k^T v and q (k^T v); decoder
//   bottleneck                       8 C^2 T      with a narrow layer of n in front (4 C^2 + 5 C n) T
//
// Backward, each product of what is trained takes two more of its size, but for the bottleneck's first layer: nobody
// asks for the gradient of the frozen features. Norms, softmax and the map are left out, as is usual.
#pragma once

#include <cstdint>

#include "dinomaly/model.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Multiply-adds of one picture, part by part.
struct Work {
    std::int64_t patch_embedding, encoder_linears, encoder_attention;
    std::int64_t trained_linears, trained_attention;
    std::int64_t first_layer;  ///< the part of trained_linears whose input wants no gradient

    std::int64_t encoding() const { return patch_embedding + encoder_linears + encoder_attention; }
    std::int64_t decoding() const { return trained_linears + trained_attention; }
    /// Judging a picture.
    std::int64_t judging() const { return encoding() + decoding(); }
    /// A picture's part of a training step, forward and backward, whose features are computed or known already.
    std::int64_t learning(bool features_known) const {
        return (features_known ? 0 : encoding()) + 3 * decoding() - first_layer;
    }
};

/// The work on a picture of height x width.
inline Work count_work(const DinomalyConfig& config, std::int64_t height, std::int64_t width) {
    const nn::VitConfig& encoder = config.encoder;
    const std::int64_t channels = encoder.width, square = channels * channels, patch = encoder.patch;
    const std::int64_t patches = (height / patch) * (width / patch), tokens = patches + encoder.prefix();
    const std::int64_t blocks = config.kept.back() + 1, head_dim = channels / encoder.heads;
    const std::int64_t seen = config.tokens(height, width), neck = config.neck;
    const std::int64_t first = neck > 0 ? channels * neck : 4 * square;
    const std::int64_t bottleneck = 4 * square + (neck > 0 ? 5 * channels * neck : 4 * square);
    const std::int64_t mixing = config.softmax_decoder ? seen : head_dim;
    const std::int64_t mlp = (encoder.is_gated ? 3 : 2) * channels * encoder.hidden_width();
    return {.patch_embedding = config.modalities * 3 * patch * patch * channels * patches,
            .encoder_linears = config.modalities * blocks * (4 * square + mlp) * tokens,
            .encoder_attention = config.modalities * blocks * 2 * channels * tokens * tokens,
            .trained_linears = (config.decoder_depth * 12 * square + bottleneck) * seen,
            .trained_attention = config.decoder_depth * 2 * channels * mixing * seen,
            .first_layer = first * seen};
}

}  // namespace dinomaly::inline DINOMALY_ABI
