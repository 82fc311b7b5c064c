// SPDX-License-Identifier: Apache-2.0
// softmax, log_softmax over the last axis, and cross_entropy.
//
//   softmax       y = e^(x - max x) / sum e^(x - max x)       dx = y (dy - sum dy y)
//   log_softmax   y = x - max x - log sum e^(x - max x)       dx = dy - e^y sum dy
//
// Shapes [.., C] -> [.., C], in full precision; both keep y. cross_entropy is the mean over rows of -log_softmax at
// each row's label.
#pragma once

#include <cstdint>
#include <vector>

#include "dinomaly/ops/reduce.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace kernel {

template <class T> struct SoftmaxForward {
    const T* x;
    T* y;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const T* in = x + row * cols;
        T* out = y + row * cols;
        const Packet<T> top(lane.max(cols, [&](auto at) { return at.load(in); }));
        const Packet<T> total(lane.sum(cols, [&](auto at) {
            const Packet<T> e = math::exp(at.load(in) - top);
            at.store(out, e);
            return e;
        }));
        lane.each(cols, [&](auto at) { at.store(out, at.load(out) / total); });
    }
};

template <class T> struct SoftmaxBackward {
    const T *y, *dy;
    T* dx;
    bool adds;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const T *out = y + row * cols, *grad = dy + row * cols;
        T* in = dx + row * cols;
        const Packet<T> dot(lane.sum(cols, [&](auto at) { return at.load(grad) * at.load(out); }));
        lane.each(cols, [&](auto at) {
            const Packet<T> d = at.load(out) * (at.load(grad) - dot);
            at.store(in, adds ? at.load(in) + d : d);
        });
    }
};

template <class T> struct LogSoftmaxForward {
    const T* x;
    T* y;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const T* in = x + row * cols;
        T* out = y + row * cols;
        const Packet<T> top(lane.max(cols, [&](auto at) { return at.load(in); }));
        const Packet<T> total(lane.sum(cols, [&](auto at) { return math::exp(at.load(in) - top); }));
        const Packet<T> log_total = math::log(total);
        lane.each(cols, [&](auto at) { at.store(out, at.load(in) - top - log_total); });
    }
};

template <class T> struct LogSoftmaxBackward {
    const T *y, *dy;
    T* dx;
    bool adds;
    std::int64_t cols;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const T *out = y + row * cols, *grad = dy + row * cols;
        T* in = dx + row * cols;
        const Packet<T> total(lane.sum(cols, [&](auto at) { return at.load(grad); }));
        lane.each(cols, [&](auto at) {
            const Packet<T> d = at.load(grad) - math::exp(at.load(out)) * total;
            at.store(in, adds ? at.load(in) + d : d);
        });
    }
};

}  // namespace kernel

namespace op {

/// An op that maps rows to rows and whose backward pass needs its result alone.
template <Device D, template <class> class Forward, template <class> class Backward> struct OfRows {
    const char* name;
    Tensor<D> y = {};

    Tensor<D> forward(const Tensor<D>& x) {
        check(x.rank() >= 1 && (x.size(-1) > 0 || x.count() == 0), name, "x ", x.shape(), ": x [.., C] expected");
        y = Tensor<D>(x.shape());
        const std::int64_t cols = x.size(-1);
        backend::rows(D{}, rows(), cols, Forward<typename D::value_type>{x.data(), y.data(), cols});
        return y;
    }
    void backward(const Tensor<D>& dy, Gradient<D> dx) const {
        const GradTarget<D> target = dx.target(y.shape());
        const std::int64_t cols = y.size(-1);
        backend::rows(D{}, rows(), cols,
                      Backward<typename D::value_type>{y.data(), dy.data(), target.data, target.adds, cols});
    }

private:
    std::int64_t rows() const { return y.shape().count(0, y.rank() - 1); }
};

}  // namespace op

/// e^x over its sum along the last axis: x [.., C] -> [.., C].
template <Operand X, Device D = Full<device_of<X>>> Var<D> softmax(X&& x) {
    return record(op::OfRows<D, kernel::SoftmaxForward, kernel::SoftmaxBackward>{"softmax"}, full(std::forward<X>(x)));
}

/// The logarithm of softmax, exact where softmax would vanish: x [.., C] -> [.., C].
template <Operand X, Device D = Full<device_of<X>>> Var<D> log_softmax(X&& x) {
    return record(op::OfRows<D, kernel::LogSoftmaxForward, kernel::LogSoftmaxBackward>{"log_softmax"},
                  full(std::forward<X>(x)));
}

/// Mean over rows of -log softmax(logits)[row, labels[row]]: logits [N, C], N labels of 0 .. C-1 -> scalar.
template <Operand X, Device D = Full<device_of<X>>>
Var<D> cross_entropy(X&& logits, const std::vector<std::int64_t>& labels) {
    const Var<D> x = full(std::forward<X>(logits));
    const auto rows = static_cast<std::int64_t>(labels.size());
    check(x.rank() == 2 && x.size(0) == rows && rows > 0, "cross_entropy", "logits ", x.shape(), " and ", rows,
          " labels: logits [N, C] and N labels expected");
    const std::int64_t classes = x.size(1);
    std::vector<typename D::value_type> chosen(static_cast<std::size_t>(rows * classes));
    for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t label = labels[static_cast<std::size_t>(row)];
        check(label >= 0 && label < classes, "cross_entropy", "label ", label, " of row ", row, ": 0 .. ", classes - 1,
              " expected");
        chosen[static_cast<std::size_t>(row * classes + label)] = 1;
    }
    // Chosen, not multiplied: a class that is ruled out (log 0) must not turn zeros into NaN.
    return sum(where(Tensor<D>(x.shape(), chosen), log_softmax(x), 0)) / -static_cast<double>(rows);
}

}  // namespace dinomaly::inline DINOMALY_ABI
