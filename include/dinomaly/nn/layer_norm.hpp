// SPDX-License-Identifier: Apache-2.0
// LayerNorm: normalises over the last axis; weight and bias [C].
#pragma once

#include "dinomaly/nn/module.hpp"
#include "dinomaly/ops/layer_norm.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct LayerNorm {
    Param<D> weight, bias;
    double eps = 1e-6;

    LayerNorm() = default;
    LayerNorm(std::int64_t width, double eps_)
        : weight(ones<Full<D>>({width})), bias(zeros<Full<D>>({width})), eps(eps_) {}

    /// x [..., C] -> [..., C].
    template <Operand X> Var<D> operator()(X&& x) const { return layer_norm(std::forward<X>(x), weight, bias, eps); }

    void each(auto&& visit) {
        visit("weight", weight);
        visit("bias", bias);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
