// SPDX-License-Identifier: Apache-2.0
// Elementwise formulas before they run: `auto` keeps them as a tree, a Var makes them happen in one pass.
//
//   auto z = tanh(x * s + t);          nothing is computed; the tree holds handles to x, s and t
//   Var<D> y = z / (1 + x * x);        one pass over memory, one node in the graph (autodiff/materialize.hpp)
//
// Arithmetic is done in the device's compute_type whatever its leaves are stored in. In a formula of bfloat16 values,
// parameters and statistics are leaves in full precision: x * gamma + beta reads x in bfloat16, gamma and beta in
// float.
//
// A matrix product is a leaf too (ops/linear.hpp): its value arrives in an accumulator and the rest of the formula runs
// over it. Such a tree can be moved but not copied, because the product would be computed twice: it is used where it is
// written, and naming it with `auto` does not compile.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dinomaly/autodiff/var.hpp"
#include "dinomaly/core/expr.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <class E, class Out = typename E::expression_device> Var<Out> materialize(E expression);

/// A node of a formula's tree. Besides its shape it gives
///   sites(out, path)   its leaves, in the order in which lower() consumes them
///   edges(out)         the graph's nodes that its leaves came from
///   lower(leaf)        its kernel form (core/expr.hpp)
///   describe()         itself in words
template <class E>
concept Expression = requires {
    typename std::remove_cvref_t<E>::expression_device;
};

/// How a leaf hangs on the root of its formula: by additions alone, smoothly, or so that no gradient reaches it.
enum class Path : std::uint8_t { unit, smooth, closed };

/// One leaf that holds a tensor of device D or of its full device, or a product's value.
template <Device D> struct Site {
    const void* value = nullptr;
    GradNode<D>* node = nullptr;             // of a leaf of D
    GradNode<Full<D>>* full_node = nullptr;  // of a leaf of D's full device, where that is another
    Shape shape;
    bool is_product = false;
    bool unit = false;  // the formula only adds this leaf, so its gradient is the arriving one

    bool wants_grad() const { return node != nullptr || full_node != nullptr; }
};

/// Where a leaf's values and gradient lie, as its kernel form needs to know it.
struct Place {
    const void* value = nullptr;
    void* grad = nullptr;
    void* sums = nullptr;
    Strides strides{};
    bool moves = true;
    kernel::Arrival arrival = kernel::Arrival::dropped;
    std::int64_t task_stride = 0;
};

template <Device D> using Sites = std::vector<Site<D>>;

/// A variable in a formula of device D, stored on D or in full precision.
template <Device D, Device Stored = D> struct Leaf {
    static_assert(std::same_as<Stored, D> || std::same_as<Stored, Full<D>>);
    using expression_device = D;
    static constexpr int products = 0;
    static constexpr bool needs_product_value = false;
    static constexpr bool takes_gradient = true;

    Var<Stored> var;

    operator Var<D>() const {
        if constexpr (std::same_as<Stored, D>)
            return var;
        else
            return materialize(*this);
    }

    const Shape& shape() const { return var.shape(); }
    void sites(Sites<D>& out, Path path) const {
        Site<D> site{.value = var.value().data(), .shape = shape(), .unit = path == Path::unit};
        if constexpr (std::same_as<Stored, D>)
            site.node = path == Path::closed ? nullptr : var.node().get();
        else
            site.full_node = path == Path::closed ? nullptr : var.node().get();
        out.push_back(site);
    }
    void edges(Edges& out) const { out.push_back(var.node()); }
    auto lower(const Place*& place) const {
        using S = typename Stored::value_type;
        kernel::TensorLeaf<S, typename D::compute_type> leaf;
        leaf.value = static_cast<const S*>(place->value);
        leaf.grad = static_cast<S*>(place->grad);
        leaf.sums = static_cast<typename D::compute_type*>(place->sums);
        leaf.strides = place->strides;
        leaf.moves = place->moves;
        leaf.arrival = place->arrival;
        leaf.task_stride = place->task_stride;
        ++place;
        return leaf;
    }
    static std::string describe() { return "x"; }
};

/// A number in a formula.
template <Device D> struct Constant {
    using expression_device = D;
    static constexpr int products = 0;
    static constexpr bool needs_product_value = false;
    static constexpr bool takes_gradient = false;

    double value;

    Shape shape() const { return {}; }
    void sites(Sites<D>&, Path) const {}
    void edges(Edges&) const {}
    auto lower(const Place*&) const {
        using T = typename D::compute_type;
        return kernel::ConstantLeaf<T>{static_cast<T>(value)};
    }
    static std::string describe() { return "c"; }
};

/// Dropout's random factor in a formula: 0 or 1/(1-p), a function of seed, stream and element index. *step, in the
/// device's memory, is added to the stream where step is not null.
template <Device D> struct DropoutFactor {
    using expression_device = D;
    static constexpr int products = 0;
    static constexpr bool needs_product_value = false;
    static constexpr bool takes_gradient = false;

    Philox random;
    double probability;
    const std::uint64_t* step = nullptr;

    Shape shape() const { return {}; }
    void sites(Sites<D>&, Path) const {}
    void edges(Edges&) const {}
    auto lower(const Place*&) const {
        using T = typename D::compute_type;
        return kernel::DropoutLeaf<T>{random, static_cast<T>(probability), static_cast<T>(1 / (1 - probability)), step};
    }
    static std::string describe() { return "dropout"; }
};

/// x w^T in a formula: x [..., K] is itself a formula, w [N, K] a parameter.
template <Device D, Expression X> struct Product {
    using expression_device = D;
    static constexpr int products = 1;
    static constexpr bool takes_gradient = true;
    static constexpr bool needs_product_value = false;
    static_assert(X::products == 0, "a product of a product: give the inner one a Var of its own");

    X x;
    Var<Full<D>> w;

    Product(X x_, Var<Full<D>> w_) : x(std::move(x_)), w(std::move(w_)) {
        check(w.rank() == 2 && x.shape().rank() >= 1 && x.shape()[-1] == w.size(1), "linear", "x ", x.shape(),
              " and w ", w.shape(), ": x [..., K] and w [N, K] expected");
    }
    Product(Product&&) = default;
    Product& operator=(Product&&) = default;

    operator Var<D>() && { return materialize(std::move(*this)); }

    Shape shape() const {
        Shape out = x.shape();
        out[-1] = w.size(0);
        return out;
    }
    void sites(Sites<D>& out, Path path) const {
        out.push_back({.shape = shape(), .is_product = true, .unit = path == Path::unit});
    }
    void edges(Edges& out) const {
        x.edges(out);
        out.push_back(w.node());
    }
    auto lower(const Place*& place) const {
        using S = typename D::value_type;
        kernel::ProductLeaf<S, typename D::compute_type> leaf;
        leaf.saved = static_cast<const S*>(place->value);
        leaf.grad = static_cast<S*>(place->grad);
        ++place;
        return leaf;
    }
    static std::string describe() { return "matmul(" + X::describe() + ", w)"; }
    const Product& product() const { return *this; }
};

/// op applied to one, two or three formulas, broadcast against each other.
template <Device D, class Op, Expression... Args> struct Map {
    using expression_device = D;
    static constexpr int products = (Args::products + ...);
    static constexpr bool takes_gradient = (Args::takes_gradient || ...);
    /// Whether the backward pass needs the product's value: it does when the slope of an op above the product does.
    static constexpr bool needs_product_value =
        products == 1 &&
        ((Args::needs_product_value || ...) ||
         !(Op::slope_is_constant || (Op::is_product && ((Args::products == 1 || !Args::takes_gradient) && ...))));
    static_assert((std::same_as<D, typename Args::expression_device> && ...), "operands on different devices");
    static_assert(products <= 1, "one matrix product a formula: give the first one a Var of its own");
    static_assert(
        []<std::size_t... i>(std::index_sequence<i...>) {
            return ((Args::products == 0 || !Op::closes(i)) && ...);
        }(std::index_sequence_for<Args...>()),
        "a product in a comparison or condition: give it a Var of its own");

    Op op;
    std::tuple<Args...> args;

    Map(Op op_, Args... args_) : op(op_), args(std::move(args_)...) {
        std::apply([&](const auto&... arg) { ((shape_ = broadcast(Op::name, shape_, arg.shape())), ...); }, args);
    }

    operator Var<D>() const& requires(products == 0) { return materialize(*this); }
    operator Var<D>() && { return materialize(std::move(*this)); }

    const Shape& shape() const { return shape_; }

    void sites(Sites<D>& out, Path path) const {
        [&]<std::size_t... i>(std::index_sequence<i...>) {
            (std::get<i>(args).sites(out, below<i>(path)), ...);
        }
        (std::index_sequence_for<Args...>());
    }

    void edges(Edges& out) const {
        [&]<std::size_t... i>(std::index_sequence<i...>) {
            ((below<i>(Path::smooth) == Path::closed ? void() : std::get<i>(args).edges(out)), ...);
        }
        (std::index_sequence_for<Args...>());
    }

    auto lower(const Place*& place) const {
        using T = typename D::compute_type;
        auto a = std::get<0>(args).lower(place);
        if constexpr (sizeof...(Args) == 1) {
            return kernel::Unary<T, Op, decltype(a)>{op, a};
        } else {
            auto b = std::get<1>(args).lower(place);
            if constexpr (sizeof...(Args) == 2) {
                return kernel::Binary<T, Op, decltype(a), decltype(b)>{op, a, b};
            } else {
                auto c = std::get<2>(args).lower(place);
                return kernel::Choice<T, decltype(a), decltype(b), decltype(c)>{a, b, c};
            }
        }
    }

    static std::string describe() {
        std::string text;
        ((text += (text.empty() ? "" : ", ") + Args::describe()), ...);
        return std::string(Op::name) + '(' + text + ')';
    }

    /// The product among the operands; only where there is one.
    const auto& product() const {
        static_assert(products == 1);
        constexpr std::array<bool, sizeof...(Args)> has{(Args::products == 1)...};
        constexpr std::size_t where = static_cast<std::size_t>(std::ranges::find(has, true) - has.begin());
        return std::get<where>(args).product();
    }

private:
    /// The path of operand i, given that of this node.
    template <std::size_t i> static constexpr Path below(Path path) {
        if (path == Path::closed || Op::closes(i)) return Path::closed;
        return path == Path::unit && Op::passes(i) ? Path::unit : Path::smooth;
    }

    Shape shape_;
};

namespace detail {

template <class T> struct OperandDevice {};
template <Expression E> struct OperandDevice<E> { using type = typename E::expression_device; };
template <Device D> struct OperandDevice<Var<D>> { using type = D; };
template <Device D> struct OperandDevice<Tensor<D>> { using type = D; };

}  // namespace detail

/// The device of a variable, tensor or formula.
template <class X> using device_of = typename detail::OperandDevice<std::remove_cvref_t<X>>::type;

/// Anything a formula can be built from, apart from numbers.
template <class X>
concept Operand = requires {
    typename device_of<X>;
};

/// A number or an Operand.
template <class X>
concept Term = Operand<X> || std::is_arithmetic_v<std::remove_cvref_t<X>>;

/// Wraps an operand as a node of a formula on device D.
template <Device D, Term X> auto as_expression(X&& x) {
    using Plain = std::remove_cvref_t<X>;
    if constexpr (Expression<Plain>)
        return Plain(std::forward<X>(x));
    else if constexpr (std::is_arithmetic_v<Plain>)
        return Constant<D>{static_cast<double>(x)};
    else
        return Leaf<D, device_of<Plain>>{Var<device_of<Plain>>(std::forward<X>(x))};
}

/// A variable in full precision as part of a formula of device D: in<D>(image) enters a network of bfloat16.
template <Device D> auto in(const Var<Full<D>>& x) {
    return as_expression<D>(x);
}

/// The value of a formula stored in full precision: sums and losses take it from here.
template <Operand X> Var<Full<device_of<X>>> full(X&& x) {
    using D = device_of<X>;
    if constexpr (std::same_as<D, Full<D>>)
        return Var<D>(std::forward<X>(x));
    else
        return materialize<decltype(as_expression<D>(std::forward<X>(x))), Full<D>>(
            as_expression<D>(std::forward<X>(x)));
}

/// Runs a formula, or passes a variable on.
template <Operand X> Var<device_of<X>> as_var(X&& x) {
    return Var<device_of<X>>(std::forward<X>(x));
}

namespace detail {

/// The device of a formula of two operands: either may be stored in the other's full precision.
template <class A, class B> struct Meeting {
    static_assert(std::same_as<A, B> || std::same_as<A, Full<B>> || std::same_as<B, Full<A>>,
                  "operands on different devices");
    using type = std::conditional_t<std::same_as<B, Full<A>>, A, B>;
};

template <class... Terms> struct CommonDevice { using type = void; };
template <class First, class... Rest> struct CommonDevice<First, Rest...> {
    using rest = typename CommonDevice<Rest...>::type;
    static auto choose() {
        if constexpr (!Operand<First>)
            return std::type_identity<rest>{};
        else if constexpr (std::is_void_v<rest>)
            return std::type_identity<device_of<First>>{};
        else
            return std::type_identity<typename Meeting<device_of<First>, rest>::type>{};
    }
    using type = typename decltype(choose())::type;
};

}  // namespace detail

/// The formula op(terms...); at least one term is an Operand.
template <class Op, Term... Terms>
requires(Operand<Terms> || ...) auto make_map(Op op, Terms&&... terms) {
    using D = typename detail::CommonDevice<std::remove_cvref_t<Terms>...>::type;
    return Map<D, Op, decltype(as_expression<D>(std::forward<Terms>(terms)))...>(
        op, as_expression<D>(std::forward<Terms>(terms))...);
}

/// Base of elementwise ops: nothing is known about the slopes.
struct AnySlope {
    static constexpr bool passes(std::size_t) { return false; }  // dy reaches operand i unchanged
    static constexpr bool closes(std::size_t) { return false; }  // no gradient reaches operand i
    static constexpr bool slope_is_constant = false;             // slopes do not depend on the operands
    static constexpr bool is_product = false;                    // each slope is the other operand
    static constexpr bool is_long = false;                       // a value takes dozens of instructions
};

}  // namespace dinomaly::inline DINOMALY_ABI
