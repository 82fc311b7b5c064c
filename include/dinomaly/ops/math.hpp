// SPDX-License-Identifier: Apache-2.0
// exp, log, sqrt, abs, square, pow, tanh, sigmoid, erf: value and slope of each. y is the value, where it helps.
#pragma once

#include <numbers>

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

struct Exp : AnySlope {
    static constexpr const char* name = "exp";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return math::exp(x); }
    template <class T> DINOMALY_HD T slope(T, T y) const { return y; }
};

struct Log : AnySlope {
    static constexpr const char* name = "log";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return math::log(x); }
    template <class T> DINOMALY_HD T slope(T x, T) const { return T(1) / x; }
};

struct Sqrt : AnySlope {
    static constexpr const char* name = "sqrt";
    template <class T> DINOMALY_HD T value(T x) const { return math::sqrt(x); }
    template <class T> DINOMALY_HD T slope(T, T y) const { return T(0.5) / y; }
};

struct Abs : AnySlope {
    static constexpr const char* name = "abs";
    template <class T> DINOMALY_HD T value(T x) const { return math::abs(x); }
    template <class T> DINOMALY_HD T slope(T x, T) const { return math::sign(x); }
};

struct Square : AnySlope {
    static constexpr const char* name = "square";
    template <class T> DINOMALY_HD T value(T x) const { return x * x; }
    template <class T> DINOMALY_HD T slope(T x, T) const { return T(2) * x; }
};

/// x to a fixed power.
struct Pow : AnySlope {
    static constexpr const char* name = "pow";
    double exponent;
    template <class T> DINOMALY_HD T value(T x) const { return math::pow(x, T(exponent)); }
    template <class T> DINOMALY_HD T slope(T x, T) const { return T(exponent) * math::pow(x, T(exponent - 1)); }
};

struct Tanh : AnySlope {
    static constexpr const char* name = "tanh";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return math::tanh(x); }
    template <class T> DINOMALY_HD T slope(T, T y) const { return T(1) - y * y; }
};

struct Sigmoid : AnySlope {
    static constexpr const char* name = "sigmoid";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return math::sigmoid(x); }
    template <class T> DINOMALY_HD T slope(T, T y) const { return y * (T(1) - y); }
};

struct Erf : AnySlope {
    static constexpr const char* name = "erf";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return math::erf(x); }
    template <class T> DINOMALY_HD T slope(T x, T) const { return T(2 * std::numbers::inv_sqrtpi) * math::exp(-x * x); }
};

}  // namespace op

template <Operand X> auto exp(X&& x) {
    return make_map(op::Exp{}, std::forward<X>(x));
}
/// Natural logarithm.
template <Operand X> auto log(X&& x) {
    return make_map(op::Log{}, std::forward<X>(x));
}
template <Operand X> auto sqrt(X&& x) {
    return make_map(op::Sqrt{}, std::forward<X>(x));
}
/// |x|, with slope 0 at 0.
template <Operand X> auto abs(X&& x) {
    return make_map(op::Abs{}, std::forward<X>(x));
}
template <Operand X> auto square(X&& x) {
    return make_map(op::Square{}, std::forward<X>(x));
}
template <Operand X> auto tanh(X&& x) {
    return make_map(op::Tanh{}, std::forward<X>(x));
}
/// 1 / (1 + e^-x).
template <Operand X> auto sigmoid(X&& x) {
    return make_map(op::Sigmoid{}, std::forward<X>(x));
}
template <Operand X> auto erf(X&& x) {
    return make_map(op::Erf{}, std::forward<X>(x));
}

/// x to a fixed power.
template <Operand X> auto pow(X&& x, double exponent) {
    return make_map(op::Pow{{}, exponent}, std::forward<X>(x));
}

}  // namespace dinomaly::inline DINOMALY_ABI
