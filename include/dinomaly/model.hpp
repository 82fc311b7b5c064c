// SPDX-License-Identifier: Apache-2.0
// Dinomaly (Guo et al., CVPR 2025): a frozen vision transformer, a noisy bottleneck and a decoder that restores the
// features of good parts only. Where restoring fails, the part is not good.
//
//   image [B, 3, H, W] -> kept blocks' features, averaged in groups, of which there are two: g0, g1 [B, N, C]
//   their mean -> bottleneck -> 8 decoder blocks -> groups again, the last blocks against g0
//   anomaly map = cosine distance of the groups without class and register tokens
//
// Dinomaly2 (Guo et al., 2026) has the same parts with a narrow bottleneck and recentred targets (group_features.hpp).
// A batch then may hold several pictures of an object in its channels, [B, 3 modalities, H, W]: their features are
// averaged.
//
// The encoder stops after the last kept block. Nothing of it is recorded, so training costs memory for the bottleneck
// and the decoder alone.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "dinomaly/anomaly/anomaly_map.hpp"
#include "dinomaly/anomaly/loose_loss.hpp"
#include "dinomaly/group_features.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/nn/linear_attention.hpp"
#include "dinomaly/nn/narrow_bottleneck.hpp"
#include "dinomaly/nn/vit.hpp"
#include "dinomaly/ops/average.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <Device D> struct Dinomaly {
    using Decoder = nn::Block<D, nn::LinearAttention, nn::NoScale>;
    using Groups = anomaly::Groups<D>;            // as they are stored
    using FullGroups = anomaly::Groups<Full<D>>;  // as they are compared

    /// Encoder and decoder features of the same pictures, without class and register tokens: [B, h w, C] each.
    struct Features {
        FullGroups en, de;
    };

    /// A list of one, because published checkpoints number it, or Dinomaly2's.
    using Bottleneck = std::variant<std::vector<nn::NoisyBottleneck<D>>, nn::NarrowBottleneck<D>>;

    DinomalyConfig config;
    nn::VisionTransformer<D> encoder;
    Bottleneck bottleneck;
    std::vector<Decoder> decoder;
    GroupFeatures<D> features;

    Dinomaly() = default;
    /// All zeros, to be filled from a file (model_file.hpp) or by nn/init.hpp.
    explicit Dinomaly(const DinomalyConfig& c) : config((c.validate(), c)), encoder(c.encoder), features(c) {
        const std::int64_t width = c.encoder.width;
        if (c.neck > 0)
            bottleneck = nn::NarrowBottleneck<D>(width, c.neck, 4 * width);
        else
            bottleneck = std::vector{nn::NoisyBottleneck<D>(width, 4 * width)};
        for (std::int64_t i = 0; i < c.decoder_depth; ++i) {
            decoder.emplace_back(width, c.encoder.heads, c.decoder_norm_eps);
            decoder.back().attn.eps = c.attention_eps;
            decoder.back().attn.is_softmax = c.softmax_decoder;
        }
    }

    /// The encoder's group means of images [B, 3 modalities, H, W]: [B, N, C] each, the last one of blocks that are in
    /// no group.
    Groups encode(const Var<Full<D>>& images) const {
        const NoGrad frozen;
        const Grouping grouping = config.grouping(static_cast<std::int64_t>(config.kept.size()));
        FullGroups sums(grouping.sizes.size());
        for (std::int64_t m = 0; m < config.modalities; ++m) {
            std::size_t found = 0;
            encoder(modality(images, m), config.kept.back(), [&](std::int64_t block, const Var<D>& x) {
                if (block != config.kept[found]) return;
                const std::size_t group = grouping.of_layer[found++];
                const double share = 1 / (grouping.sizes[group] * static_cast<double>(config.modalities));
                Var<Full<D>>& sum = sums[group];
                sum = sum.value().defined() ? full(in<D>(sum) + x * share) : full(x * share);
            });
        }
        const std::int64_t first = config.encoder.prefix() - config.prefix();
        Groups groups;
        for (const Var<Full<D>>& sum : sums)
            groups.push_back(first == 0 ? in<D>(sum) : slice(in<D>(sum), 1, first, sum.size(1) - first));
        return groups;
    }

    /// The decoder's group means from the encoder's, all tokens: [B, N, C] each.
    FullGroups decode(const Groups& en, const std::optional<nn::Noise>& noise = {}) const {
        Var<D> x = through_bottleneck(features.fused(en), noise);
        const Grouping grouping = config.grouping(config.decoder_depth);
        std::vector<Groups> groups(grouping.sizes.size());
        for (std::size_t i = 0; i < decoder.size(); ++i) {
            x = decoder[i](x);
            groups[grouping.of_layer[decoder.size() - 1 - i]].push_back(x);  // the last blocks restore the first group
        }
        FullGroups means;
        for (std::size_t g = 0; g < grouping.compared; ++g) means.push_back(average(groups[g]));
        return means;
    }

    /// Both sides' features of images [B, 3 modalities, H, W]; with noise when training.
    Features operator()(const Var<Full<D>>& images, const std::optional<nn::Noise>& noise = {}) const {
        const Groups en = encode(images);
        return {features.targets(en), features.restored(decode(en, noise))};
    }

    /// Anomaly maps [B, 256, 256] of images [B, 3 modalities, H, W].
    Var<Full<D>> anomaly_map(const Var<Full<D>>& images) const {
        const NoGrad predicting;
        const Features both = (*this)(images);
        return anomaly::anomaly_map(both.en, both.de, images.size(2), images.size(3), config.encoder.patch,
                                    config.reflect_blur);
    }

    /// The pictures [B, 3, H, W] of one modality of a batch.
    Var<Full<D>> modality(const Var<Full<D>>& images, std::int64_t number) const {
        check(images.rank() == 4 && images.size(1) == 3 * config.modalities, "encoder", "images ", images.shape(),
              ": [B, ", 3 * config.modalities, ", H, W] expected");
        return config.modalities == 1 ? images : slice(images, 1, 3 * number, 3);
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

private:
    Var<D> through_bottleneck(const Var<D>& x, const std::optional<nn::Noise>& noise) const {
        if (const auto* narrow = std::get_if<nn::NarrowBottleneck<D>>(&bottleneck)) return (*narrow)(x, noise);
        return std::get<0>(bottleneck)[0](x, noise);
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI
