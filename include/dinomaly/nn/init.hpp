// SPDX-License-Identifier: Apache-2.0
// First values of parameters, drawn on the host so that every device starts from the same ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "dinomaly/core/random.hpp"
#include "dinomaly/nn/module.hpp"

namespace dinomaly::inline DINOMALY_ABI::nn {

/// Draws every matrix of a module from a truncated normal; vectors keep what their module was made with (LayerNorm 1
/// and 0, biases 0). Parameter i uses stream i, so the same seed gives the same values whatever their order of use.
template <class M> void init_matrices(M& module, std::uint64_t seed, double deviation, double limit) {
    std::uint64_t stream = 0;
    for_each_parameter(module, [&]<Device D>(const std::string&, Param<D>& p) {
        Generator random(seed, stream++);
        if (p.rank() < 2) return;
        std::vector<typename D::value_type> values(static_cast<std::size_t>(p.count()));
        for (auto& value : values)
            value = static_cast<typename D::value_type>(random.truncated_normal(deviation, -limit, limit));
        p.value() = Tensor<D>(p.shape(), values);
    });
}

/// Dinomaly's first values of what it trains: matrices with deviation 0.01 within 0.03.
template <class M> void init_trained(M& module, std::uint64_t seed) {
    init_matrices(module, seed, 0.01, 0.03);
}

/// Values with which an untrained encoder still tells textures apart: matrices with deviation 1/sqrt(inputs), so that
/// signals keep their size from layer to layer.
template <class M> void init_random_features(M& module, std::uint64_t seed) {
    std::uint64_t stream = 0;
    for_each_parameter(module, [&]<Device D>(const std::string&, Param<D>& p) {
        Generator random(seed, stream++);
        if (p.rank() < 2) return;
        const double deviation = 1 / std::sqrt(static_cast<double>(p.count() / p.size(0)));
        std::vector<typename D::value_type> values(static_cast<std::size_t>(p.count()));
        for (auto& value : values) value = static_cast<typename D::value_type>(deviation * random.normal());
        p.value() = Tensor<D>(p.shape(), values);
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::nn
