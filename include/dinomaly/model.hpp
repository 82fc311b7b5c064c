// SPDX-License-Identifier: Apache-2.0
// Dinomaly (Guo et al., CVPR 2025): a frozen vision transformer, a noisy bottleneck and a decoder that restores the
// features of good parts only. Where restoring fails, the part is not good.
//
//   image [B, 3, H, W] -> kept blocks' features, averaged in two groups g0, g1 [B, N, C]
//   (g0 + g1) / 2 -> bottleneck -> 8 decoder blocks -> two groups again, the last blocks against g0
//   anomaly map = cosine distance of the groups without class and register tokens
//
// The encoder stops after the last kept block. Nothing of it is recorded, so training costs memory for the bottleneck
// and the decoder alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dinomaly/anomaly/anomaly_map.hpp"
#include "dinomaly/anomaly/loose_loss.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/nn/linear_attention.hpp"
#include "dinomaly/nn/noisy_bottleneck.hpp"
#include "dinomaly/nn/vit.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <Device D> struct Dinomaly {
    using Decoder = nn::Block<D, nn::LinearAttention, nn::NoScale>;
    using Groups = anomaly::Groups<D>;            // as they are stored
    using FullGroups = anomaly::Groups<Full<D>>;  // as they are compared

    /// Encoder and decoder features of the same pictures, without class and register tokens: [B, h w, C] each.
    struct Features {
        FullGroups en, de;
    };

    DinomalyConfig config;
    nn::VisionTransformer<D> encoder;
    std::vector<nn::NoisyBottleneck<D>> bottleneck;  // one; a list because published checkpoints number it
    std::vector<Decoder> decoder;

    Dinomaly() = default;
    /// All zeros, to be filled from a file (model_file.hpp) or by nn/init.hpp.
    explicit Dinomaly(const DinomalyConfig& c) : config((c.validate(), c)), encoder(c.encoder) {
        bottleneck.emplace_back(c.encoder.width, 4 * c.encoder.width);
        for (std::int64_t i = 0; i < c.decoder_depth; ++i) {
            decoder.emplace_back(c.encoder.width, c.encoder.heads, c.decoder_norm_eps);
            decoder.back().attn.eps = c.attention_eps;
        }
    }

    /// The encoder's two group means of an image [B, 3, H, W], all tokens: [B, N, C] each.
    Groups encode(const Var<Full<D>>& image) const {
        const NoGrad frozen;
        const std::size_t half = config.kept.size() / 2;
        const double share = 1 / static_cast<double>(half);
        FullGroups sums;
        std::size_t found = 0;
        encoder(image, config.kept.back(), [&](std::int64_t block, const Var<D>& x) {
            if (block != config.kept[found]) return;
            Var<Full<D>>& sum = sums[found / half];
            sum = found % half == 0 ? full(x * share) : full(in<D>(sum) + x * share);
            ++found;
        });
        return {in<D>(sums[0]), in<D>(sums[1])};
    }

    /// The decoder's two group means from the encoder's, all tokens: [B, N, C] each.
    FullGroups decode(const Groups& en, const std::optional<nn::Noise>& noise = {}) const {
        Var<D> x = bottleneck[0](0.5 * (en[0] + en[1]), noise);
        const std::size_t half = decoder.size() / 2;
        const double share = 1 / static_cast<double>(half);
        FullGroups sums;
        for (std::size_t i = 0; i < decoder.size(); ++i) {
            x = decoder[i](x);
            Var<Full<D>>& sum = sums[i < half ? 1 : 0];  // the last blocks restore the first group
            sum = i % half == 0 ? full(x) : full(in<D>(sum) + x);
        }
        return {sums[0] * share, sums[1] * share};
    }

    /// Group features without class and register tokens.
    template <Device Stored> FullGroups patches(const anomaly::Groups<Stored>& groups) const {
        const std::int64_t first = config.encoder.prefix(), count = groups[0].size(1) - first;
        return {full(slice(groups[0], 1, first, count)), full(slice(groups[1], 1, first, count))};
    }

    /// Both sides' features of an image [B, 3, H, W]; with noise when training.
    Features operator()(const Var<Full<D>>& image, const std::optional<nn::Noise>& noise = {}) const {
        const Groups en = encode(image);
        return {patches(en), patches(decode(en, noise))};
    }

    /// Anomaly maps [B, 256, 256] of images [B, 3, H, W].
    Var<Full<D>> anomaly_map(const Var<Full<D>>& image) const {
        const NoGrad predicting;
        const Features features = (*this)(image);
        return anomaly::anomaly_map(features.en, features.de, image.size(2), image.size(3), config.encoder.patch);
    }

    void each(auto&& visit) {
        visit("encoder", encoder);
        visit("bottleneck", bottleneck);
        visit("decoder", decoder);
    }

    /// What training changes: bottleneck and decoder, under the names they have in the whole model.
    struct Trained {
        Dinomaly& model;

        void each(auto&& visit) {
            visit("bottleneck", model.bottleneck);
            visit("decoder", model.decoder);
        }
    };
    Trained trained() { return {*this}; }
};

}  // namespace dinomaly::inline DINOMALY_ABI
