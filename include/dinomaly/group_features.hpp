// SPDX-License-Identifier: Apache-2.0
// Features of layers that were averaged in groups (model_config.hpp, Grouping), and what of them the network uses:
//
//   fused     the mean over all layers, which enters the bottleneck
//   targets   the encoder's side of the comparison: patches; in Dinomaly2 LayerNorm(patch - class token), without an
//             affine part, "context-aware recentring", after the layers were averaged
//   restored  the decoder's side: patches, as they are
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "dinomaly/anomaly/loose_loss.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/nn/layer_norm.hpp"
#include "dinomaly/ops/slice.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <Device D> class GroupFeatures {
public:
    using FullGroups = anomaly::Groups<Full<D>>;

    static constexpr double recentring_eps = 1e-8;

    GroupFeatures() = default;
    explicit GroupFeatures(const DinomalyConfig& config)
        : grouping_(config.grouping(static_cast<std::int64_t>(config.kept.size()))),
          prefix_(config.prefix()),
          is_recentred_(config.is_recentred) {
        if (is_recentred_) norm_ = nn::LayerNorm<Full<D>>(config.encoder.width, recentring_eps);
    }

    /// The mean over all layers of groups [B, N, C]: [B, N, C].
    template <Device S> Var<S> fused(const anomaly::Groups<S>& groups) const {
        if (groups.size() == 1) return groups[0];
        Var<S> sum = share(0) * groups[0] + share(1) * groups[1];
        for (std::size_t g = 2; g < groups.size(); ++g) sum = sum + share(g) * groups[g];
        return sum;
    }

    /// What the decoder has to restore, of the encoder's groups [B, N, C]: [B, h w, C] for each that is compared.
    template <Device S> FullGroups targets(const anomaly::Groups<S>& groups) const {
        if (!is_recentred_) return restored(groups);
        FullGroups found;
        for (std::size_t g = 0; g < grouping_.compared; ++g) {
            const Var<Full<D>> all = full(groups[g]);
            found.push_back(norm_(slice(all, 1, prefix_, all.size(1) - prefix_) - slice(all, 1, 0, 1)));
        }
        return found;
    }

    /// The decoder's groups [B, N, C] without class and register tokens: [B, h w, C] for each that is compared.
    template <Device S> FullGroups restored(const anomaly::Groups<S>& groups) const {
        FullGroups found;
        for (std::size_t g = 0; g < grouping_.compared; ++g)
            found.push_back(full(slice(groups[g], 1, prefix_, groups[g].size(1) - prefix_)));
        return found;
    }

private:
    double share(std::size_t group) const {
        return grouping_.sizes[group] / static_cast<double>(grouping_.of_layer.size());
    }

    Grouping grouping_;
    std::int64_t prefix_ = 0;
    bool is_recentred_ = false;
    nn::LayerNorm<Full<D>> norm_;  // ones and zeros
};

}  // namespace dinomaly::inline DINOMALY_ABI
