// SPDX-License-Identifier: Apache-2.0
// record: how a structured op joins the graph.
//
// Such an op is one struct:
//
//   template <Device D> struct Softmax {
//       static constexpr const char* name = "softmax";
//       Tensor<D> y;                                                    what backward needs
//       Tensor<D> forward(const Tensor<D>& x);                          one tensor an input
//       void backward(const Tensor<D>& dy, Gradient<D> dx) const;       one Gradient an input
//   };
//   Var<D> y = record(Softmax<D>{}, x);
//
// backward is only called when some input wants a gradient, and `if (dx)` tells whether this one does. When none does,
// the struct is dropped right after forward with all it kept.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dinomaly/autodiff/var.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// The place of one input's gradient during a backward pass; false when the input wants none.
template <Device D> class Gradient {
public:
    explicit Gradient(const std::shared_ptr<Node>& node) : node_(std::static_pointer_cast<GradNode<D>>(node)) {}

    explicit operator bool() const { return node_ != nullptr; }
    /// Hands over a whole gradient; does nothing when none is wanted.
    void accumulate(Tensor<D> grad) const {
        if (node_) node_->accumulate(std::move(grad));
    }
    /// Memory to write the gradient to, of the given shape.
    GradTarget<D> target(const Shape& shape) const { return node_->target(shape); }
    /// The node that takes the gradient, for a backward pass that is itself a formula.
    const std::shared_ptr<GradNode<D>>& node() const { return node_; }

private:
    std::shared_ptr<GradNode<D>> node_;
};

/// A recorded op whose result is on D, and its place in the graph. backward() takes these Gradients, a Gradient<Input>
/// for each input, or one vector of them for any number of inputs.
template <Device D, class Op, class... Gradients> class OpNode final : public GradNode<D> {
public:
    explicit OpNode(Op op) : op_(std::move(op)) { this->name = op_->name; }

    void backward() override {
        check(op_.has_value(), "backward", "this graph was already swept: compute the loss again");
        const Op op = *std::exchange(op_, std::nullopt);
        const Tensor<D> dy = std::exchange(this->grad, {});
        const Edges edges = std::exchange(this->inputs, {});
        if (!dy.defined()) return;  // what came after did not depend on it smoothly
        if constexpr ((requires { typename Gradients::iterator; } && ...))
            op.backward(dy, Gradients(edges.begin(), edges.end())...);
        else
            [&]<std::size_t... i>(std::index_sequence<i...>) {
                op.backward(dy, Gradients(edges[i])...);
            }
        (std::index_sequence_for<Gradients...>());
    }

private:
    std::optional<Op> op_;
};

/// y = op.forward(inputs...), recorded when some input wants a gradient.
template <class Op, Device... Inputs> auto record(Op op, const Var<Inputs>&... inputs) {
    auto y = op.forward(inputs.value()...);
    using D = typename decltype(y)::device;
    if (!NoGrad::recording() || !(inputs.wants_grad() || ...)) return Var<D>(std::move(y));
    auto node = std::make_shared<OpNode<D, Op, Gradient<Inputs>...>>(std::move(op));
    node->connect({inputs.node()...});
    return Var<D>(std::move(y), std::move(node));
}

/// The same for an op of any number of inputs, whose forward takes a vector of tensors.
template <class Op, Device Input> auto record(Op op, const std::vector<Var<Input>>& inputs) {
    std::vector<Tensor<Input>> values;
    Edges edges;
    for (const Var<Input>& input : inputs) {
        values.push_back(input.value());
        edges.push_back(input.node());
    }
    auto y = op.forward(values);
    using D = typename decltype(y)::device;
    if (!NoGrad::recording() || std::ranges::none_of(inputs, &Var<Input>::wants_grad)) return Var<D>(std::move(y));
    auto node = std::make_shared<OpNode<D, Op, std::vector<Gradient<Input>>>>(std::move(op));
    node->connect(std::move(edges));
    return Var<D>(std::move(y), std::move(node));
}

}  // namespace dinomaly::inline DINOMALY_ABI
