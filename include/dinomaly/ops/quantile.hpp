// SPDX-License-Identifier: Apache-2.0
// kth_largest: the threshold that exactly the k largest values reach (more where values are equal). No gradient.
#pragma once

#include <cstdint>

#include "dinomaly/autodiff/materialize.hpp"
#include "dinomaly/core/cell.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// The same with a k in the device's memory, from 1 to the number of elements, which is not checked.
template <Device D> Tensor<D> kth_largest(const Var<D>& x, const Cell<D, std::int64_t>& k) {
    Tensor<D> threshold(Shape{});
    backend::kth_largest(D{}, x.count(), x.value().data(), k.data(), threshold.data());
    return threshold;
}

/// The k-th largest of all elements of x, 1 <= k <= count, as a scalar. NaN counts as largest.
template <Operand X, Device D = Full<device_of<X>>> Tensor<D> kth_largest(X&& x, std::int64_t k) {
    const NoGrad no_grad;
    const Tensor<D> values = full(std::forward<X>(x)).value();
    check(k >= 1 && k <= values.count(), "kth_largest", "k ", k, " for ", values.count(), " elements of ",
          values.shape(), ": 1 .. ", values.count(), " expected");
    return kth_largest(Var<D>(values), Cell<D, std::int64_t>(k));
}

}  // namespace dinomaly::inline DINOMALY_ABI
