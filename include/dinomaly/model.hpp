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

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "dinomaly/anomaly/anomaly_map.hpp"
#include "dinomaly/anomaly/loose_loss.hpp"
#include "dinomaly/nn/linear_attention.hpp"
#include "dinomaly/nn/noisy_bottleneck.hpp"
#include "dinomaly/nn/vit.hpp"

namespace dinomaly {

/// Eight blocks, every step-th from the first on: 2, 3, .., 9 of S and B, 4, 6, .., 18 of L.
inline std::vector<std::int64_t> eight_blocks(std::int64_t first, std::int64_t step) {
    std::vector<std::int64_t> blocks;
    for (std::int64_t i = 0; i < 8; ++i) blocks.push_back(first + i * step);
    return blocks;
}

/// What a Dinomaly is made of.
struct DinomalyConfig {
    nn::VitConfig encoder;
    std::vector<std::int64_t> kept = eight_blocks(2, 1);  // blocks whose output is restored, rising
    std::int64_t decoder_depth = 8;
    double decoder_norm_eps = 1e-8;
    double attention_eps = 0;  // in the decoder's linear attention; the authors advise 1e-6 when a loss is NaN

    /// Throws unless the sizes make sense, the kept blocks exist and both sides can be halved into groups.
    void validate() const {
        const auto within = [](const char* name, std::int64_t value, std::int64_t lowest, std::int64_t largest) {
            check(value >= lowest && value <= largest, "model", name, ' ', value, ", a number from ", lowest, " to ",
                  largest, " expected");
        };
        within("width", encoder.width, 1, 65536);
        within("depth", encoder.depth, 1, 1024);
        within("heads", encoder.heads, 1, encoder.width);
        within("patch", encoder.patch, 1, 1024);
        within("registers", encoder.registers, 0, 1024);
        within("position grid", encoder.grid, 1, 1024);
        within("decoder depth", decoder_depth, 2, 1024);
        check(encoder.width % encoder.heads == 0, "model", "width ", encoder.width, " and ", encoder.heads,
              " heads: a multiple expected");
        const auto count = kept.size();
        check(count > 0 && count % 2 == 0 && decoder_depth % 2 == 0, "model", count, " kept blocks and ", decoder_depth,
              " decoder blocks: even numbers above zero expected");
        check(std::ranges::is_sorted(kept, std::less_equal{}) && kept.front() >= 0 && kept.back() < encoder.depth,
              "model", "kept blocks ", kept.front(), " .. ", kept.back(), " of ", encoder.depth,
              ": rising numbers below the depth expected");
        for (const double eps : {encoder.eps, decoder_norm_eps, attention_eps})
            check(eps >= 0 && eps <= 1, "model", "an eps of ", eps, ", a small number from 0 on expected");
    }
};

}  // namespace dinomaly

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
