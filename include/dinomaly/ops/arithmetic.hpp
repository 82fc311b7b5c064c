// SPDX-License-Identifier: Apache-2.0
// a + b, a - b, a * b, a / b, -a, min, max, where and comparisons, with broadcasting.
//
// Each struct is one op: its value and its slope for each operand (dy/da, dy/db). passes(i) says that the
// slope for operand i is one, so that a gradient may be handed on as it is. Ties of min and max send the gradient to b.
#pragma once

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

struct Add : AnySlope {
    static constexpr const char* name = "add";
    static constexpr bool slope_is_constant = true;
    static constexpr bool passes(std::size_t) { return true; }
    template <class T> DINOMALY_HD T value(T a, T b) const { return a + b; }
    template <class T> DINOMALY_HD T slope_a(T, T, T) const { return T(1); }
    template <class T> DINOMALY_HD T slope_b(T, T, T) const { return T(1); }
};

struct Subtract : AnySlope {
    static constexpr const char* name = "subtract";
    static constexpr bool slope_is_constant = true;
    static constexpr bool passes(std::size_t operand) { return operand == 0; }
    template <class T> DINOMALY_HD T value(T a, T b) const { return a - b; }
    template <class T> DINOMALY_HD T slope_a(T, T, T) const { return T(1); }
    template <class T> DINOMALY_HD T slope_b(T, T, T) const { return T(-1); }
};

struct Multiply : AnySlope {
    static constexpr const char* name = "multiply";
    static constexpr bool is_product = true;
    template <class T> DINOMALY_HD T value(T a, T b) const { return a * b; }
    template <class T> DINOMALY_HD T slope_a(T, T b, T) const { return b; }
    template <class T> DINOMALY_HD T slope_b(T a, T, T) const { return a; }
};

struct Divide : AnySlope {
    static constexpr const char* name = "divide";
    template <class T> DINOMALY_HD T value(T a, T b) const { return a / b; }
    template <class T> DINOMALY_HD T slope_a(T, T b, T) const { return T(1) / b; }
    template <class T> DINOMALY_HD T slope_b(T, T b, T y) const { return -y / b; }
};

struct Negate : AnySlope {
    static constexpr const char* name = "negate";
    static constexpr bool slope_is_constant = true;
    template <class T> DINOMALY_HD T value(T x) const { return -x; }
    template <class T> DINOMALY_HD T slope(T, T) const { return T(-1); }
};

struct Minimum : AnySlope {
    static constexpr const char* name = "minimum";
    template <class T> DINOMALY_HD T value(T a, T b) const { return math::min(a, b); }
    template <class T> DINOMALY_HD T slope_a(T a, T b, T) const { return math::select(a < b, T(1), T(0)); }
    template <class T> DINOMALY_HD T slope_b(T a, T b, T) const { return math::select(a < b, T(0), T(1)); }
};

struct Maximum : AnySlope {
    static constexpr const char* name = "maximum";
    template <class T> DINOMALY_HD T value(T a, T b) const { return math::max(a, b); }
    template <class T> DINOMALY_HD T slope_a(T a, T b, T) const { return math::select(a > b, T(1), T(0)); }
    template <class T> DINOMALY_HD T slope_b(T a, T b, T) const { return math::select(a > b, T(0), T(1)); }
};

/// 1 where the comparison holds, else 0; without a gradient.
struct Comparison : AnySlope {
    static constexpr bool slope_is_constant = true;
    static constexpr bool closes(std::size_t) { return true; }
    template <class T> DINOMALY_HD T slope_a(T, T, T) const { return T(0); }
    template <class T> DINOMALY_HD T slope_b(T, T, T) const { return T(0); }
};

struct Less : Comparison {
    static constexpr const char* name = "less";
    template <class T> DINOMALY_HD T value(T a, T b) const { return math::select(a < b, T(1), T(0)); }
};

struct Equal : Comparison {
    static constexpr const char* name = "equal";
    template <class T> DINOMALY_HD T value(T a, T b) const { return math::select(a == b, T(1), T(0)); }
};

/// The tree's mark for kernel::Choice, which holds the formula of `where`.
struct Where : AnySlope {
    static constexpr const char* name = "where";
    static constexpr bool closes(std::size_t operand) { return operand == 0; }
};

}  // namespace op

template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto operator+(A&& a, B&& b) {
    return make_map(op::Add{}, std::forward<A>(a), std::forward<B>(b));
}
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto operator-(A&& a, B&& b) {
    return make_map(op::Subtract{}, std::forward<A>(a), std::forward<B>(b));
}
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto operator*(A&& a, B&& b) {
    return make_map(op::Multiply{}, std::forward<A>(a), std::forward<B>(b));
}
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto operator/(A&& a, B&& b) {
    return make_map(op::Divide{}, std::forward<A>(a), std::forward<B>(b));
}
template <Operand A> auto operator-(A&& a) {
    return make_map(op::Negate{}, std::forward<A>(a));
}

/// The smaller of two, element by element; minimum(bound, x) keeps a NaN in x.
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto minimum(A&& a, B&& b) {
    return make_map(op::Minimum{}, std::forward<A>(a), std::forward<B>(b));
}
/// The larger of two, element by element; maximum(bound, x) keeps a NaN in x.
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto maximum(A&& a, B&& b) {
    return make_map(op::Maximum{}, std::forward<A>(a), std::forward<B>(b));
}
/// 1 where a < b, else 0.
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto less(A&& a, B&& b) {
    return make_map(op::Less{}, std::forward<A>(a), std::forward<B>(b));
}
/// 1 where a == b, else 0.
template <Term A, Term B>
requires(Operand<A> || Operand<B>) auto equal(A&& a, B&& b) {
    return make_map(op::Equal{}, std::forward<A>(a), std::forward<B>(b));
}

/// a where the condition is not zero, else b. No gradient reaches the condition.
template <Term C, Term A, Term B>
requires(Operand<C> || Operand<A> || Operand<B>) auto where(C&& condition, A&& a, B&& b) {
    return make_map(op::Where{}, std::forward<C>(condition), std::forward<A>(a), std::forward<B>(b));
}

}  // namespace dinomaly::inline DINOMALY_ABI
