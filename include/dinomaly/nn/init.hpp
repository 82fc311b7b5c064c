// SPDX-License-Identifier: Apache-2.0
// First values of parameters, drawn on the host so that every device starts from the same ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "dinomaly/core/random.hpp"
#include "dinomaly/nn/module.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

namespace detail {

/// Sets every matrix of a module, in place, to draw(random, inputs); vectors keep what their module was made with
/// (LayerNorm 1 and 0, biases 0). Parameter i uses stream i, so the same seed gives the same values whatever is drawn
/// elsewhere.
template <class M, class Draw> void fill_matrices(M& module, std::uint64_t seed, const Draw& draw) {
    std::uint64_t stream = 0;
    for_each_parameter(module, [&]<Device D>(const std::string&, Var<D>& p) {
        using T = typename D::value_type;
        Generator random(seed, stream++);
        if (p.rank() < 2) return;
        const std::int64_t inputs = p.count() / p.size(0);
        std::vector<T> values(static_cast<std::size_t>(p.count()));
        for (T& value : values) value = static_cast<T>(draw(random, inputs));
        D::upload(p.value().data(), values.data(), values.size() * sizeof(T));
    });
}

}  // namespace detail

/// Dinomaly's first values of what it trains: matrices from a normal distribution of deviation 0.01, cut off at 0.03.
template <class M> void init_trained(M& module, std::uint64_t seed) {
    detail::fill_matrices(module, seed,
                          [](Generator& random, std::int64_t) { return random.truncated_normal(0.01, -0.03, 0.03); });
}

/// Values with which an untrained encoder still tells textures apart: matrices with deviation 1/sqrt(inputs), so that
/// signals keep their size from layer to layer.
template <class M> void init_random_features(M& module, std::uint64_t seed) {
    detail::fill_matrices(module, seed, [](Generator& random, std::int64_t inputs) {
        return random.normal() / std::sqrt(static_cast<double>(inputs));
    });
}

}  // namespace dinomaly::nn::inline DINOMALY_ABI
