// SPDX-License-Identifier: Apache-2.0
// concat, stack: tensors one after the other along an axis that they have (concat) or that is new (stack).
// Backward copies each input's part of dy and keeps shapes alone.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "dinomaly/ops/reshape.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

template <Device D> struct Concat {
    static constexpr const char* name = "concat";
    int axis;
    std::vector<Shape> shapes = {};

    Tensor<D> forward(const std::vector<Tensor<D>>& xs) {
        Shape shape = xs.front().shape();
        shape[axis] = 0;
        for (const Tensor<D>& x : xs) {
            shapes.push_back(x.shape());
            shape[axis] += x.size(axis);
        }
        Tensor<D> y(shape);
        auto* part = y.data();
        for (const Tensor<D>& x : xs) {
            backend::move(D{}, x.shape(), part, row_major_strides(shape), x.data(), row_major_strides(x.shape()));
            part += width(x.shape());
        }
        return y;
    }
    void backward(const Tensor<D>& dy, const std::vector<Gradient<D>>& dxs) const {
        const auto* part = dy.data();
        for (std::size_t i = 0; i < dxs.size(); ++i) {
            if (dxs[i]) {
                const GradTarget<D> target = dxs[i].target(shapes[i]);
                backend::move(D{}, shapes[i], target.data, row_major_strides(shapes[i]), part,
                              row_major_strides(dy.shape()), target.adds);
            }
            part += width(shapes[i]);
        }
    }

private:
    /// Elements that an input takes of each stretch of y along the axis.
    std::int64_t width(const Shape& shape) const { return shape.count(axis, shape.rank()); }
};

}  // namespace op

/// The inputs one after the other along an axis; their other sizes are equal. concat({a, b}, 0)
template <Device D> Var<D> concat(const std::vector<Var<D>>& xs, int axis) {
    check(!xs.empty(), "concat", "no inputs, at least one expected");
    const Shape& first = xs.front().shape();
    axis = first.normalize(axis);
    for (const Var<D>& x : xs) {
        bool fits = x.rank() == first.rank();
        for (int i = 0; fits && i < first.rank(); ++i) fits = i == axis || x.size(i) == first[i];
        check(fits, "concat", "inputs ", first, " and ", x.shape(), ": equal sizes expected except along axis ", axis);
    }
    return record(op::Concat<D>{axis}, xs);
}
template <Device D> Var<D> concat(std::initializer_list<Var<D>> xs, int axis) {
    return concat(std::vector<Var<D>>(xs), axis);
}

/// Inputs of one shape along a new axis: stack({a, b, c}, 0) of [M, N] each is [3, M, N].
template <Device D> Var<D> stack(const std::vector<Var<D>>& xs, int axis) {
    check(!xs.empty(), "stack", "no inputs, at least one expected");
    const Shape& first = xs.front().shape();
    const int rank = first.rank() + 1;
    check(axis >= -rank && axis < rank, "stack", "axis ", axis, " does not exist in a stack of ", first);
    if (axis < 0) axis += rank;
    Shape layer;
    for (int i = 0; i < rank; ++i) layer.push_back(i == axis ? 1 : first[i < axis ? i : i - 1]);
    std::vector<Var<D>> layers;
    for (const Var<D>& x : xs) {
        check(x.shape() == first, "stack", "inputs ", first, " and ", x.shape(), ": equal shapes expected");
        layers.push_back(reshape(x, layer));
    }
    return concat(layers, axis);
}
template <Device D> Var<D> stack(std::initializer_list<Var<D>> xs, int axis) {
    return stack(std::vector<Var<D>>(xs), axis);
}

}  // namespace dinomaly::inline DINOMALY_ABI
