// SPDX-License-Identifier: Apache-2.0
// permute, transpose: y[i, j, ...] = x with its axes in another order, as a copy: tensors have no strides.
// Backward is the opposite copy and keeps the shape alone.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

template <Device D> struct Permute {
    static constexpr const char* name = "permute";
    std::vector<int> axes;  // axis i of y is axis axes[i] of x
    Shape x_shape = {};

    Tensor<D> forward(const Tensor<D>& x) {
        x_shape = x.shape();
        Tensor<D> y(y_shape());
        backend::move(D{}, y.shape(), y.data(), row_major_strides(y.shape()), x.data(), x_strides());
        return y;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const GradTarget<D> target = dx.target(x_shape);
        backend::move(D{}, dy.shape(), target.data, x_strides(), dy.data(), row_major_strides(dy.shape()), target.adds);
    }

private:
    Shape y_shape() const {
        Shape shape;
        for (int axis : axes) shape.push_back(x_shape[axis]);
        return shape;
    }

    /// Strides of x in the order of y's axes.
    Strides x_strides() const {
        const auto natural = row_major_strides(x_shape);
        Strides strides{};
        for (std::size_t i = 0; i < axes.size(); ++i) strides[i] = natural[static_cast<std::size_t>(axes[i])];
        return strides;
    }
};

}  // namespace op

/// x with axes[i] of x as axis i: permute(x, {1, 0}) transposes a matrix. Each axis is named once.
template <Operand X> Var<device_of<X>> permute(X&& x, const std::vector<int>& axes) {
    const auto input = as_var(std::forward<X>(x));
    const Shape& shape = input.shape();
    check(static_cast<int>(axes.size()) == shape.rank(), "permute", axes.size(), " axes given for ", shape, ", ",
          shape.rank(), " expected");
    std::vector<int> order;
    for (int axis : axes) {
        order.push_back(shape.normalize(axis));
        check(std::ranges::count(order, order.back()) == 1, "permute", "axis ", axis, " of ", shape, " is named twice");
    }
    return record(op::Permute<device_of<X>>{std::move(order)}, input);
}

/// x with two axes exchanged.
template <Operand X> Var<device_of<X>> transpose(X&& x, int a, int b) {
    const auto input = as_var(std::forward<X>(x));
    std::vector<int> axes;
    for (int axis = 0; axis < input.rank(); ++axis) axes.push_back(axis);
    std::swap(axes[static_cast<std::size_t>(input.shape().normalize(a))],
              axes[static_cast<std::size_t>(input.shape().normalize(b))]);
    return permute(input, axes);
}

}  // namespace dinomaly::inline DINOMALY_ABI
