// SPDX-License-Identifier: Apache-2.0
// rotary: rotary position embedding (Su et al., RoFormer, 2021) of qkv [B, N, 3 H d], as DINOv3 has it.
//
//   (q_c, q_(c + d/2)) turned by the angle of the token's place and of c < d/2; k likewise, v as it is
//   dq: dy turned back
//
// The last tokens are patches and are turned; those before have no place. Backward keeps the angles' cosines and sines
// alone.
#pragma once

#include "dinomaly/ops/attention.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Cosines and sines of the angles of P patches, [P, head_dim / 2] each, in full precision; undefined: nothing is
/// turned.
template <Device F> struct Rotation {
    Tensor<F> cos, sin;

    bool defined() const { return cos.defined(); }
    backend::RotaryTable<typename F::value_type> table() const { return {cos.size(0), cos.data(), sin.data()}; }
};

namespace op {

template <Device D> struct Rotary {
    static constexpr const char* name = "rotary";
    std::int64_t heads;
    Rotation<Full<D>> rotation;
    Shape shape = {};

    Tensor<D> forward(const Tensor<D>& qkv) {
        shape = qkv.shape();
        Tensor<D> y(shape);
        backend::rotary(D{}, attention_sizes(name, shape, heads), rotation.table(), qkv.data(), y.data());
        return y;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const GradTarget<D> target = dx.target(shape);
        using T = typename D::compute_type;
        backend::rotary(D{}, attention_sizes(name, shape, heads), rotation.table(), dy.data(), target.data, T(-1),
                        target.adds);
    }
};

}  // namespace op

/// q and k of the last P tokens of qkv [B, N, 3 * heads * head_dim] turned; the rotation is a constant. Throws when
/// there are fewer tokens or the head_dim is odd.
template <Operand X, Device D = device_of<X>>
Var<D> rotary(X&& qkv, const Rotation<Full<D>>& rotation, std::int64_t heads) {
    const Var<D> x = as_var(std::forward<X>(qkv));
    const backend::AttentionSizes sizes = attention_sizes("rotary", x.shape(), heads);
    const Shape &cos = rotation.cos.shape(), &sin = rotation.sin.shape();
    check(sizes.head_dim % 2 == 0 && cos == sin && cos.rank() == 2 && cos[0] <= sizes.tokens &&
              cos[1] == sizes.head_dim / 2,
          "rotary", "qkv ", x.shape(), " with ", heads, " heads, cosines ", cos, " and sines ", sin,
          ": [P, head_dim / 2] of an even head_dim, P up to N, expected");
    return record(op::Rotary<D>{heads, rotation}, x);
}

}  // namespace dinomaly::inline DINOMALY_ABI
