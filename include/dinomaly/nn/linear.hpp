// SPDX-License-Identifier: Apache-2.0
// Linear: y = x W^T + b, weight [out, in], bias [out].
#pragma once

#include "dinomaly/nn/module.hpp"
#include "dinomaly/ops/linear.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct Linear {
    Param<D> weight, bias;

    Linear() = default;
    /// Zeros; see nn/init.hpp.
    Linear(std::int64_t in, std::int64_t out) : weight(zeros<Full<D>>({out, in})), bias(zeros<Full<D>>({out})) {}

    /// x [..., in] -> [..., out], as part of a formula: use it in place.
    template <Operand X> auto operator()(X&& x) const { return linear(std::forward<X>(x), weight, bias); }

    void each(auto&& visit) {
        visit("weight", weight);
        visit("bias", bias);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
