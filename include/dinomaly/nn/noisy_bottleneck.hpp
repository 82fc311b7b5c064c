// SPDX-License-Identifier: Apache-2.0
// NoisyBottleneck: an MLP with dropout on its input, hidden layer and output (Dinomaly, section 3.2).
//
// The noise keeps the decoder from learning to copy: it has to restore features from disturbed ones. In use (without
// a Noise) it is a plain MLP.
#pragma once

#include <cstdint>
#include <optional>

#include "dinomaly/nn/linear.hpp"
#include "dinomaly/ops/activation.hpp"
#include "dinomaly/ops/dropout.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

/// Dropout of one training step: its probability, and a seed that is the run's and streams that are the step's. For a
/// step that is recorded and replayed streams_before(step) stands in the device's memory, and `step` is 0.
struct Noise {
    double probability;
    std::uint64_t seed, step;
    const std::uint64_t* before = nullptr;

    static std::uint64_t streams_before(std::uint64_t step) { return step * 16; }

    /// The random numbers of one of the step's dropouts. The upper half of a seed's streams is theirs alone: first
    /// values (nn/init.hpp) are drawn from the lower one.
    Philox at(std::uint64_t place) const { return {seed, std::uint64_t{1} << 63 | (streams_before(step) + place)}; }
};

template <Device D> struct NoisyBottleneck {
    Linear<D> fc1, fc2;

    NoisyBottleneck() = default;
    NoisyBottleneck(std::int64_t width, std::int64_t hidden) : fc1(width, hidden), fc2(hidden, width) {}

    /// x [..., C] -> [..., C].
    Var<D> operator()(const Var<D>& x, const std::optional<Noise>& noise = {}) const {
        if (!noise || noise->probability == 0) {
            const Var<D> h = fc1(x);  // [..., hidden]
            return fc2(gelu(h));
        }
        const double p = noise->probability;
        const std::uint64_t* before = noise->before;
        const Var<D> h = fc1(dropout(x, p, noise->at(0), before));  // [..., hidden]
        return dropout(fc2(dropout(gelu(h), p, noise->at(1), before)), p, noise->at(2), before);
    }

    void each(auto&& visit) {
        visit("fc1", fc1);
        visit("fc2", fc2);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
