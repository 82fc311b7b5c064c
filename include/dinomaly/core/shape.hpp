// SPDX-License-Identifier: Apache-2.0
// Shape: the sizes of a row-major tensor, at most six of them, held by value.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

#include "dinomaly/core/error.hpp"

namespace dinomaly {

inline constexpr int max_rank = 6;

/// Sizes of a tensor, slowest first. A rank-0 shape is a scalar with one element.
class Shape {
public:
    Shape() = default;
    Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
    explicit Shape(std::span<const std::int64_t> sizes) {
        check(sizes.size() <= max_rank, "shape", "rank ", sizes.size(), " is above the limit of ", max_rank);
        for (std::int64_t size : sizes) push_back(size);
    }

    int rank() const { return rank_; }
    bool empty() const { return rank_ == 0; }
    const std::int64_t* begin() const { return sizes_.data(); }
    const std::int64_t* end() const { return sizes_.data() + rank_; }

    /// Size of an axis; negative axes count from the end. Throws when there is no such axis.
    std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(normalize(axis))]; }
    std::int64_t& operator[](int axis) { return sizes_[static_cast<std::size_t>(normalize(axis))]; }

    /// The axis counted from the front, 0 <= axis < rank.
    int normalize(int axis) const {
        check(axis >= -rank_ && axis < rank_, "shape", "axis ", axis, " does not exist in ", *this);
        return axis < 0 ? axis + rank_ : axis;
    }

    void push_back(std::int64_t size) {
        check(rank_ < max_rank, "shape", "a rank above ", max_rank);
        check(size >= 0, "shape", "negative size ", size);
        sizes_[static_cast<std::size_t>(rank_++)] = size;
    }

    /// Number of elements; 1 for a scalar.
    std::int64_t count() const { return count(0, rank_); }
    /// Product of the sizes of axes first .. last-1.
    std::int64_t count(int first, int last) const {
        std::int64_t n = 1;
        for (int i = first; i < last; ++i) n *= sizes_[static_cast<std::size_t>(i)];
        return n;
    }

    friend bool operator==(const Shape& a, const Shape& b) { return std::ranges::equal(a, b); }

    friend std::ostream& operator<<(std::ostream& out, const Shape& shape) {
        out << '[';
        for (int i = 0; i < shape.rank_; ++i) out << (i ? ", " : "") << shape[i];
        return out << ']';
    }

private:
    std::array<std::int64_t, max_rank> sizes_{};
    int rank_ = 0;
};

/// The shape of an elementwise result: sizes aligned at the last axis, 1 stretches (NumPy's rule).
inline Shape broadcast(const char* op, const Shape& a, const Shape& b) {
    const int rank = std::max(a.rank(), b.rank());
    Shape out;
    for (int i = rank; i > 0; --i) {
        const std::int64_t x = i <= a.rank() ? a[-i] : 1;
        const std::int64_t y = i <= b.rank() ? b[-i] : 1;
        check(x == y || x == 1 || y == 1, op, "shapes ", a, " and ", b, " do not broadcast: ", x, " against ", y,
              " at axis ", -i, " (equal or 1 expected)");
        out.push_back(x == 1 ? y : x);
    }
    return out;
}

/// Element strides of a row-major tensor of this shape.
inline std::array<std::int64_t, max_rank> row_major_strides(const Shape& shape) {
    std::array<std::int64_t, max_rank> strides{};
    std::int64_t step = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
        strides[static_cast<std::size_t>(i)] = step;
        step *= shape[i];
    }
    return strides;
}

}  // namespace dinomaly
