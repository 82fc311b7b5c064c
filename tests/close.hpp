// SPDX-License-Identifier: Apache-2.0
// Comparison of tensors, possibly of different devices, relative to the largest value.
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "dinomaly/core/tensor.hpp"

namespace dinomaly::test {

/// Empty when shapes are equal and every element of `found` is within tolerance times the largest of `wanted`; else
/// what differs. NaN and infinity are never within.
template <Device A, Device B> std::string mismatch(const Tensor<A>& found, const Tensor<B>& wanted, double tolerance) {
    std::ostringstream text;
    if (found.shape() != wanted.shape()) {
        text << "shape " << found.shape() << " where " << wanted.shape() << " is expected";
        return text.str();
    }
    const auto a = found.to_vector();
    const auto b = wanted.to_vector();
    double largest = 0;
    for (auto value : b) largest = std::max(largest, std::abs(static_cast<double>(value)));
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        if (difference <= tolerance * largest) continue;
        text << "element " << i << " is " << a[i] << " where " << b[i] << " is expected; the largest is " << largest;
        break;
    }
    return text.str();
}

}  // namespace dinomaly::test
