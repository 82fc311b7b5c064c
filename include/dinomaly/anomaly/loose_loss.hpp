// SPDX-License-Identifier: Apache-2.0
// loose_loss: Dinomaly's loss, a global cosine distance between groups of features, with hard mining.
//
//   loss = mean over groups of mean over pictures of 1 - cos(en, de), each picture's tokens taken as one long vector
//
// The gradient that reaches a token of `de` is scaled by `factor` where its own distance 1 - cos(en_i, de_i) is below
// the k-th largest of the batch, k = int(tokens (1 - p)): what is reconstructed well already stops pulling.
// Guo et al., Dinomaly, CVPR 2025, section 3.4; their global_cosine_hm_percent.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "dinomaly/ops/cosine.hpp"
#include "dinomaly/ops/quantile.hpp"
#include "dinomaly/ops/reduce.hpp"
#include "dinomaly/ops/reshape.hpp"
#include "dinomaly/ops/scale_grad.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

/// Two groups of features of the same pictures, each [B, h w, C].
template <Device D> using Groups = std::array<Var<D>, 2>;

/// Distance of each token from its reconstruction: 1 - cos over the channels, [B, h w].
template <Device D> Var<D> point_distance(const Var<D>& en, const Var<D>& de) {
    return 1 - cosine_similarity(en, de);
}

/// The fraction p of tokens that count as easy at an iteration: 0 at first, 0.9 from `ramp` on.
inline double easy_fraction(std::int64_t iteration, std::int64_t ramp) {
    return ramp > 0 ? std::min(0.9 * static_cast<double>(iteration) / static_cast<double>(ramp), 0.9) : 0.9;
}

/// The loss (one element) of decoder groups `de` against encoder groups `en`, which take no gradient.
template <Device D> Var<D> loose_loss(const Groups<D>& en, const Groups<D>& de, double easy_part, double factor = 0.1) {
    Var<D> total;
    for (std::size_t i = 0; i < en.size(); ++i) {
        const Var<D> target = en[i].detach(), found = de[i].detach();
        const Var<D> distance = point_distance(target, found);  // [B, h w]
        const auto hard = static_cast<std::int64_t>(static_cast<double>(distance.count()) * (1 - easy_part));
        const Var<D> threshold = kth_largest(distance, std::max<std::int64_t>(1, hard));
        const Var<D> scale = where(less(distance, threshold), factor, 1.0);
        const Var<D> mined = scale_grad(de[i], scale.value().reshape({distance.size(0), distance.size(1), 1}));
        const std::int64_t batch = target.size(0), length = target.size(1) * target.size(2);
        const Var<D> loss =
            mean(1 - cosine_similarity(reshape(target, {batch, length}), reshape(mined, {batch, length})));
        total = i == 0 ? loss : Var<D>(total + loss);
    }
    return total / static_cast<double>(en.size());
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
