// SPDX-License-Identifier: Apache-2.0
// slice: entries first .. first+n-1 of one axis. Along axis 0 the result shares the elements of x, else they are
// copied. Backward writes dy into its place among zeros and keeps the shape alone.
#pragma once

#include <cstdint>

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

template <Device D> struct Slice {
    static constexpr const char* name = "slice";
    int axis;
    std::int64_t first, n;
    Shape x_shape = {};

    Tensor<D> forward(const Tensor<D>& x) {
        x_shape = x.shape();
        if (axis == 0) return x.rows(first, n);
        Shape shape = x_shape;
        shape[axis] = n;
        Tensor<D> y(shape);
        backend::move(D{}, shape, y.data(), row_major_strides(shape), x.data() + start(), row_major_strides(x_shape));
        return y;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const GradTarget<D> target = dx.target(x_shape);
        if (!target.adds)
            D::zero(target.data, static_cast<std::size_t>(x_shape.count()) * sizeof(typename D::value_type));
        backend::move(D{}, dy.shape(), target.data + start(), row_major_strides(x_shape), dy.data(),
                      row_major_strides(dy.shape()), target.adds);
    }

private:
    /// The first element taken, counted in x.
    std::int64_t start() const { return first * x_shape.count(axis + 1, x_shape.rank()); }
};

}  // namespace op

/// Entries first .. first+n-1 of an axis: x [.., size, ..] -> [.., n, ..].
template <Operand X> Var<device_of<X>> slice(X&& x, int axis, std::int64_t first, std::int64_t n) {
    const auto input = as_var(std::forward<X>(x));
    const std::int64_t size = input.size(axis);
    check(first >= 0 && n >= 0 && first <= size && n <= size - first, "slice", n, " entries from ", first, " of axis ",
          axis, " of ", input.shape(), ": a range within 0 .. ", size, " expected");
    return record(op::Slice<device_of<X>>{input.shape().normalize(axis), first, n}, input);
}

}  // namespace dinomaly::inline DINOMALY_ABI
