// SPDX-License-Identifier: Apache-2.0
// DinomalyConfig: what a Dinomaly is made of, and the published architectures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/nn/vit_config.hpp"

namespace dinomaly {

/// Eight blocks, every step-th from the first on: 2, 3, .., 9 of S and B, 4, 6, .., 18 of L.
inline std::vector<std::int64_t> eight_blocks(std::int64_t first, std::int64_t step) {
    std::vector<std::int64_t> blocks;
    for (std::int64_t i = 0; i < 8; ++i) blocks.push_back(first + i * step);
    return blocks;
}

/// Layers that are averaged and then compared: their numbers, from 0 on.
using LayerGroup = std::vector<std::int64_t>;

/// Layers in groups: the first `compared` groups are compared, one more holds the layers that are in none of these.
struct Grouping {
    std::vector<std::size_t> of_layer;  ///< the group of each layer
    std::vector<double> sizes;          ///< the number of layers in each group
    std::size_t compared = 0;
};

/// What a Dinomaly is made of; the defaults are the paper's.
struct DinomalyConfig {
    nn::VitConfig encoder;
    std::vector<std::int64_t> kept = eight_blocks(2, 1);  // blocks whose output is restored, rising
    /// Which of the kept blocks are compared together, each in one group at most; decoder blocks, the last first, are
    /// grouped alike. Empty: a first and a second half of either.
    std::vector<LayerGroup> groups;
    std::int64_t decoder_depth = 8;
    double decoder_norm_eps = 1e-8;
    double attention_eps = 0;      // in the decoder's linear attention; the authors advise 1e-6 when a loss is NaN
    bool softmax_decoder = false;  // the decoder's attention is softmax attention
    bool patches_only = false;     // class token and registers leave before the bottleneck, not after the decoder
    bool is_recentred = false;     // targets are LayerNorm(patch - class token of the same group) (Dinomaly2)
    std::int64_t neck = 0;         // outputs of a first linear layer in front of the bottleneck's MLP; 0: none
    std::int64_t modalities = 1;   // pictures of one object whose features are averaged, in a batch's channels
    bool reflect_blur = false;     // the map's blur sees a mirrored rim, not zeros (anomalib)

    /// How `layers` layers are grouped: the kept blocks, or the decoder's from the last one on.
    Grouping grouping(std::int64_t layers) const {
        const auto count = static_cast<std::size_t>(layers);
        Grouping found{.of_layer = std::vector<std::size_t>(count, groups.size()), .sizes = {}, .compared = 2};
        if (groups.empty()) {
            for (std::size_t i = 0; i < count; ++i) found.of_layer[i] = i < count / 2 ? 0 : 1;
        } else {
            for (std::size_t g = 0; g < groups.size(); ++g)
                for (const std::int64_t layer : groups[g]) found.of_layer.at(static_cast<std::size_t>(layer)) = g;
            found.compared = groups.size();
        }
        for (const std::size_t group : found.of_layer) {
            found.sizes.resize(std::max(found.sizes.size(), group + 1));
            ++found.sizes[group];
        }
        return found;
    }
    /// Tokens that stand before the patches in what the bottleneck sees.
    std::int64_t prefix() const { return patches_only ? 0 : encoder.prefix(); }
    /// Tokens that the bottleneck sees of a picture of rows x columns pixels.
    std::int64_t tokens(std::int64_t rows, std::int64_t columns) const {
        return encoder.tokens(rows, columns) - encoder.prefix() + prefix();
    }

    friend bool operator==(const DinomalyConfig&, const DinomalyConfig&) = default;

    /// Throws unless the sizes make sense, the kept blocks exist and both sides can be grouped.
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
        within("MLP hidden width", encoder.hidden, 0, 1 << 20);
        within("decoder depth", decoder_depth, groups.empty() ? 2 : 1, 1024);
        within("neck", neck, 0, 65536);
        within("modalities", modalities, 1, 16);
        check(encoder.width % encoder.heads == 0, "model", "width ", encoder.width, " and ", encoder.heads,
              " heads: a multiple expected");
        const auto count = kept.size();
        if (groups.empty())
            check(count > 0 && count % 2 == 0 && decoder_depth % 2 == 0, "model", count, " kept blocks and ",
                  decoder_depth, " decoder blocks: even numbers above zero expected");
        else
            check(static_cast<std::int64_t>(count) == decoder_depth, "model", count, " kept blocks and ", decoder_depth,
                  " decoder blocks in groups: equal numbers expected");
        std::set<std::int64_t> grouped;
        for (const LayerGroup& group : groups) {
            check(!group.empty(), "model", "an empty group of kept blocks");
            for (const std::int64_t layer : group)
                check(layer >= 0 && layer < decoder_depth && grouped.insert(layer).second, "model",
                      "groups name layer ", layer, " of ", count, ": numbers below that, each once, expected");
        }
        check(!(patches_only && is_recentred), "model",
              "recentred targets need the class token, which does not leave before the bottleneck then");
        check(std::ranges::is_sorted(kept, std::less_equal{}) && kept.front() >= 0 && kept.back() < encoder.depth,
              "model", "kept blocks ", kept.front(), " .. ", kept.back(), " of ", encoder.depth,
              ": rising numbers below the depth expected");
        for (const double eps : {encoder.eps, decoder_norm_eps, attention_eps})
            check(eps >= 0 && eps <= 1, "model", "an eps of ", eps, ", a small number from 0 on expected");
    }
};

/// The blocks whose output Dinomaly restores, at 4, 6, .., 18 parts of 24 of the encoder's depth: as published for 12
/// (S, B) and 24 blocks (L), by our choice for others. Throws Error, naming `source`, for less than 12.
inline std::vector<std::int64_t> published_kept_blocks(const std::string& source, std::int64_t depth) {
    check(depth >= 12, source.c_str(), "an encoder of ", depth, " blocks; 12 (S, B), 24 (L) or more expected");
    std::vector<std::int64_t> kept = eight_blocks(4, 2);
    for (std::int64_t& block : kept) block = (depth * block + 12) / 24;  // rounded
    return kept;
}

/// The groups of Dinomaly2's option --lc over eight layers: 0 each layer alone, 1 all, 2 halves, 3 and 4 three and four
/// groups, 11, 12 and 14 one, two and four single layers. Throws Error for another number.
inline std::vector<LayerGroup> loose_groups(int number) {
    switch (number) {
        case 0: return {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};
        case 1: return {{0, 1, 2, 3, 4, 5, 6, 7}};
        case 2: return {{0, 1, 2, 3}, {4, 5, 6, 7}};
        case 3: return {{0, 1, 2}, {3, 4, 5}, {6, 7}};
        case 4: return {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
        case 11: return {{7}};
        case 12: return {{3}, {7}};
        case 14: return {{1}, {3}, {5}, {7}};
        default: fail("loose groups", number, " found; 0, 1, 2, 3, 4, 11, 12 or 14 expected");
    }
}

/// Which Dinomaly to make on an encoder. What is not given is as published for it.
struct VariantOptions {
    bool is_second = false;                    ///< Dinomaly2 (2026), not Dinomaly (CVPR 2025)
    std::optional<double> attention_eps = {};  ///< 0, of Dinomaly2 1e-8
    int loose_groups = 2;                      ///< of Dinomaly2, see loose_groups()
    bool is_recentred = true;                  ///< of Dinomaly2
    bool softmax_decoder = false;              ///< of Dinomaly2
    std::int64_t modalities = 1;               ///< of Dinomaly2
};

/// A Dinomaly on an encoder. With DINOv3 class token and registers leave before the bottleneck, as in its published
/// form; in Dinomaly2 all tokens stay. Throws Error, naming `source`, for an encoder that is too shallow.
inline DinomalyConfig variant_config(const std::string& source, const nn::VitConfig& encoder,
                                     const VariantOptions& options = {}) {
    DinomalyConfig config;
    config.encoder = encoder;
    config.kept = published_kept_blocks(source, encoder.depth);
    config.attention_eps = options.attention_eps.value_or(options.is_second ? 1e-8 : 0);
    if (options.is_second) {
        config.groups = loose_groups(options.loose_groups);
        config.is_recentred = options.is_recentred;
        config.softmax_decoder = options.softmax_decoder;
        config.modalities = options.modalities;
        config.neck = 256;
    } else {
        config.patches_only = encoder.position == nn::Position::rotary;
    }
    config.validate();
    return config;
}

/// A Dinomaly on a published DINOv2 architecture: "small", "base" or "large". Throws Error for another name.
inline DinomalyConfig published_config(const std::string& name, std::int64_t registers = 4) {
    nn::VitConfig encoder;
    if (name == "small")
        encoder = {.width = 384, .depth = 12, .heads = 6};
    else if (name == "base")
        encoder = {.width = 768, .depth = 12, .heads = 12};
    else if (name == "large")
        encoder = {.width = 1024, .depth = 24, .heads = 16};
    else
        fail("model", "architecture \"", name, "\"; small, base or large expected");
    encoder.registers = registers;
    return variant_config("model", encoder);
}

}  // namespace dinomaly
