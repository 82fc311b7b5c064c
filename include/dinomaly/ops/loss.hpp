// SPDX-License-Identifier: Apache-2.0
// mse: mean of (a - b)^2 over all elements, in one pass that stores no difference; da = 2 dy (a - b) / n, db = -da.
// Backward keeps a and b.
#pragma once

#include <cstdint>

#include "dinomaly/ops/reduce.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

/// The sum of (a - b)^2 over one piece of the elements.
template <class T> struct SquaredDifferences {
    const T *a, *b;
    T* sums;
    std::int64_t count, piece;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t i) const {
        const T *from = a + i * piece, *other = b + i * piece;
        const std::int64_t rest = count - i * piece;
        sums[i] = lane.sum(rest < piece ? rest : piece, [&](auto at) {
            const Packet<T> d = at.load(from) - at.load(other);
            return d * d;
        });
    }
};

}  // namespace kernel

namespace op {

template <Device D> struct MeanSquaredError {
    static constexpr const char* name = "mse";
    Tensor<D> a = {}, b = {};

    Tensor<D> forward(const Tensor<D>& a_, const Tensor<D>& b_) {
        a = a_, b = b_;
        check(a.shape() == b.shape() && a.count() > 0, name, "a ", a.shape(), " and b ", b.shape(),
              ": equal shapes with elements expected");
        constexpr std::int64_t piece = 16384;
        const std::int64_t pieces = (a.count() + piece - 1) / piece;
        Tensor<D> sums({pieces}), total(Shape{});
        backend::rows(
            D{}, pieces, piece,
            kernel::SquaredDifferences<typename D::value_type>{a.data(), b.data(), sums.data(), a.count(), piece});
        backend::reduce(D{}, backend::Sum{}, 1, pieces, 1, sums.data(), total.data());
        return as_var(total / count()).value();
    }
    void backward(const Tensor<D>& dy, Gradient<D> da, Gradient<D> db) const {
        if (da) da.accumulate(as_var((a - b) * (dy * (2 / count()))).value());
        if (db) db.accumulate(as_var((b - a) * (dy * (2 / count()))).value());
    }

private:
    double count() const { return static_cast<double>(a.count()); }
};

}  // namespace op

/// Mean squared error: a and b of one shape -> scalar.
template <Operand A, Operand B, Device D = Full<device_of<A>>> Var<D> mse(A&& a, B&& b) {
    return record(op::MeanSquaredError<D>{}, full(std::forward<A>(a)), full(std::forward<B>(b)));
}

}  // namespace dinomaly::inline DINOMALY_ABI
