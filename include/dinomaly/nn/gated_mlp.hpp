// SPDX-License-Identifier: Apache-2.0
// GatedMlp: w3(silu(w1 x) * w2 x), width -> hidden -> width, with w1 and w2 stacked in w12 (SwiGLU; Shazeer, 2020).
#pragma once

#include "dinomaly/nn/linear.hpp"
#include "dinomaly/ops/activation.hpp"
#include "dinomaly/ops/slice.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct GatedMlp {
    Linear<D> w12, w3;

    GatedMlp() = default;
    GatedMlp(std::int64_t width, std::int64_t hidden) : w12(width, 2 * hidden), w3(hidden, width) {}

    std::int64_t hidden() const { return w3.weight.size(1); }
    /// w1 or w2 (0, 1) alone.
    Linear<D> half(std::int64_t index) const {
        Linear<D> part;
        part.weight = slice(w12.weight, 0, index * hidden(), hidden());
        part.bias = slice(w12.bias, 0, index * hidden(), hidden());
        return part;
    }

    /// x [..., C] -> [..., C], as part of a formula.
    template <Operand X> auto operator()(X&& x) const {
        const Var<D> h = w12(std::forward<X>(x));  // [..., 2 hidden]
        const Var<D> gate = slice(h, -1, 0, hidden()), value = slice(h, -1, hidden(), hidden());
        return w3(silu(gate) * value);
    }

    void each(auto&& visit) {
        visit("w12", w12);
        visit("w3", w3);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
