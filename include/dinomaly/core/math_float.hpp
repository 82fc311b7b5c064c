// SPDX-License-Identifier: Apache-2.0
// Functions of core/math.hpp in single precision on the host, by polynomials that need no branch.
//
// Every function is written once over V, which is a float or a vector of floats, so that a scalar and a lane of a
// packet give the same bits; `inline`, as a call would take every constant out of its register. There are two ways to
// exp, tanh, erf and normal_cdf. Where one instruction looks up a vector of floats in a table of 32 (native::looks_up),
// each of 32 pieces has a short polynomial of its own, which the compiler computes. Elsewhere one polynomial, or a
// quotient of two, serves the whole range; these coefficients are minimax fits, rounded to float one after the other
// with the rest refitted.
//
// Largest errors measured, in ulp, with look-ups and without: exp 1.01 and 1.01, tanh 2.8 and 5.3, erf 2.9 and 5.1
// (7.7e-8 and 3.2e-7 absolute); log 0.85. normal_cdf 8.3e-8 absolute and, above x = -8, 1.3e-6 relative.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/math_standard.hpp"
#include "dinomaly/core/native.hpp"

#ifndef DINOMALY_CUDA  // the device has its own

namespace dinomaly::inline DINOMALY_ABI::math {

/// A function of x >= 0 as 32 polynomials c0 + c1 r + ... + c4 r^4, r being x less the left end of its piece. Eight
/// pieces share an octave of x + offset: narrow where functions bend, and numbered by five bits of that float.
struct Pieces {
    static constexpr int count = 32, degree = 4, lowest_bit = 20;

    float offset;  ///< a multiple of the width of the first piece
    float last;    ///< the greatest x that has a piece
    alignas(64) float c[degree + 1][count];
};

/// Interpolates f, a function of double, piece by piece at its Chebyshev points, stretched so that the first falls on
/// the left end: f(0) is exact.
template <class Function> constexpr Pieces interpolate(float offset, Function f) {
    constexpr int nodes = Pieces::degree + 1;
    constexpr double place[nodes] = {0, 0.186192470, 0.487457369, 0.788722268, 0.974914738};
    const auto edge = [](std::int32_t bits) { return static_cast<double>(std::bit_cast<float>(bits)); };
    const std::int32_t step = 1 << Pieces::lowest_bit, first = std::bit_cast<std::int32_t>(offset);
    Pieces pieces{offset, std::bit_cast<float>(first + Pieces::count * step - 1) - offset, {}};
    for (std::int32_t piece = 0; piece < Pieces::count; ++piece) {
        const std::int32_t bits = first + piece * step;
        const double left = edge(bits) - edge(first), width = edge(bits + step) - edge(bits);
        double node[nodes], difference[nodes];  // Newton's divided differences
        for (int k = 0; k < nodes; ++k) {
            node[k] = width * place[k];
            difference[k] = f(left + node[k]);
        }
        for (int order = 1; order < nodes; ++order)
            for (int k = nodes - 1; k >= order; --k)
                difference[k] = (difference[k] - difference[k - 1]) / (node[k] - node[k - order]);
        double power[nodes] = {};  // the same polynomial in powers of r
        for (int k = nodes - 1; k >= 0; --k) {
            for (int i = nodes - 1; i > 0; --i) power[i] = power[i - 1] - node[k] * power[i];
            power[0] = difference[k] - node[k] * power[0];
        }
        for (int i = 0; i < nodes; ++i)
            pieces.c[i][(bits >> Pieces::lowest_bit) % Pieces::count] = static_cast<float>(power[i]);
    }
    return pieces;
}

/// e^-x for x >= 0, by Taylor's series of e^(-x/1024): the standard library's cannot run at compile time.
constexpr double decay(double x) {
    double y = 1;
    for (int n = 8; n > 0; --n) y = 1 - x / 1024 / n * y;
    for (int doubling = 0; doubling < 10; ++doubling) y *= y;
    return y;
}

/// e^(x^2/2) times the mass of the normal distribution above x >= 0: a series for small x, beyond a continued fraction.
constexpr double mills_ratio(double x) {
    constexpr double density = 0.39894228040143267794;
    if (x < 2) {
        double term = x, sum = 0;
        for (int n = 3; n < 61; n += 2) {
            sum += term;
            term *= x * x / n;
        }
        return 0.5 / decay(x * x / 2) - density * sum;
    }
    double denominator = x;
    for (int n = 60; n > 0; --n) denominator = x + n / denominator;
    return density / denominator;
}

/// 2^(i/32).
struct PowersOfTwo {
    alignas(64) float value[32];
};
inline constexpr PowersOfTwo powers_of_two = [] {
    PowersOfTwo powers{};
    for (int i = 0; i < 32; ++i) powers.value[i] = static_cast<float>(1 / decay(0.69314718055994530942 * i / 32));
    return powers;
}();

inline constexpr Pieces tanh_pieces =
    interpolate(0.625F, [](double x) { return (1 - decay(2 * x)) / (1 + decay(2 * x)); });
inline constexpr Pieces erf_pieces =
    interpolate(0.3125F, [](double x) { return 1 - 2 * decay(x * x) * mills_ratio(1.41421356237309504880 * x); });
inline constexpr Pieces mills_ratio_pieces = interpolate(1.0F, mills_ratio);

}  // namespace dinomaly::inline DINOMALY_ABI::math

namespace dinomaly::inline DINOMALY_ABI::math::lanes {

template <class V>
concept FloatLanes = std::same_as<V, float> || std::same_as<V, native::Floats>;

/// As many 32-bit integers as V has floats.
template <FloatLanes V>
using Integers = std::conditional_t<std::same_as<V, float>, std::int32_t, native::Lanes<float>::Mask>;

template <FloatLanes V> V constant(float c) {
    if constexpr (std::same_as<V, float>)
        return c;
    else
        return native::broadcast(c);
}

template <FloatLanes V> V to_float(Integers<V> i) {
    if constexpr (std::same_as<V, float>)
        return static_cast<float>(i);
    else
        return __builtin_convertvector(i, V);
}

template <FloatLanes V> Integers<V> to_bits(V x) {
    return std::bit_cast<Integers<V>>(x);
}
template <FloatLanes V> V from_bits(Integers<V> i) {
    return std::bit_cast<V>(i);
}

/// x, which is not negative, with the sign of `sign`.
template <FloatLanes V> V copy_sign(V x, V sign) {
    return from_bits<V>(to_bits(x) | (to_bits(sign) & ~0x7fffffff));
}

/// c0 + c1 x + c2 x^2 + ... by Horner's rule in x^2 over pairs of terms: half as long a chain of dependent instructions
/// as in x, which is what limits a formula of several functions.
template <FloatLanes V> V polynomial_of_pairs(V, V, float c0) {
    return constant<V>(c0);
}
template <FloatLanes V> V polynomial_of_pairs(V x, V, float c0, float c1) {
    return native::fma(constant<V>(c1), x, constant<V>(c0));
}
template <FloatLanes V, std::same_as<float>... Rest>
requires(sizeof...(Rest) > 0) V polynomial_of_pairs(V x, V square, float c0, float c1, Rest... rest) {
    return native::fma(polynomial_of_pairs(x, square, rest...), square, polynomial_of_pairs(x, square, c0, c1));
}
template <FloatLanes V, std::same_as<float>... Coefficients> V polynomial(V x, Coefficients... c) {
    return polynomial_of_pairs(x, x * x, c...);
}

/// The function that has these pieces at |x|; it stays what it is at the end of the last.
template <FloatLanes V> inline V piecewise(const Pieces& pieces, V x) {
    const V size = native::min(constant<V>(pieces.last), native::abs(x));
    const Integers<V> index = to_bits(size + pieces.offset) >> Pieces::lowest_bit;
    const V r = size - (from_bits<V>(index << Pieces::lowest_bit) - pieces.offset);
    const auto c = [&](int power) { return native::lookup(pieces.c[power], index); };
    const V high = native::fma(c(4), r, c(3)), low = native::fma(c(2), r, c(1));
    return native::fma(native::fma(high, r * r, low), r, c(0));
}

/// e^x = 2^n e^r with n a whole number, |r| <= ln(2)/2; with look-ups a multiple of 1/32, and r as much smaller.
/// Subnormal results are kept; overflow gives infinity.
template <FloatLanes V> inline V exp(V x) {
    // Beyond these bounds the result is infinity or zero anyway; within them r is small and n in native::scale's range.
    x = native::max(constant<V>(-104.5F), native::min(constant<V>(89.0F), x));
    const V rounding = constant<V>(native::looks_up ? 0x1.8p18F : 0x1.8p23F);  // leaves no more bits of the fraction
    const V shifted = native::fma(x, constant<V>(1.44269504F), rounding);
    const V n = shifted - rounding;
    V r = native::fma(n, constant<V>(-0x1.62e4p-1F), x);  // ln 2 in two parts, the first exact when times n
    r = native::fma(n, constant<V>(-1.42860682e-6F), r);

    if constexpr (native::looks_up) {
        const V power = native::lookup(powers_of_two.value, to_bits(shifted));
        const V minus_one = native::fma(r * r, native::fma(r, constant<V>(1.0F / 6), constant<V>(0.5F)), r);
        return native::scale(native::fma(power, minus_one, power), n);
    }
    const V square_part = polynomial(r, 0.49999994F, 0.166665196F, 0.0416683927F, 0.00836878084F, 0.00138144672F);
    return native::scale(native::fma(r * r, square_part, r) + 1.0F, to_bits(shifted) - to_bits(rounding));
}

/// log(x) = n log 2 + log(1 + f), with 1 + f between sqrt(1/2) and sqrt(2).
template <FloatLanes V> inline V log(V x) {
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

/// Without look-ups x P(x^2)/Q(x^2) for |x| < 9.02, where the next float is 1.
template <FloatLanes V> inline V tanh(V x) {
    if constexpr (native::looks_up) return copy_sign(piecewise(tanh_pieces, x), x);
    const V size = native::min(constant<V>(9.02F), native::abs(x));
    const V square = size * size;
    const V p = polynomial(square, 1.0F, 0.133797213F, 0.00349403825F, 2.05835386e-5F, 1.33191458e-8F);
    const V q = polynomial(square, 1.0F, 0.467130363F, 0.0258710869F, 0.000328309892F, 7.76205127e-7F);
    return copy_sign(native::min(constant<V>(1.0F), size * p / q), x);
}

/// Without look-ups x P(x^2)/Q(x^2) for |x| < 3.92, where the next float is 1.
template <FloatLanes V> inline V erf(V x) {
    if constexpr (native::looks_up) return copy_sign(piecewise(erf_pieces, x), x);
    const V size = native::min(constant<V>(3.92F), native::abs(x));
    const V square = size * size;
    const V p =
        polynomial(square, 1.12837911F, 0.190406725F, 0.0527487695F, 0.00376563077F, 0.000284883397F, 2.05008996e-6F);
    const V q = polynomial(square, 1.0F, 0.502076328F, 0.114109233F, 0.0149692446F, 0.00116253947F, 3.80917772e-5F);
    return copy_sign(native::min(constant<V>(1.0F), size * p / q), x);
}

/// e^(-x^2/2), the shape of the normal density: written in one place so that the compiler sees it once where both
/// normal_cdf and normal_pdf of the same x are wanted.
template <FloatLanes V> inline V gaussian(V x) {
    return exp(x * x * -0.5F);
}

/// The mass of the normal distribution above |x|: e^(-x^2/2) R(|x|). The first factor has vanished at |x| = 14.5,
/// up to where, without look-ups, (|x| + 3) R is a polynomial in (|x| - 3)/(|x| + 3).
template <FloatLanes V> inline V normal_tail(V x) {
    if constexpr (native::looks_up) return gaussian(x) * piecewise(mills_ratio_pieces, x);
    const V size = native::min(constant<V>(14.5F), native::abs(x));
    const V scale = 1.0F / (size + 3.0F);
    const V ratio =
        polynomial((size - 3.0F) * scale, 0.729083717F, -0.50933218F, 0.230017707F, -0.0472581908F, -0.0104624452F,
                   0.00693746516F, 0.00101712963F, -0.000946750981F, -0.000203899443F, 5.18564339e-5F);
    return gaussian(x) * (ratio * scale);
}

/// Phi(x), the mass of the normal distribution below x. Without look-ups 1/2 and an odd polynomial for |x| < 1, the
/// tail beyond.
template <FloatLanes V> inline V normal_cdf(V x) {
    const V tail = normal_tail(x);
    const V by_tail = x < 0.0F ? tail : 1.0F - tail;
    if constexpr (native::looks_up) return by_tail;
    const V middle = native::fma(x,
                                 polynomial(x * x, 0.398942292F, -0.0664905831F, 0.00997453928F, -0.00118905422F,
                                            0.000116171235F, -8.61996068e-6F),
                                 constant<V>(0.5F));
    return native::abs(x) < 1.0F ? middle : by_tail;
}

}  // namespace dinomaly::inline DINOMALY_ABI::math::lanes

#endif
