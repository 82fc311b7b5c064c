// SPDX-License-Identifier: Apache-2.0
// LayerScale: y = gamma x with one learned factor a channel (Touvron et al., 2021), and its absence.
#pragma once

#include "dinomaly/nn/module.hpp"
#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct LayerScale {
    Param<D> gamma;
    bool is_learned = true;  // else gamma is one for ever, and no parameter

    LayerScale() = default;
    explicit LayerScale(std::int64_t width, bool is_learned_ = true)
        : gamma(ones<Full<D>>({width})), is_learned(is_learned_) {}

    /// x [..., C] -> [..., C], as part of a formula.
    template <Operand X> auto operator()(X&& x) const { return std::forward<X>(x) * gamma; }

    void each(auto&& visit) {
        if (is_learned) visit("gamma", gamma);
    }
};

/// Passes its operand on.
template <Device D> struct NoScale {
    NoScale() = default;
    explicit NoScale(std::int64_t) {}

    template <Operand X> auto operator()(X&& x) const { return as_expression<D>(std::forward<X>(x)); }

    void each(auto&&) {}
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
