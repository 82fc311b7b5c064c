// SPDX-License-Identifier: Apache-2.0
// Tensors of random numbers. Values are drawn in double in row-major order, so a seed gives the same ones on every
// device and, up to rounding, in every element type.
#pragma once

#include <cstdint>
#include <vector>

#include "dinomaly/core/random.hpp"
#include "dinomaly/core/tensor.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace detail {

template <Device D, class Draw> Tensor<D> drawn(Shape shape, const Draw& draw) {
    std::vector<typename D::value_type> values(static_cast<std::size_t>(shape.count()));
    for (auto& value : values)
        value = static_cast<typename D::value_type>(static_cast<typename D::compute_type>(draw()));
    return Tensor<D>(shape, values);
}

}  // namespace detail

/// Normal numbers of the given mean and standard deviation.
template <Device D> Tensor<D> normal(Shape shape, Generator& random, double mean = 0, double deviation = 1) {
    return detail::drawn<D>(shape, [&] { return mean + deviation * random.normal(); });
}

/// Uniform numbers between low and high.
template <Device D> Tensor<D> uniform(Shape shape, Generator& random, double low = 0, double high = 1) {
    return detail::drawn<D>(shape, [&] { return low + (high - low) * random.uniform(); });
}

}  // namespace dinomaly::inline DINOMALY_ABI
