// SPDX-License-Identifier: Apache-2.0
// average: the mean of tensors of one shape, in full precision and in one pass; dx_i = dy / n for each of them.
// Backward keeps nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "dinomaly/autodiff/record.hpp"
#include "dinomaly/ops/arithmetic.hpp"

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

}  // namespace kernel

namespace op {

template <Device D> struct Average {
    static constexpr const char* name = "average";
    using S = typename D::value_type;
    using T = typename D::compute_type;

    Tensor<Full<D>> forward(const std::vector<Tensor<D>>& xs) {
        const Shape& shape = xs.front().shape();
        Tensor<Full<D>> y(shape);
        if (y.count() == 0) return y;
        const std::int64_t cols = shape.rank() == 0 ? 1 : shape[-1];
        kernel::Average<S, T> average{{},
                                      static_cast<std::int64_t>(xs.size()),
                                      cols,
                                      static_cast<T>(1 / static_cast<double>(xs.size())),
                                      y.data()};
        std::ranges::transform(xs, average.xs.begin(), [](const Tensor<D>& x) { return x.data(); });
        backend::rows(D{}, y.count() / cols, cols, average);
        return y;
    }
    void backward(const Tensor<Full<D>>& dy, const std::vector<Gradient<D>>& dxs) const {
        const Var<D> dx = in<D>(Var<Full<D>>(dy)) * (1 / static_cast<double>(dxs.size()));
        for (const Gradient<D>& each : dxs) each.accumulate(dx.value());  // one tensor for all that want it
    }
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
