// SPDX-License-Identifier: Apache-2.0
// Var: a tensor that remembers where it came from.
//
//   Var<D> w = parameter(tensor);          a leaf that wants a gradient
//   Var<D> loss = mean(square(x * w));     recorded because w wants one
//   loss.backward();                       w.grad() is now d loss / d w
//
// A Var without a node is a constant: whatever is computed from constants alone records nothing, so a frozen part of a
// model costs no graph and no memory.
#pragma once

#include <memory>
#include <utility>

#include "dinomaly/autodiff/node.hpp"
#include "dinomaly/backend/verbs.hpp"
#include "dinomaly/core/tensor.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Where a kernel writes a gradient, and whether it adds to what is there.
template <Device D> struct GradTarget {
    typename D::value_type* data;
    bool adds;
};

/// A node with the gradient of its output. The first gradient that arrives is kept as it is, later ones are added.
template <Device D> struct GradNode : Node {
    Tensor<D> grad;

    /// Takes in one gradient. The tensor may be shared with other nodes: it is only written to when it is not.
    void accumulate(Tensor<D> arriving) {
        if (!grad.defined()) {
            grad = std::move(arriving);
            return;
        }
        Tensor<D> sum = grad.unique() ? grad : Tensor<D>(grad.shape());
        backend::add(D{}, sum.count(), grad.data(), arriving.data(), sum.data());
        grad = sum;
    }

    /// The gradient's memory for a kernel that writes it itself.
    GradTarget<D> target(const Shape& shape) {
        if (!grad.defined()) {
            grad = Tensor<D>(shape);
            return {grad.data(), false};
        }
        if (!grad.unique()) grad = clone(grad);
        return {grad.data(), true};
    }
};

/// While one lives, this thread records nothing.
class NoGrad {
public:
    NoGrad() : before_(std::exchange(flag(), false)) {}
    ~NoGrad() { flag() = before_; }
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

    /// Whether this thread records gradients now.
    static bool recording() { return flag(); }

private:
    static bool& flag() {
        thread_local bool recording = true;
        return recording;
    }

    bool before_;
};

template <Device D> class Var {
public:
    using device = D;

    Var() = default;
    /// A constant.
    Var(Tensor<D> value) : value_(std::move(value)) {}
    /// A computed value; without a node it is a constant.
    Var(Tensor<D> value, std::shared_ptr<GradNode<D>> node) : value_(std::move(value)), node_(std::move(node)) {}

    const Tensor<D>& value() const { return value_; }
    Tensor<D>& value() { return value_; }
    const Shape& shape() const { return value_.shape(); }
    int rank() const { return value_.rank(); }
    std::int64_t size(int axis) const { return value_.size(axis); }
    std::int64_t count() const { return value_.count(); }
    /// The only element of a one-element variable.
    typename D::value_type item() const { return value_.item(); }

    bool wants_grad() const { return node_ != nullptr; }
    const std::shared_ptr<GradNode<D>>& node() const { return node_; }

    /// The gradient that backward() left here. Throws when there is none.
    const Tensor<D>& grad() const {
        check(has_grad(), "grad", "no gradient here: call backward() on a loss that depends on this parameter first");
        return node_->grad;
    }
    bool has_grad() const { return node_ && node_->grad.defined(); }
    /// Forgets the gradient, so that the next backward() starts anew.
    void clear_grad() {
        if (node_) node_->grad = {};
    }

    /// The same value as a constant.
    Var detach() const { return Var(value_); }

    /// Computes the gradient of this one-element variable for every parameter it depends on.
    void backward() const {
        check(count() == 1, "backward", "a loss of one element expected, found shape ", shape(),
              "; give the gradient of a larger result");
        backward(ones<D>(shape()));
    }

    /// Same for a result of any shape, from the gradient of what comes after it.
    void backward(Tensor<D> grad) const {
        check(node_ != nullptr, "backward", "nothing here depends on a parameter");
        check(grad.shape() == shape(), "backward", "gradient of shape ", grad.shape(), " for a result of shape ",
              shape());
        node_->accumulate(std::move(grad));
        sweep(node_);
    }

private:
    Tensor<D> value_;
    std::shared_ptr<GradNode<D>> node_;
};

/// A leaf that wants a gradient: a value to be learned.
template <Device D> Var<D> parameter(Tensor<D> value) {
    return Var<D>(std::move(value), std::make_shared<GradNode<D>>());
}

}  // namespace dinomaly::inline DINOMALY_ABI
