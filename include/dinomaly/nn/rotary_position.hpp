// SPDX-License-Identifier: Apache-2.0
// RotaryPosition: the angles by which DINOv3 turns the queries and keys of h x w patches.
//
// With rows and columns at y_r = 2 (r + 0.5) / h - 1 and x_c likewise, and periods P_j, the angles of a patch are
// 2 pi y / P_j for all j, then 2 pi x / P_j. Periods are those of the file, or 100^(j / n) in float.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "dinomaly/nn/module.hpp"
#include "dinomaly/nn/vit_config.hpp"
#include "dinomaly/ops/rotary.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct RotaryPosition {
    Param<D> periods;  // [head_dim / 4]

    RotaryPosition() = default;
    /// Throws unless head_dim is a multiple of four.
    explicit RotaryPosition(std::int64_t head_dim) {
        check(head_dim > 0 && head_dim % 4 == 0, "rotary position", "a head_dim of ", head_dim,
              ", a multiple of 4 expected");
        const std::vector<float> values = rotary_periods(head_dim);
        periods = Tensor<Full<D>>({head_dim / 4}, std::vector<T>(values.begin(), values.end()));
    }

    /// Of h x w patches, row by row; undefined when there are no periods.
    Rotation<Full<D>> operator()(std::int64_t h, std::int64_t w) const {
        if (!periods.value().defined()) return {};
        const std::vector<T> period = periods.value().to_vector();
        std::vector<T> cos, sin;
        const auto put = [&](std::int64_t place, std::int64_t places) {
            const double at = (2 * static_cast<double>(place) + 1) / static_cast<double>(places) - 1;
            for (const T p : period) {
                const double angle = 2 * std::numbers::pi * at / static_cast<double>(p);
                cos.push_back(static_cast<T>(std::cos(angle)));
                sin.push_back(static_cast<T>(std::sin(angle)));
            }
        };
        for (std::int64_t r = 0; r < h; ++r)
            for (std::int64_t c = 0; c < w; ++c) put(r, h), put(c, w);
        const Shape shape{h * w, 2 * periods.size(0)};
        return {Tensor<Full<D>>(shape, cos), Tensor<Full<D>>(shape, sin)};
    }

    void each(auto&& visit) { visit("periods", periods); }

private:
    using T = typename Full<D>::value_type;
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
