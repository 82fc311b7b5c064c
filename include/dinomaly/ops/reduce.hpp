// SPDX-License-Identifier: Apache-2.0
// sum, mean, amax, amin over axes: y = op of x along the given axes, which are dropped or kept with size 1.
//
// The gradient of a sum is dy spread over the axes; amax and amin send it to the largest (smallest) entries, in equal
// shares where several are equal. Backward of sum and mean keeps shapes only, that of amax and amin x and y.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Axes of a tensor to reduce over; none given means all of them. Negative axes count from the end.
class Axes {
public:
    Axes() = default;
    Axes(std::initializer_list<int> axes) : all_(false) {
        for (int axis : axes) given_.push_back(axis);
    }

    /// One flag an axis of the shape. Throws for an axis that does not exist or is named twice.
    std::vector<bool> of(const char* op, const Shape& shape) const {
        std::vector<bool> reduced(static_cast<std::size_t>(shape.rank()), all_);
        for (int axis : given_) {
            check(axis >= -shape.rank() && axis < shape.rank(), op, "axis ", axis, " does not exist in ", shape);
            auto flag = reduced[static_cast<std::size_t>(shape.normalize(axis))];
            check(!flag, op, "axis ", axis, " is named twice");
            flag = true;
        }
        return reduced;
    }

private:
    bool all_ = true;
    std::vector<int> given_;
};

namespace detail {

/// x reduced over the flagged axes, which stay with size 1. Neighbouring flagged axes are done in one pass.
template <class Op, Device D> Tensor<D> reduce_axes(Op op, Tensor<D> x, const std::vector<bool>& flags) {
    for (int last = x.rank(); last > 0;) {
        int first = last - 1;
        const bool flagged = flags[static_cast<std::size_t>(first)];
        while (first > 0 && flags[static_cast<std::size_t>(first - 1)] == flagged) --first;
        if (flagged) {
            Shape shape = x.shape();
            const std::int64_t outer = shape.count(0, first), inner = shape.count(last, shape.rank());
            const std::int64_t n = shape.count(first, last);
            for (int axis = first; axis < last; ++axis) shape[axis] = 1;
            Tensor<D> y(shape);
            backend::reduce(D{}, op, outer, n, inner, x.data(), y.data());
            x = std::move(y);
        }
        last = first;
    }
    return x;
}

/// The shape that is left when the flagged axes are dropped.
inline Shape without(const Shape& kept, const std::vector<bool>& flags) {
    Shape shape;
    for (int axis = 0; axis < kept.rank(); ++axis)
        if (!flags[static_cast<std::size_t>(axis)]) shape.push_back(kept[axis]);
    return shape;
}

/// A tensor broadcast to a shape.
template <Device D> Tensor<D> spread(const Tensor<D>& x, const Shape& shape) {
    Tensor<D> y(shape);
    backend::move(D{}, shape, y.data(), row_major_strides(shape), x.data(), broadcast_strides(x.shape(), shape));
    return y;
}

}  // namespace detail

namespace op {

/// y = scale * sum of x over the flagged axes.
template <Device D> struct ScaledSum {
    const char* name;
    std::vector<bool> flags;
    bool keeps_axes;
    bool is_mean;
    Shape x_shape = {}, kept = {};  // kept: the shape of y with its reduced axes

    double scale() const {
        return is_mean ? static_cast<double>(kept.count()) / static_cast<double>(x_shape.count()) : 1;
    }

    Tensor<D> forward(const Tensor<D>& x) {
        x_shape = x.shape();
        Tensor<D> y = detail::reduce_axes(backend::Sum{}, x, flags);
        kept = y.shape();
        if (is_mean) y = as_var(y * scale()).value();
        return keeps_axes ? y : y.reshape(detail::without(kept, flags));
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        dx.accumulate(detail::spread(as_var(dy.reshape(kept) * scale()).value(), x_shape));
    }
};

/// y = the largest (or smallest) of x over the flagged axes.
template <Device D, class Extreme> struct ExtremeOver {
    const char* name;
    std::vector<bool> flags;
    bool keeps_axes;
    Tensor<D> x = {}, y = {};  // y with its reduced axes

    Tensor<D> forward(const Tensor<D>& input) {
        x = input;
        y = detail::reduce_axes(Extreme{}, x, flags);
        check(x.count() > 0 || y.count() == 0, name, "no elements along the axes of ", x.shape());
        return keeps_axes ? y : y.reshape(detail::without(y.shape(), flags));
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const Var<D> hits = equal(x, y);
        const Tensor<D> share = detail::reduce_axes(backend::Sum{}, hits.value(), flags);
        dx.accumulate(as_var(hits / share * dy.reshape(y.shape())).value());
    }
};

}  // namespace op

/// Whether reduced axes stay with size 1.
enum class Keep : bool { no, yes };

/// Sum over axes (all by default).
template <Operand X> auto sum(X&& x, const Axes& axes = {}, Keep keep = Keep::no) {
    const auto input = full(std::forward<X>(x));
    return record(op::ScaledSum<Full<device_of<X>>>{"sum", axes.of("sum", input.shape()), keep == Keep::yes, false},
                  input);
}

/// Mean over axes (all by default).
template <Operand X> auto mean(X&& x, const Axes& axes = {}, Keep keep = Keep::no) {
    const auto input = full(std::forward<X>(x));
    check(input.count() > 0, "mean", "no elements in ", input.shape());
    return record(op::ScaledSum<Full<device_of<X>>>{"mean", axes.of("mean", input.shape()), keep == Keep::yes, true},
                  input);
}

/// Largest value over axes (all by default).
template <Operand X> auto amax(X&& x, const Axes& axes = {}, Keep keep = Keep::no) {
    const auto input = full(std::forward<X>(x));
    using D = Full<device_of<X>>;
    return record(op::ExtremeOver<D, backend::Max>{"amax", axes.of("amax", input.shape()), keep == Keep::yes}, input);
}

/// Smallest value over axes (all by default).
template <Operand X> auto amin(X&& x, const Axes& axes = {}, Keep keep = Keep::no) {
    const auto input = full(std::forward<X>(x));
    using D = Full<device_of<X>>;
    return record(op::ExtremeOver<D, backend::Min>{"amin", axes.of("amin", input.shape()), keep == Keep::yes}, input);
}

}  // namespace dinomaly::inline DINOMALY_ABI
