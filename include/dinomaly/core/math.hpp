// SPDX-License-Identifier: Apache-2.0
// Functions for elementwise formulas: over float, double, Packet<float>, Packet<double>, on the host and on the device.
//
// A formula is a template over T that calls these, writes its constants as T(0.5) and branches with math::select:
//     template <class T> DINOMALY_HD T value(T x) const { return x * math::normal_cdf(x); }
// Functions of several dozen instructions are always inlined: around a call a vector unit would lose all its registers.
// NaN goes in and comes out everywhere. On the host float functions are within 2 ulp (exp, log), 4 ulp (sigmoid) or 6
// ulp (tanh, erf) and a scalar gives the bits that a lane of a packet gives; double goes through the standard library.
#pragma once

#include <cmath>
#include <concepts>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/math_float.hpp"
#include "dinomaly/core/math_standard.hpp"
#include "dinomaly/core/packet.hpp"

namespace dinomaly::inline DINOMALY_ABI::math {

template <class T> inline constexpr bool is_packet = false;
template <class T> inline constexpr bool is_packet<Packet<T>> = true;

/// What a formula may be evaluated in.
template <class T>
concept Operand = std::floating_point<T> || is_packet<T>;

template <class T> struct ValueType { using type = T; };
template <class T> struct ValueType<Packet<T>> { using type = T; };
/// float or double: the type of one element of T.
template <Operand T> using value_type = typename ValueType<T>::type;

/// What the implementations take: the vector inside a packet, a scalar as it is.
template <Operand T> DINOMALY_HD auto unwrap(T x) {
    if constexpr (is_packet<T>)
        return x.lanes;
    else
        return x;
}
template <Operand T, class V> DINOMALY_HD T wrap(V x) {
    if constexpr (is_packet<T>)
        return T::from_lanes(x);
    else
        return x;
}

/// a where the mask holds, else b. Both are evaluated.
template <class T> DINOMALY_HD Packet<T> select(typename Packet<T>::Mask mask, Packet<T> a, Packet<T> b) {
    return Packet<T>::from_lanes(native::choose(mask.lanes, a.lanes, b.lanes));
}
template <std::floating_point T> DINOMALY_HD T select(bool mask, T a, T b) {
    return mask ? a : b;
}

/// a < b ? a : b. A NaN in b survives, a NaN in a is dropped: min(bound, x) keeps the NaN of x.
template <Operand T> DINOMALY_HD T min(T a, T b) {
    return wrap<T>(native::min(unwrap(a), unwrap(b)));
}
/// a > b ? a : b. A NaN in b survives, a NaN in a is dropped: max(bound, x) keeps the NaN of x.
template <Operand T> DINOMALY_HD T max(T a, T b) {
    return wrap<T>(native::max(unwrap(a), unwrap(b)));
}

/// True where x is NaN; a Mask for a packet, a bool for a scalar.
template <Operand T> DINOMALY_HD auto is_nan(T x) {
    return x != x;
}

template <Operand T> DINOMALY_HD T abs(T x) {
    return wrap<T>(native::abs(unwrap(x)));
}

/// -1, 0 or 1; NaN for NaN.
template <Operand T> DINOMALY_HD T sign(T x) {
    return select(x > T(0), T(1), select(x < T(0), T(-1), x));
}

template <Operand T> DINOMALY_HD T sqrt(T x) {
    return wrap<T>(native::sqrt(unwrap(x)));
}

template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T exp(T x) {
    return wrap<T>(lanes::exp(unwrap(x)));
}

/// Natural logarithm: -infinity at zero, NaN below.
template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T log(T x) {
    return wrap<T>(lanes::log(unwrap(x)));
}

/// x to the power y, lane by lane through the standard library on the host.
template <Operand T> DINOMALY_HD T pow(T x, T y) {
    return wrap<T>(lanes::pow(unwrap(x), unwrap(y)));
}

/// Lane by lane through the standard library on the host, as cos.
template <Operand T> DINOMALY_HD T sin(T x) {
    return wrap<T>(lanes::sin(unwrap(x)));
}
template <Operand T> DINOMALY_HD T cos(T x) {
    return wrap<T>(lanes::cos(unwrap(x)));
}

template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T tanh(T x) {
    return wrap<T>(lanes::tanh(unwrap(x)));
}

template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T erf(T x) {
    return wrap<T>(lanes::erf(unwrap(x)));
}

/// 1 / (1 + e^-x), with relative accuracy at both ends.
template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T sigmoid(T x) {
    const T decay = exp(-abs(x));
    return select(x < T(0), decay, T(1)) / (T(1) + decay);
}

/// Phi(x), the mass of the normal distribution below x; relative accuracy in the lower tail.
template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T normal_cdf(T x) {
    return wrap<T>(lanes::normal_cdf(unwrap(x)));
}

/// e^(-x^2/2) / sqrt(2 pi), the slope of normal_cdf.
template <Operand T> [[gnu::always_inline]] DINOMALY_HD inline T normal_pdf(T x) {
    return T(0.39894228040143267794) * exp(x * x * T(-0.5));
}

}  // namespace dinomaly::inline DINOMALY_ABI::math
