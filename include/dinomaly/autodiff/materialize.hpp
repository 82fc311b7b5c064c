// SPDX-License-Identifier: Apache-2.0
// materialize: runs a formula (autodiff/expr.hpp) in one pass and records it as one node.
//
// Forward reads every leaf once and writes the result. Nothing else is stored, except a matrix product's value where a
// slope needs it: gelu(linear) keeps it, x + linear does not. Backward recomputes the formula in registers, pushes the
// gradient down, and writes the gradients of all leaves in one pass, that of a product included. Where the formula only
// adds a leaf, its gradient is the arriving one, which is handed over without a copy.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/autodiff/expr.hpp"
#include "dinomaly/autodiff/record.hpp"
#include "dinomaly/backend/verbs.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace detail {

template <Expression E> bool wants_grad(const E& expression) {
    Edges edges;
    expression.edges(edges);
    return std::ranges::any_of(edges, [](const auto& node) { return node != nullptr; });
}

template <Device D> Tensor<D> as_constant(const Leaf<D>& x);
template <Expression X> auto as_constant(const X& x);

/// A formula laid out over a grid, ready to run forward or backward. Out stores its value and the arriving gradient.
template <Device D, Expression E, Device Out = D> class Plan {
public:
    /// With keep_rows the grid's rows are those of the last axis, as matrix products need them.
    Plan(const E& expression, bool keep_rows) : expression_(expression) {
        expression.sites(sites_, Path::unit);
        std::vector<Strides> strides;
        for (const Site<D>& site : sites_) strides.push_back(broadcast_strides(site.shape, expression.shape()));
        grid_ = make_grid(expression.shape(), strides, keep_rows);
        for (std::size_t i = 0; i < sites_.size(); ++i)
            places_.push_back({.value = sites_[i].value,
                               .strides = strides[i],
                               .moves = strides[i][static_cast<std::size_t>(grid_.outer)] != 0});
    }

    const Grid& grid() const { return grid_; }

    auto formula() const {
        const Place* place = places_.data();
        return expression_.lower(place);
    }

    void set_product_value(const void* value) {
        for (std::size_t i = 0; i < sites_.size(); ++i)
            if (sites_[i].is_product) places_[i].value = value;
    }

    /// Gives each leaf that wants a gradient a place to write it to, with room for `parts` sums where it is repeated.
    /// The gradient of the product's value goes to *dz when dz is given. Returns whether a pass over the formula is
    /// needed. With hands_on a leaf that is only added gets the arriving tensor instead, from end_push, unless it has a
    /// gradient of its own to add to already: the pass that reads dy does that, too.
    bool begin_push(std::int64_t parts, bool hands_on = true, Tensor<D>* dz = nullptr) {
        hands_on_ = hands_on && std::same_as<Out, D>;
        bool runs = false;
        for (std::size_t i = 0; i < sites_.size(); ++i) {
            const Site<D>& site = sites_[i];
            Place& place = places_[i];
            if (site.is_product ? dz == nullptr : !site.wants_grad()) continue;
            if (takes_arriving(site) && (site.is_product || !site.node->grad.unique())) {
                if (!site.is_product) handed_on_.push_back(&site);
                continue;
            }
            runs = true;
            if (site.is_product) {
                *dz = Tensor<D>(site.shape);
                place.grad = dz->data();
            } else if (is_repeated(site)) {
                Tensor<Full<D>> sum = zeros<Full<D>>({parts, site.shape.count()});
                place.sums = sum.data();
                place.arrival = kernel::Arrival::added;
                place.task_stride = site.shape.count();
                sums_.push_back({&site, std::move(sum)});
            } else if (site.node != nullptr) {
                aim(place, site.node->target(site.shape));
            } else {
                aim(place, site.full_node->target(site.shape));
            }
        }
        return runs;
    }

    /// After the pass: adds up the sums and hands dy on. The pass may have assigned to the same gradients.
    void end_push(const Tensor<Out>& dy) {
        for (const Sum& sum : sums_) {
            Tensor<Full<D>> total(sum.site->shape);
            backend::reduce(Full<D>{}, backend::Sum{}, 1, sum.parts.size(0), total.count(), sum.parts.data(),
                            total.data());
            if (sum.site->node != nullptr)
                sum.site->node->accumulate(as_constant(in<D>(Var<Full<D>>(total))));
            else
                sum.site->full_node->accumulate(std::move(total));
        }
        if constexpr (std::same_as<Out, D>)
            for (const Site<D>* site : handed_on_) site->node->accumulate(dy.reshape(site->shape));
    }

    /// Pushes dy to every leaf that wants a gradient.
    void push(const Tensor<Out>& dy) {
        if (begin_push(backend::gradient_parts(Out{}, grid_)))
            backend::map_backward(Out{}, grid_, formula(), dy.data());
        end_push(dy);
    }

private:
    struct Sum {
        const Site<D>* site;
        Tensor<Full<D>> parts;  // one sum a task
    };

    bool is_repeated(const Site<D>& site) const { return site.shape.count() != grid_.count(); }

    /// Whether the arriving gradient, as it is, is this leaf's.
    bool takes_arriving(const Site<D>& site) const {
        return hands_on_ && site.unit && !is_repeated(site) && site.full_node == nullptr;
    }

    template <Device Stored> static void aim(Place& place, const GradTarget<Stored>& target) {
        place.grad = target.data;
        place.arrival = target.adds ? kernel::Arrival::added : kernel::Arrival::assigned;
    }

    const E& expression_;
    Sites<D> sites_;
    std::vector<Place> places_;
    std::vector<Sum> sums_;
    std::vector<const Site<D>*> handed_on_;
    Grid grid_;
    bool hands_on_ = false;
};

/// The value of a formula without a record.
template <Device D> Tensor<D> as_constant(const Leaf<D>& x) {
    return x.var.value();
}
template <Expression X> auto as_constant(const X& x) {
    using D = typename X::expression_device;
    Tensor<D> y(x.shape());
    const Plan<D, X> plan(x, false);
    backend::map(D{}, plan.grid(), plan.formula(), y.data());
    return y;
}

/// The rows of a product's left operand: in place for a variable, computed panel by panel for a formula.
template <Device D, Device Stored> auto left_rows(const Leaf<D, Stored>& x) {
    return backend::StoredRows<typename Stored::value_type>{x.var.value().data()};
}
template <Expression X> auto left_rows(const X& x) {
    const Plan<typename X::expression_device, X> plan(x, true);
    return backend::ComputedRows<decltype(plan.formula())>{plan.grid(), plan.formula()};
}

/// Pushes dy through a formula with a product z = x w^T in one go: through what follows z, through the product
/// (dx = dz w, dw = dz^T x, multiplied in D's type, dw in full precision) and through the formula that x is.
template <Device D, Expression E> void push_product(const E& expression, const Tensor<D>& z, const Tensor<D>& dy) {
    const auto& product = expression.product();
    using X = std::remove_cvref_t<decltype(product.x)>;
    const std::int64_t n = product.w.size(0), k = product.w.size(1), m = dy.count() / std::max<std::int64_t>(n, 1);
    const std::int64_t parts = backend::product_parts(D{}, m);
    const bool wants_dx = wants_grad(product.x), wants_dw = product.w.wants_grad();

    Plan<D, E> after(expression, true);
    after.set_product_value(z.defined() ? z.data() : dy.data());  // without z it is not read
    Tensor<D> dz;
    const bool runs_after = after.begin_push(parts, true, wants_dx || wants_dw ? &dz : nullptr);
    Plan<D, X> before(product.x, true);
    const bool runs_before = wants_dx && before.begin_push(parts, false);
    GradTarget<Full<D>> dw{};
    if (wants_dw) dw = product.w.node()->target(product.w.shape());

    using S = typename D::value_type;
    const backend::PushAfter<S, decltype(after.formula())> push_after{after.grid(), after.formula(), runs_after,
                                                                      dy.data(), dz.defined() ? dz.data() : dy.data()};
    const backend::PushBefore<decltype(before.formula())> push_before{before.grid(), before.formula(), runs_before};
    backend::product_backward(D{}, m, n, k, push_after, product.w.value().data(), push_before, left_rows(product.x),
                              dw.data, dw.adds);
    after.end_push(dy);
    before.end_push({});
}

/// A formula in the graph.
template <Device D, Expression E, Device Out> class ExpressionNode final : public GradNode<Out> {
public:
    ExpressionNode(E expression, Tensor<D> product_value)
        : expression_(std::move(expression)), product_value_(std::move(product_value)) {
        Edges edges;
        expression_->edges(edges);
        this->connect(std::move(edges));
        static const std::string description = E::describe();
        this->name = description.c_str();
    }

    void backward() override {
        check(expression_.has_value(), "backward", "this graph was already swept: compute the loss again");
        const std::optional<E> expression = std::exchange(expression_, std::nullopt);
        const Tensor<D> z = std::exchange(product_value_, {});
        const Edges edges = std::exchange(this->inputs, {});  // kept alive while the gradients are written
        Tensor<Out> dy = std::exchange(this->grad, {});
        if (!dy.defined()) return;
        if constexpr (E::products == 1)
            push_product(*expression, z, dy);
        else
            Plan<D, E, Out>(*expression, false).push(dy);
    }

private:
    std::optional<E> expression_;
    Tensor<D> product_value_;
};

}  // namespace detail

/// The value of a formula, computed in one pass and stored on Out, and its node when one of its leaves wants a
/// gradient.
template <class E, class Out> Var<Out> materialize(E expression) {
    using D = typename E::expression_device;
    const bool records = NoGrad::recording() && detail::wants_grad(expression);
    Tensor<Out> y(expression.shape());
    Tensor<D> z;
    {
        const detail::Plan<D, E, Out> plan(expression, E::products == 1);
        if constexpr (E::products == 1) {
            static_assert(std::same_as<D, Out>, "a product's value in full precision: give the product a Var first");
            const auto& product = expression.product();
            check(product.shape() == expression.shape(), "linear", "a product of shape ", product.shape(),
                  " in a formula of shape ", expression.shape(), ": a product is not repeated; give it a Var first");
            const std::int64_t n = product.w.size(0), k = product.w.size(1);
            if (records && E::needs_product_value) z = Tensor<D>(y.shape());
            const backend::MapAfter<typename D::value_type, decltype(plan.formula())> after{plan.grid(), plan.formula(),
                                                                                            y.data()};
            backend::product(D{}, y.count() / std::max<std::int64_t>(n, 1), n, k, detail::left_rows(product.x),
                             product.w.value().data(), z.defined() ? z.data() : nullptr, after);
        } else {
            backend::map(Out{}, plan.grid(), plan.formula(), y.data());
        }
    }
    if (!records) return y;
    auto node = std::make_shared<detail::ExpressionNode<D, E, Out>>(std::move(expression), std::move(z));
    return Var<Out>(std::move(y), std::move(node));
}

/// Writes a formula's value into an existing tensor of its shape, which may be one of its operands. Nothing is
/// recorded.
template <Expression E> void assign(Tensor<typename E::expression_device>& target, const E& expression) {
    using D = typename E::expression_device;
    static_assert(E::products == 0, "a product cannot be assigned in place");
    check(target.shape() == expression.shape(), "assign", "a value of shape ", expression.shape(),
          " to a tensor of shape ", target.shape());
    const detail::Plan<D, E> plan(expression, false);
    backend::map(D{}, plan.grid(), plan.formula(), target.data());
}

}  // namespace dinomaly::inline DINOMALY_ABI
