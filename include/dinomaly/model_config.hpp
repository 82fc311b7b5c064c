// SPDX-License-Identifier: Apache-2.0
// DinomalyConfig: what a Dinomaly is made of, and the published architectures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
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

/// The blocks whose output Dinomaly restores, by the encoder's depth (the authors' choice for S, B and L).
/// Throws Error, naming `source`, for another depth.
inline std::vector<std::int64_t> published_kept_blocks(const std::string& source, std::int64_t depth) {
    check(depth == 12 || depth == 24, source.c_str(), "an encoder of ", depth, " blocks; 12 (S, B) or 24 (L) expected");
    return depth == 12 ? eight_blocks(2, 1) : eight_blocks(4, 2);
}

/// A Dinomaly on a published DINOv2 architecture: "small", "base" or "large". Throws Error for another name.
inline DinomalyConfig published_config(const std::string& name, std::int64_t registers = 4) {
    DinomalyConfig config;
    if (name == "small")
        config.encoder = {.width = 384, .depth = 12, .heads = 6};
    else if (name == "base")
        config.encoder = {.width = 768, .depth = 12, .heads = 12};
    else if (name == "large")
        config.encoder = {.width = 1024, .depth = 24, .heads = 16};
    else
        fail("model", "architecture \"", name, "\"; small, base or large expected");
    config.encoder.registers = registers;
    config.kept = published_kept_blocks("model", config.encoder.depth);
    return config;
}

}  // namespace dinomaly
