// SPDX-License-Identifier: Apache-2.0
// Functions of core/math.hpp in single precision on the host, by polynomials that need no branch and no table.
//
// Every function is written once over V, which is a float or a vector of floats, so that a scalar and a lane of a
// packet give the same bits. The coefficients are minimax fits, rounded to float one after the other with the rest
// refitted. Largest errors measured, in ulp: exp 0.98, log 0.85, tanh 5.3, erf 4.8 (3.2e-7 and 2.9e-7 absolute);
// normal_cdf 8.2e-8 absolute and, above x = -8, 1.3e-6 relative. tanh and erf are quotients of polynomials, 2.5 times
// as fast as forms with exp that have a quarter of the error.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/math_standard.hpp"
#include "dinomaly/core/native.hpp"

#ifndef __CUDACC__  // the device has its own

namespace dinomaly::inline DINOMALY_ABI::math::lanes {

template <class V>
concept FloatLanes = std::same_as<V, float> || std::same_as<V, native::Floats>;

/// As many 32-bit integers as V has floats.
template <FloatLanes V>
using Integers = std::conditional_t<std::same_as<V, float>, std::int32_t, native::Lanes<float>::Mask>;

template <FloatLanes V> [[gnu::always_inline]] inline V constant(float c) {
    if constexpr (std::same_as<V, float>)
        return c;
    else
        return native::broadcast(c);
}

template <FloatLanes V> [[gnu::always_inline]] inline V to_float(Integers<V> i) {
    if constexpr (std::same_as<V, float>)
        return static_cast<float>(i);
    else
        return __builtin_convertvector(i, V);
}

template <FloatLanes V> [[gnu::always_inline]] inline Integers<V> to_bits(V x) {
    return std::bit_cast<Integers<V>>(x);
}
template <FloatLanes V> [[gnu::always_inline]] inline V from_bits(Integers<V> i) {
    return std::bit_cast<V>(i);
}

/// |x| with the sign of `sign`.
template <FloatLanes V> [[gnu::always_inline]] inline V copy_sign(V x, V sign) {
    return from_bits<V>((to_bits(x) & 0x7fffffff) | (to_bits(sign) & ~0x7fffffff));
}

/// c0 + c1 x + c2 x^2 + ... by Horner's rule in x^2 over pairs of terms: half as long a chain of dependent instructions
/// as in x, which is what limits a formula of several functions.
template <FloatLanes V> [[gnu::always_inline]] inline V polynomial_of_pairs(V, V, float c0) {
    return constant<V>(c0);
}
template <FloatLanes V> [[gnu::always_inline]] inline V polynomial_of_pairs(V x, V, float c0, float c1) {
    return native::fma(constant<V>(c1), x, constant<V>(c0));
}
template <FloatLanes V, std::same_as<float>... Rest>
requires(sizeof...(Rest) > 0) [[gnu::always_inline]] inline V
    polynomial_of_pairs(V x, V square, float c0, float c1, Rest... rest) {
    return native::fma(polynomial_of_pairs(x, square, rest...), square, polynomial_of_pairs(x, square, c0, c1));
}
template <FloatLanes V, std::same_as<float>... Coefficients>
[[gnu::always_inline]] inline V polynomial(V x, Coefficients... c) {
    return polynomial_of_pairs(x, x * x, c...);
}

/// p / q for q well inside the normal range: an estimate of 1/q and one step of Newton's method where the machine
/// estimates, which takes a third of a division's time and is as exact to 2^-28.
template <FloatLanes V> [[gnu::always_inline]] inline V quotient(V p, V q) {
    if constexpr (native::has_estimates) {
        const V inverse = native::estimate_reciprocal(q), first = p * inverse;
        return native::fma(native::fma(-first, q, p), inverse, first);
    } else {
        return p / q;
    }
}

/// e^x = 2^n e^r, |r| <= ln(2)/2. Subnormal results are kept; overflow gives infinity.
template <FloatLanes V> [[gnu::always_inline]] inline V exp(V x) {
    // Beyond these bounds the result is infinity or zero anyway, and n stays in the range of two exponents.
    x = native::max(constant<V>(-104.5F), native::min(constant<V>(89.0F), x));
    const V round_to_integer = constant<V>(0x1.8p23F);  // adding it leaves n in the low bits of the mantissa
    const V shifted = native::fma(x, constant<V>(1.44269504F), round_to_integer);
    const V n = shifted - round_to_integer;
    V r = native::fma(n, constant<V>(-0x1.62e4p-1F), x);  // ln 2 in two parts, the first exact when times n
    r = native::fma(n, constant<V>(-1.42860682e-6F), r);

    const V square_part = polynomial(r, 0.49999994F, 0.166665196F, 0.0416683927F, 0.00836878084F, 0.00138144672F);
    const V mantissa = native::fma(r * r, square_part, r) + 1.0F;

#if defined(__AVX512F__)
    return native::scale_by_power(mantissa, n);
#else
    const Integers<V> power = to_bits(shifted) - to_bits(round_to_integer);
    const Integers<V> half = power >> 1;  // 2^n itself may be out of range; two factors never are
    return mantissa * from_bits<V>((half + 127) << 23) * from_bits<V>((power - half + 127) << 23);
#endif
}

/// log(x) = n log 2 + log(1 + f), with 1 + f between sqrt(1/2) and sqrt(2).
template <FloatLanes V> [[gnu::always_inline]] inline V log(V x) {
    const float infinity = std::numeric_limits<float>::infinity();
    const auto is_subnormal = x < std::numeric_limits<float>::min();  // zero and negative x too: replaced at the end
    const V normal = is_subnormal ? x * 0x1p23F : x;
    const Integers<V> bits = to_bits(normal) & 0x7fffffff;
    const Integers<V> exponent = (bits - 0x3f3504f3) >> 23;  // 0x3f3504f3 is sqrt(1/2)
    const V f = from_bits<V>(bits - (exponent << 23)) - 1.0F;
    const V n = to_float<V>(exponent) - (is_subnormal ? constant<V>(23.0F) : constant<V>(0.0F));

    const V square = f * f;
    V tail = square * f *
             polynomial(f, 0.333333313F, -0.250008196F, 0.200012267F, -0.166233569F, 0.142017588F, -0.131601825F,
                        0.12761575F, -0.0763449445F);
    tail = native::fma(n, constant<V>(1.42860682e-6F), tail);
    tail = native::fma(square, constant<V>(-0.5F), tail);
    const V positive = native::fma(n, constant<V>(0x1.62e4p-1F), f + tail);

    const V finite_or_infinite = x < infinity ? positive : x;  // keeps NaN
    const V pole = x == 0.0F ? constant<V>(-infinity) : constant<V>(std::numeric_limits<float>::quiet_NaN());
    return x > 0.0F ? finite_or_infinite : pole;
}

/// x P(x^2)/Q(x^2) for |x| < 9.02, where the next float is 1.
template <FloatLanes V> [[gnu::always_inline]] inline V tanh(V x) {
    const V size = native::min(constant<V>(9.02F), native::abs(x));
    const V square = size * size;
    const V p = polynomial(square, 1.0F, 0.133797213F, 0.00349403825F, 2.05835386e-5F, 1.33191458e-8F);
    const V q = polynomial(square, 1.0F, 0.467130363F, 0.0258710869F, 0.000328309892F, 7.76205127e-7F);
    return copy_sign(native::min(constant<V>(1.0F), quotient(size * p, q)), x);
}

/// e^(-x^2/2), the shape of the normal density: written in one place so that the compiler sees it once where both
/// normal_cdf and normal_pdf of the same x are wanted.
template <FloatLanes V> [[gnu::always_inline]] inline V gaussian(V x) {
    return exp(x * x * -0.5F);
}

/// The mass of the normal distribution above |x|: e^(-x^2/2) R(|x|), with (|x| + 3) R a polynomial in
/// (|x| - 3)/(|x| + 3), fitted up to |x| = 14.5 where the first factor has vanished.
template <FloatLanes V> [[gnu::always_inline]] inline V normal_tail(V x) {
    const V size = native::min(constant<V>(40.0F), native::abs(x));
    const V scale = quotient(constant<V>(1.0F), size + 3.0F);
    const V ratio =
        polynomial((size - 3.0F) * scale, 0.729083717F, -0.50933218F, 0.230017707F, -0.0472581908F, -0.0104624452F,
                   0.00693746516F, 0.00101712963F, -0.000946750981F, -0.000203899443F, 5.18564339e-5F);
    return gaussian(x) * (ratio * scale);
}

/// Phi(x), the mass of the normal distribution below x: 1/2 and an odd polynomial for |x| < 1, the tail beyond.
template <FloatLanes V> [[gnu::always_inline]] inline V normal_cdf(V x) {
    const V middle = native::fma(x,
                                 polynomial(x * x, 0.398942292F, -0.0664905831F, 0.00997453928F, -0.00118905422F,
                                            0.000116171235F, -8.61996068e-6F),
                                 constant<V>(0.5F));
    const V tail = normal_tail(x);
    return native::abs(x) < 1.0F ? middle : (x < 0.0F ? tail : 1.0F - tail);
}

/// x P(x^2)/Q(x^2) for |x| < 3.92, where the next float is 1.
template <FloatLanes V> [[gnu::always_inline]] inline V erf(V x) {
    const V size = native::min(constant<V>(3.92F), native::abs(x));
    const V square = size * size;
    const V p =
        polynomial(square, 1.12837911F, 0.190406725F, 0.0527487695F, 0.00376563077F, 0.000284883397F, 2.05008996e-6F);
    const V q = polynomial(square, 1.0F, 0.502076328F, 0.114109233F, 0.0149692446F, 0.00116253947F, 3.80917772e-5F);
    return copy_sign(native::min(constant<V>(1.0F), quotient(size * p, q)), x);
}

}  // namespace dinomaly::inline DINOMALY_ABI::math::lanes

#endif
