// SPDX-License-Identifier: Apache-2.0
// NarrowBottleneck: a linear layer to few channels, then an MLP, with dropout behind each of the three layers
// (Dinomaly2). Nothing stands between the first two layers but the noise: it is the narrow place that keeps details of
// defects from passing.
#pragma once

#include <cstdint>
#include <optional>

#include "dinomaly/nn/noisy_bottleneck.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct NarrowBottleneck {
    Linear<D> narrow, fc1, fc2;

    NarrowBottleneck() = default;
    /// width -> neck -> hidden -> width.
    NarrowBottleneck(std::int64_t width, std::int64_t neck, std::int64_t hidden)
        : narrow(width, neck), fc1(neck, hidden), fc2(hidden, width) {}

    /// x [..., C] -> [..., C].
    Var<D> operator()(const Var<D>& x, const std::optional<Noise>& noise = {}) const {
        if (!noise || noise->probability == 0) {
            const Var<D> few = narrow(x);  // [..., neck]
            const Var<D> h = fc1(few);     // [..., hidden]
            return fc2(gelu(h));
        }
        const double p = noise->probability;
        const std::uint64_t* before = noise->before;
        const Var<D> few = dropout(narrow(x), p, noise->at(0), before);  // [..., neck]
        const Var<D> h = fc1(few);                                       // [..., hidden]
        return dropout(fc2(dropout(gelu(h), p, noise->at(1), before)), p, noise->at(2), before);
    }

    /// Names as the authors' nested lists number them.
    void each(auto&& visit) {
        visit("0.0", narrow);
        visit("1.0", fc1);
        visit("1.3", fc2);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
