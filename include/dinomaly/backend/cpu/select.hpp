// SPDX-License-Identifier: Apache-2.0
// The select verb on the CPU: order statistics of a row of values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cpu/device.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// A copy with the k largest of n values in front, the k-th of them at position k-1. NaN counts as largest, so that one
/// is seen.
template <class T> std::shared_ptr<const T> largest_first(std::int64_t n, const T* x, std::int64_t k) {
    const auto values = std::static_pointer_cast<T>(Cpu<T>::allocate(static_cast<std::size_t>(n) * sizeof(T)));
    std::copy_n(x, n, values.get());
    std::nth_element(values.get(), values.get() + (k - 1), values.get() + n,
                     [](T a, T b) { return a > b || (std::isnan(a) && !std::isnan(b)); });
    return values;
}

}  // namespace detail

/// *y = the k-th largest of n values, 1 <= *k <= n; k is in the device's memory.
template <class T> void kth_largest(Cpu<T>, std::int64_t n, const T* x, const std::int64_t* k, T* y) {
    *y = detail::largest_first(n, x, *k).get()[*k - 1];
}

/// y [rows] = the mean of the k largest of each row's n values, 1 <= k <= n.
template <class T> void mean_of_largest(Cpu<T>, std::int64_t rows, std::int64_t n, const T* x, std::int64_t k, T* y) {
    for (std::int64_t row = 0; row < rows; ++row) {
        const std::shared_ptr<const T> values = detail::largest_first(n, x + row * n, k);
        double sum = 0;
        for (std::int64_t i = 0; i < k; ++i) sum += static_cast<double>(values.get()[i]);
        y[row] = static_cast<T>(sum / static_cast<double>(k));
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
