// SPDX-License-Identifier: Apache-2.0
// linear: y = x w^T + b, x [..., K], w [N, K], b [N] -> y [..., N], as part of a formula.
//
// What follows runs over the product while it is near, and what stands inside is computed as the product reads it:
//     Var<D> h = x + linear(gelu(z), w, b);     // one node; keeps x, z and w, no product and no gelu(z)
// Use it in place: a named product does not compile (autodiff/expr.hpp).
#pragma once

#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// x w^T without a bias: x [..., K], w [N, K] -> [..., N].
template <Operand X, Device D = device_of<X>> auto linear(X&& x, const Var<Full<D>>& w) {
    using Left = decltype(as_expression<D>(std::forward<X>(x)));
    return Product<D, Left>(as_expression<D>(std::forward<X>(x)), w);
}

/// x w^T + b: x [..., K], w [N, K], b [N] -> [..., N].
template <Operand X, Device D = device_of<X>> auto linear(X&& x, const Var<Full<D>>& w, const Var<Full<D>>& b) {
    check(b.rank() == 1 && w.rank() == 2 && b.size(0) == w.size(0), "linear", "w ", w.shape(), " and b ", b.shape(),
          ": w [N, K] and b [N] expected");
    return linear(std::forward<X>(x), w) + b;
}

}  // namespace dinomaly::inline DINOMALY_ABI
