// SPDX-License-Identifier: Apache-2.0
// gather: rows of a table by their numbers, y_i = x_index(i); x [T, ..] -> y [n, ..].
//
//   dx_t = sum of dy_i over all i with index(i) = t
//
// Backward goes through the table's rows, each with the list of its places in y: sums come in the same order always.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dinomaly/autodiff/record.hpp"
#include "dinomaly/backend/verbs.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

template <class S, class T> struct Gather {
    const S* x;
    const std::int32_t* index;
    S* y;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const S* from = x + index[row] * cols;
        S* to = y + row * cols;
        lane.each(cols, [&](auto at) { at.store(to, at.load(from)); });
    }
};

/// Row t of the table was read for y's rows places[first[t]] .. places[first[t + 1] - 1].
template <class S, class T> struct GatherBackward {
    const S* dy;
    const std::int32_t *first, *places;
    S* dx;
    bool adds;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        S* to = dx + row * cols;
        lane.each(cols, [&](auto at) {
            Packet<T> sum(T(0));
            for (std::int32_t i = first[row]; i < first[row + 1]; ++i) sum += at.load(dy + places[i] * cols);
            at.store(to, adds ? at.load(to) + sum : sum);
        });
    }
};

}  // namespace kernel

namespace op {

template <Device D> struct Gather {
    static constexpr const char* name = "gather";
    std::vector<std::int32_t> index;
    Shape x_shape = {};

    Tensor<D> forward(const Tensor<D>& x) {
        x_shape = x.shape();
        Shape shape = x_shape;
        shape[0] = static_cast<std::int64_t>(index.size());
        Tensor<D> y(shape);
        const auto numbers = uploaded(index);
        backend::rows(D{}, shape[0], cols(), kernel::Gather<S, T>{x.data(), numbers.get(), y.data(), cols()});
        return y;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const auto rows = static_cast<std::size_t>(x_shape[0]);
        std::vector<std::int32_t> first(rows + 1, 0), places(index.size());
        for (const std::int32_t row : index) ++first[static_cast<std::size_t>(row) + 1];
        for (std::size_t row = 0; row < rows; ++row) first[row + 1] += first[row];
        std::vector<std::int32_t> next = first;
        for (std::size_t i = 0; i < index.size(); ++i)
            places[static_cast<std::size_t>(next[static_cast<std::size_t>(index[i])]++)] = static_cast<std::int32_t>(i);
        const GradTarget<D> target = dx.target(x_shape);
        const auto begins = uploaded(first), lists = uploaded(places);
        backend::rows(
            D{}, x_shape[0], cols(),
            kernel::GatherBackward<S, T>{dy.data(), begins.get(), lists.get(), target.data, target.adds, cols()});
    }

private:
    using S = typename D::value_type;
    using T = typename D::compute_type;

    std::int64_t cols() const { return x_shape.count(1, x_shape.rank()); }

    static std::shared_ptr<std::int32_t> uploaded(const std::vector<std::int32_t>& numbers) {
        const std::size_t bytes = numbers.size() * sizeof(std::int32_t);
        const std::shared_ptr<void> memory = D::allocate(bytes);
        D::upload(memory.get(), numbers.data(), bytes);
        return std::static_pointer_cast<std::int32_t>(memory);
    }
};

}  // namespace op

/// Rows of a table by their numbers: x [T, ..] -> [n, ..]. Throws when a number is not one of 0 .. T - 1.
template <Device D> Var<D> gather(const Var<D>& x, const std::vector<std::int64_t>& index) {
    check(x.rank() >= 1 && x.size(0) <= INT32_MAX && index.size() <= INT32_MAX, "gather", "x ", x.shape(), " and ",
          index.size(), " rows: x [T, ..] and numbers of 31 bits expected");
    std::vector<std::int32_t> rows;
    rows.reserve(index.size());
    for (const std::int64_t row : index) {
        check(row >= 0 && row < x.size(0), "gather", "row ", row, " of x ", x.shape(), ": one of its rows expected");
        rows.push_back(static_cast<std::int32_t>(row));
    }
    return record(op::Gather<D>{std::move(rows)}, x);
}

}  // namespace dinomaly::inline DINOMALY_ABI
