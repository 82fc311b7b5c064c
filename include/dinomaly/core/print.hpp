// SPDX-License-Identifier: Apache-2.0
// Tensors as text: nested rows as NumPy writes them, then the shape. Long axes show both ends.
//
//   [[1, 2.5, 3],
//    [4, 5, -6]] [2, 3]
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "dinomaly/core/tensor.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace detail {

/// Writes a tensor's elements, axis by axis.
template <class T> class ElementPrinter {
public:
    ElementPrinter(std::ostream& out, const Shape& shape, const std::vector<T>& values)
        : out_(out), shape_(shape), values_(values), shortens_(shape.count() > 1000) {}

    /// The part of the tensor that begins at element `first`, with axes axis, axis+1, ...
    void print(int axis, std::int64_t first) const {
        if (axis == shape_.rank()) {
            out_ << values_[static_cast<std::size_t>(first)];
            return;
        }
        const std::int64_t size = shape_[axis], step = shape_.count(axis + 1, shape_.rank());
        const bool is_last_axis = axis == shape_.rank() - 1;
        const std::string separator =
            is_last_axis ? ", " : ",\n" + std::string(static_cast<std::size_t>(axis) + 1, ' ');
        out_ << '[';
        for (std::int64_t i = 0; i < size; ++i) {
            if (i > 0) out_ << separator;
            if (shortens_ && i == shown && size > 2 * shown) {
                out_ << "...";
                i = size - shown - 1;
            } else {
                print(axis + 1, first + i * step);
            }
        }
        out_ << ']';
    }

private:
    static constexpr std::int64_t shown = 3;  // entries at each end of a long axis

    std::ostream& out_;
    const Shape& shape_;
    const std::vector<T>& values_;
    bool shortens_;
};

}  // namespace detail

/// Elements under the stream's number format, then the shape; more than 1,000 elements are shortened to the ends.
template <Device D> std::ostream& operator<<(std::ostream& out, const Tensor<D>& tensor) {
    if (!tensor.defined()) return out << "(undefined)";
    const auto values = tensor.to_vector();
    if (!values.empty()) {
        detail::ElementPrinter(out, tensor.shape(), values).print(0, 0);
        out << ' ';
    }
    return out << tensor.shape();
}

}  // namespace dinomaly::inline DINOMALY_ABI
