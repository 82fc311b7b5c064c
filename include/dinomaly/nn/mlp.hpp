// SPDX-License-Identifier: Apache-2.0
// Mlp: fc2(gelu(fc1(x))), width -> hidden -> width.
//
// Only fc1's value is kept for backward: gelu of it is computed as fc2 reads its rows, both times.
#pragma once

#include "dinomaly/nn/linear.hpp"
#include "dinomaly/ops/activation.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

template <Device D> struct Mlp {
    Linear<D> fc1, fc2;

    Mlp() = default;
    Mlp(std::int64_t width, std::int64_t hidden) : fc1(width, hidden), fc2(hidden, width) {}

    /// x [..., C] -> [..., C], as part of a formula.
    template <Operand X> auto operator()(X&& x) const {
        const Var<D> h = fc1(std::forward<X>(x));  // [..., hidden]
        return fc2(gelu(h));
    }

    void each(auto&& visit) {
        visit("fc1", fc1);
        visit("fc2", fc2);
    }
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
