// SPDX-License-Identifier: Apache-2.0
// The score of an object of several pictures (Dinomaly2): of views the mean of the largest values of all their maps
// together, 1 % of them; of an RGB and an infrared picture the sum of their scores.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/tiled.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// The score of an object from the scores of its pictures and their maps, one behind the other, all of one size. Throws
/// when there are none, or a single picture is fused of several.
inline float fuse_scores(vision::ScoreFusion fusion, std::span<const float> scores, std::span<const float> maps) {
    check(!scores.empty() && !maps.empty(), "object", "no pictures to judge it by");
    if (fusion == vision::ScoreFusion::views) {
        constexpr double part = 0.01;  // of five views of 256 x 256: 3276
        const auto count = static_cast<std::size_t>(static_cast<double>(maps.size()) * part);
        return detail::mean_of_largest_values({maps.begin(), maps.end()}, count);
    }
    check(fusion == vision::ScoreFusion::sum || scores.size() == 1, "object", scores.size(),
          " pictures of one object that are judged one by one");
    float sum = 0;
    for (const float score : scores) sum += score;
    return sum;
}

}  // namespace dinomaly::inline DINOMALY_ABI
