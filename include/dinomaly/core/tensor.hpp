// SPDX-License-Identifier: Apache-2.0
// Tensor: a shape and a shared, contiguous, row-major block of a device's memory.
//
// A tensor is a handle: copies share the elements. There are no strided tensors; what would need strides (a
// permutation, a slice of an inner axis) is copied by the `move` verb, so that every kernel may count on one layout.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/core/concepts.hpp"
#include "dinomaly/core/shape.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <Device D> class Tensor {
public:
    using device = D;
    using value_type = typename D::value_type;

    /// No elements at all; defined() is false.
    Tensor() = default;

    /// Uninitialised elements.
    explicit Tensor(Shape shape)
        : shape_(shape),
          memory_(std::static_pointer_cast<value_type>(
              D::allocate(static_cast<std::size_t>(shape.count()) * sizeof(value_type)))) {}

    /// Elements copied from the host, in row-major order. Throws when their number does not fit the shape.
    Tensor(Shape shape, std::span<const value_type> values) : Tensor(shape) {
        check(static_cast<std::int64_t>(values.size()) == shape.count(), "tensor", values.size(), " values for shape ",
              shape, ", which holds ", shape.count());
        D::upload(data(), values.data(), values.size_bytes());
    }
    Tensor(Shape shape, std::initializer_list<value_type> values)
        : Tensor(shape, std::span(values.begin(), values.size())) {}
    Tensor(Shape shape, const std::vector<value_type>& values) : Tensor(shape, std::span(values)) {}

    bool defined() const { return memory_ != nullptr; }
    const Shape& shape() const { return shape_; }
    int rank() const { return shape_.rank(); }
    /// Size of one axis; negative axes count from the end.
    std::int64_t size(int axis) const { return shape_[axis]; }
    std::int64_t count() const { return shape_.count(); }

    value_type* data() { return memory_.get(); }
    const value_type* data() const { return memory_.get(); }

    /// True when no other handle shares the elements, so that they may be overwritten unseen.
    bool unique() const { return memory_.use_count() == 1; }

    /// The same elements under another shape of equal count.
    Tensor reshape(Shape shape) const {
        check(shape.count() == count(), "reshape", shape_, " holds ", count(), " elements, ", shape, " needs ",
              shape.count());
        Tensor view = *this;
        view.shape_ = shape;
        return view;
    }

    /// Entries first .. first+n-1 of axis 0, sharing the elements.
    Tensor rows(std::int64_t first, std::int64_t n) const {
        check(rank() > 0 && first >= 0 && n >= 0 && first + n <= size(0), "rows", "rows ", first, " .. ", first + n,
              " of ", shape_);
        Tensor view = *this;
        view.shape_[0] = n;
        view.memory_ = std::shared_ptr<value_type>(memory_, memory_.get() + first * shape_.count(1, rank()));
        return view;
    }

    /// A host copy of the elements in row-major order.
    std::vector<value_type> to_vector() const {
        std::vector<value_type> values(static_cast<std::size_t>(count()));
        D::download(values.data(), data(), values.size() * sizeof(value_type));
        return values;
    }

    /// The only element of a one-element tensor.
    value_type item() const {
        check(defined() && count() == 1, "item", "one element expected, found shape ", shape_);
        value_type value;
        D::download(&value, data(), sizeof value);
        return value;
    }

private:
    Shape shape_;
    std::shared_ptr<value_type> memory_;
};

/// All elements zero.
template <Device D> Tensor<D> zeros(Shape shape) {
    Tensor<D> out(shape);
    D::zero(out.data(), static_cast<std::size_t>(shape.count()) * sizeof(typename D::value_type));
    return out;
}

/// All elements equal to value.
template <Device D> Tensor<D> full(Shape shape, double value) {
    Tensor<D> out(shape);
    D::fill(out.data(), static_cast<std::size_t>(shape.count()),
            static_cast<typename D::value_type>(static_cast<typename D::compute_type>(value)));
    return out;
}

/// All elements one.
template <Device D> Tensor<D> ones(Shape shape) {
    return full<D>(shape, 1);
}

/// A copy that shares nothing with the original.
template <Device D> Tensor<D> clone(const Tensor<D>& tensor) {
    Tensor<D> out(tensor.shape());
    D::copy(out.data(), tensor.data(), static_cast<std::size_t>(out.count()) * sizeof(typename D::value_type));
    return out;
}

}  // namespace dinomaly::inline DINOMALY_ABI
