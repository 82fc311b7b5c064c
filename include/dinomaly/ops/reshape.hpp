// SPDX-License-Identifier: Apache-2.0
// reshape, flatten: the same elements, in order, under another shape. Forward and backward share memory and copy
// nothing; backward keeps the shape alone.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

template <Device D> struct Reshape {
    static constexpr const char* name = "reshape";
    Shape to;
    Shape from = {};

    Tensor<D> forward(const Tensor<D>& x) {
        from = x.shape();
        return x.reshape(to);
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const { dx.accumulate(dy.reshape(from)); }
};

}  // namespace op

namespace detail {

/// The sizes as a shape of `count` elements; a size of -1 stands for what is left.
inline Shape complete(const Shape& from, std::span<const std::int64_t> sizes) {
    std::int64_t known = 1;
    int unknown = 0;
    for (std::int64_t size : sizes) {
        check(size >= -1, "reshape", "size ", size, ": a size or a single -1 expected");
        unknown += size == -1;
        known *= size == -1 ? 1 : size;
    }
    check(unknown <= 1, "reshape", "-1 is given ", unknown, " times: one size at most can be left open");
    check(unknown == 0 || (known > 0 && from.count() % known == 0), "reshape", from, " holds ", from.count(),
          " elements, which the given sizes, of product ", known, ", do not divide");
    Shape to;
    for (std::int64_t size : sizes) to.push_back(size == -1 ? from.count() / known : size);
    return to;
}

}  // namespace detail

/// x under another shape of equal count.
template <Operand X> Var<device_of<X>> reshape(X&& x, const Shape& shape) {
    return record(op::Reshape<device_of<X>>{shape}, as_var(std::forward<X>(x)));
}

/// x under another shape of equal count; one size may be -1, which stands for what is left.
template <Operand X> Var<device_of<X>> reshape(X&& x, std::initializer_list<std::int64_t> sizes) {
    const auto input = as_var(std::forward<X>(x));
    return reshape(input, detail::complete(input.shape(), {sizes.begin(), sizes.size()}));
}

/// Axes first .. last joined into one; all of them by default.
template <Operand X> Var<device_of<X>> flatten(X&& x, int first = 0, int last = -1) {
    const auto input = as_var(std::forward<X>(x));
    const Shape& from = input.shape();
    if (from.rank() == 0) return reshape(input, Shape{1});
    first = from.normalize(first), last = from.normalize(last);
    check(first <= last, "flatten", "axes ", first, " .. ", last, " of ", from, ": the first after the last");
    Shape to;
    for (int axis = 0; axis < first; ++axis) to.push_back(from[axis]);
    to.push_back(from.count(first, last + 1));
    for (int axis = last + 1; axis < from.rank(); ++axis) to.push_back(from[axis]);
    return reshape(input, to);
}

}  // namespace dinomaly::inline DINOMALY_ABI
