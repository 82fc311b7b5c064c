// SPDX-License-Identifier: Apache-2.0
// average: the mean of tensors of one shape, in full precision and in one pass; dx_i = dy / n for each of them.
// Backward keeps the shape alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "dinomaly/autodiff/record.hpp"
#include "dinomaly/core/expr.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

inline constexpr std::size_t most_averaged = 64;

/// One row of y = share (x_0 + x_1 + ..); T is what S is computed in.
template <class S, class T> struct Average {
    std::array<const S*, most_averaged> xs;
    std::int64_t count, cols;
    T share;
    T* y;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const std::int64_t first = row * cols;
        lane.each(cols, [&](auto at) {
            Packet<T> sum = at.load(xs[0] + first);
            for (std::int64_t i = 1; i < count; ++i) sum += at.load(xs[static_cast<std::size_t>(i)] + first);
            at.store(y + first, sum * Packet<T>(share));
        });
    }
};

/// One row of the gradients dx_i = or += share dy.
template <class S, class T> struct AverageGradient {
    std::array<S*, most_averaged> dxs;
    std::array<bool, most_averaged> adds;
    std::int64_t count, cols;
    T share;
    const T* dy;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const std::int64_t first = row * cols;
        lane.each(cols, [&](auto at) {
            const Packet<T> d = at.load(dy + first) * Packet<T>(share);
            for (std::int64_t i = 0; i < count; ++i) {
                S* const dx = dxs[static_cast<std::size_t>(i)] + first;
                at.store(dx, adds[static_cast<std::size_t>(i)] ? at.load(dx) + d : d);
            }
        });
    }
};

}  // namespace kernel

namespace op {

template <Device D> struct Average {
    static constexpr const char* name = "average";
    using S = typename D::value_type;
    using T = typename D::compute_type;
    Shape shape = {};

    Tensor<Full<D>> forward(const std::vector<Tensor<D>>& xs) {
        shape = xs.front().shape();
        kernel::Average<S, T> average{{}, static_cast<std::int64_t>(xs.size()), cols(), share(xs.size()), nullptr};
        std::ranges::transform(xs, average.xs.begin(), [](const Tensor<D>& x) { return x.data(); });
        Tensor<Full<D>> y(shape);
        average.y = y.data();
        backend::rows(D{}, rows(), cols(), average);
        return y;
    }
    void backward(const Tensor<Full<D>>& dy, const std::vector<Gradient<D>>& dxs) const {
        kernel::AverageGradient<S, T> gradient{{}, {}, 0, cols(), share(dxs.size()), dy.data()};
        for (const Gradient<D>& dx : dxs) {
            if (!dx) continue;
            const GradTarget<D> target = dx.target(shape);
            const auto i = static_cast<std::size_t>(gradient.count++);
            gradient.dxs[i] = target.data, gradient.adds[i] = target.adds;
        }
        backend::rows(D{}, rows(), cols(), gradient);
    }

private:
    static T share(std::size_t count) { return static_cast<T>(1 / static_cast<double>(count)); }
    std::int64_t cols() const { return shape.rank() == 0 ? 1 : shape[-1]; }
    std::int64_t rows() const { return shape.count() / std::max<std::int64_t>(cols(), 1); }
};

}  // namespace op

/// The mean of 1 to 64 tensors of one shape.
template <Device D> Var<Full<D>> average(const std::vector<Var<D>>& xs) {
    check(!xs.empty() && xs.size() <= kernel::most_averaged, "average", xs.size(), " inputs, 1 to ",
          kernel::most_averaged, " expected");
    for (const Var<D>& x : xs)
        check(x.shape() == xs.front().shape(), "average", "inputs ", xs.front().shape(), " and ", x.shape(),
              ": equal shapes expected");
    return record(op::Average<D>{}, xs);
}
template <Device D> Var<Full<D>> average(std::initializer_list<Var<D>> xs) {
    return average(std::vector<Var<D>>(xs));
}

}  // namespace dinomaly::inline DINOMALY_ABI
