// SPDX-License-Identifier: Apache-2.0
// scale_grad: y = x, dx = dy * factor: slows the gradient of some positions. Backward keeps factor.
#pragma once

#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

template <Device D> struct ScaleGrad {
    static constexpr const char* name = "scale_grad";
    Tensor<Full<D>> factor;

    Tensor<D> forward(const Tensor<D>& x) {
        check(broadcast(name, factor.shape(), x.shape()) == x.shape(), name, "factor ", factor.shape(),
              " does not broadcast to x ", x.shape());
        return x;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const { dx.accumulate(as_var(dy * factor).value()); }
};

}  // namespace op

/// x itself; the gradient that passes back is multiplied by factor, which is broadcast to x.
template <Operand X, Device D = device_of<X>> Var<D> scale_grad(X&& x, const Tensor<Full<D>>& factor) {
    return record(op::ScaleGrad<D>{factor}, as_var(std::forward<X>(x)));
}

}  // namespace dinomaly::inline DINOMALY_ABI
