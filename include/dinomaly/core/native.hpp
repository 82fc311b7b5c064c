// SPDX-License-Identifier: Apache-2.0
// The machine below Packet: vectors of the native width, and the few instructions that vector operators cannot express.
//
// Lanes<T> is 64 bytes with AVX-512, 32 with AVX, else 16; code that runs on GPUs too has native_cuda.hpp in its place.
// Functions named *_first touch the first n elements of memory only, 0 <= n <= width.
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dinomaly/core/macros.hpp"

#if defined(__SSE2__) && !defined(__CUDACC__)
#pragma GCC diagnostic push
#ifndef __clang__  // g++ 12 trips over its own 512-bit intrinsics
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace dinomaly::inline DINOMALY_ABI::native {

/// Tells the processor that this thread only waits.
inline void pause() {
#if defined(__SSE2__) && !defined(__CUDACC__)
    _mm_pause();
#endif
}

/// The signed integer as wide as T.
template <class T> using IntegerLike = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

#ifndef DINOMALY_CUDA

/// Whether long functions are computed strip by strip (core/expr.hpp).
inline constexpr bool has_strips = true;

#if defined(__AVX512F__)
inline constexpr int bytes = 64;
#elif defined(__AVX__)
inline constexpr int bytes = 32;
#else
inline constexpr int bytes = 16;
#endif

template <class T> struct Lanes {
    static constexpr int width = bytes / static_cast<int>(sizeof(T));
    typedef T Vector __attribute__((vector_size(bytes)));
    typedef IntegerLike<T> Mask __attribute__((vector_size(bytes)));
};

using Floats = Lanes<float>::Vector;
using Doubles = Lanes<double>::Vector;
using Words = Lanes<float>::Mask;  // as many 32-bit integers as Floats has floats

/// All lanes the same; `scalar - 0` keeps every value, the sign of zero too, and compiles to a broadcast.
template <class T> typename Lanes<T>::Vector broadcast(T scalar) {
    return scalar - typename Lanes<T>::Vector{};
}

/// a where the mask holds, else b.
template <class Mask, class V> V choose(Mask mask, V a, V b) {
    return mask ? a : b;
}

template <std::floating_point T> auto load(const T* from) {
    typename Lanes<T>::Vector x;
    std::memcpy(&x, from, sizeof x);
    return x;
}

template <std::floating_point T, class Vector> void store(T* to, Vector x) {
    static_assert(std::is_same_v<Vector, typename Lanes<T>::Vector>);
    std::memcpy(to, &x, sizeof x);
}

/// The lanes, from 0 to 255, cut to whole numbers.
inline void store_bytes(std::uint8_t* to, Floats x) {
    typedef std::uint8_t Bytes __attribute__((vector_size(bytes / 4)));
    const Bytes cut = __builtin_convertvector(__builtin_convertvector(x, Words), Bytes);
    std::memcpy(to, &cut, sizeof cut);
}

/// Combines all lanes into one, the upper half with the lower half until one is left.
template <class T, class Combine, class Vector> T fold(Vector x, Combine combine) {
    if constexpr (sizeof(Vector) == 16) {
        T lane[16 / sizeof(T)];
        std::memcpy(lane, &x, sizeof x);
        if constexpr (sizeof(T) == 4)
            return combine(combine(lane[0], lane[2]), combine(lane[1], lane[3]));
        else
            return combine(lane[0], lane[1]);
    } else {
        typedef T Half __attribute__((vector_size(sizeof(Vector) / 2)));
        Half halves[2];
        std::memcpy(halves, &x, sizeof x);
        return fold<T>(combine(halves[0], halves[1]), combine);
    }
}

/// All bits set in the first n lanes, none in the others: a window slid over a row of ones and zeros.
template <class T> typename Lanes<T>::Mask first_mask(int n) {
    constexpr int width = Lanes<T>::width;
    struct Row {
        IntegerLike<T> value[2 * width] = {};
        constexpr Row() {
            for (int i = 0; i < width; ++i) value[i] = -1;
        }
    };
    static constexpr Row row;
    typename Lanes<T>::Mask mask;
    std::memcpy(&mask, row.value + width - n, sizeof mask);
    return mask;
}

// Minimum and maximum return the second operand when either is NaN, as the instructions do. With AVX-512 their forms
// with a mask, here of ones, spare g++ 12 a false alarm: the plain forms begin with an undefined register.
#if defined(__AVX512F__)

inline Floats min(Floats a, Floats b) {
    return _mm512_maskz_min_ps(0xffff, a, b);
}
inline Doubles min(Doubles a, Doubles b) {
    return _mm512_maskz_min_pd(0xff, a, b);
}
inline Floats max(Floats a, Floats b) {
    return _mm512_maskz_max_ps(0xffff, a, b);
}
inline Doubles max(Doubles a, Doubles b) {
    return _mm512_maskz_max_pd(0xff, a, b);
}
inline Floats sqrt(Floats x) {
    return _mm512_maskz_sqrt_ps(0xffff, x);
}
inline Doubles sqrt(Doubles x) {
    return _mm512_maskz_sqrt_pd(0xff, x);
}
inline void stream(float* to, Floats x) {
    _mm512_stream_ps(to, x);
}
inline void stream(double* to, Doubles x) {
    _mm512_stream_pd(to, x);
}
inline Floats load_first(const float* from, int n) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), from);
}
inline Doubles load_first(const double* from, int n) {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << n) - 1U), from);
}
inline void store_first(float* to, Floats x, int n) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << n) - 1U), x);
}
inline void store_first(double* to, Doubles x, int n) {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1U << n) - 1U), x);
}

#elif defined(__AVX__)

inline Floats min(Floats a, Floats b) {
    return _mm256_min_ps(a, b);
}
inline Doubles min(Doubles a, Doubles b) {
    return _mm256_min_pd(a, b);
}
inline Floats max(Floats a, Floats b) {
    return _mm256_max_ps(a, b);
}
inline Doubles max(Doubles a, Doubles b) {
    return _mm256_max_pd(a, b);
}
inline Floats sqrt(Floats x) {
    return _mm256_sqrt_ps(x);
}
inline Doubles sqrt(Doubles x) {
    return _mm256_sqrt_pd(x);
}
inline void stream(float* to, Floats x) {
    _mm256_stream_ps(to, x);
}
inline void stream(double* to, Doubles x) {
    _mm256_stream_pd(to, x);
}
inline Floats load_first(const float* from, int n) {
    return _mm256_maskload_ps(from, std::bit_cast<__m256i>(first_mask<float>(n)));
}
inline Doubles load_first(const double* from, int n) {
    return _mm256_maskload_pd(from, std::bit_cast<__m256i>(first_mask<double>(n)));
}
inline void store_first(float* to, Floats x, int n) {
    _mm256_maskstore_ps(to, std::bit_cast<__m256i>(first_mask<float>(n)), x);
}
inline void store_first(double* to, Doubles x, int n) {
    _mm256_maskstore_pd(to, std::bit_cast<__m256i>(first_mask<double>(n)), x);
}

#else

#ifdef __SSE2__

inline Floats min(Floats a, Floats b) {
    return _mm_min_ps(a, b);
}
inline Doubles min(Doubles a, Doubles b) {
    return _mm_min_pd(a, b);
}
inline Floats max(Floats a, Floats b) {
    return _mm_max_ps(a, b);
}
inline Doubles max(Doubles a, Doubles b) {
    return _mm_max_pd(a, b);
}
inline Floats sqrt(Floats x) {
    return _mm_sqrt_ps(x);
}
inline Doubles sqrt(Doubles x) {
    return _mm_sqrt_pd(x);
}
inline void stream(float* to, Floats x) {
    _mm_stream_ps(to, x);
}
inline void stream(double* to, Doubles x) {
    _mm_stream_pd(to, x);
}

#else

template <class Vector> Vector min(Vector a, Vector b) {
    return a < b ? a : b;
}
template <class Vector> Vector max(Vector a, Vector b) {
    return a > b ? a : b;
}
template <class Vector> Vector sqrt(Vector x) {
    for (unsigned i = 0; i < sizeof x / sizeof x[0]; ++i) x[i] = std::sqrt(x[i]);
    return x;
}
template <class T, class Vector> void stream(T* to, Vector x) {
    store(to, x);
}

#endif

template <std::floating_point T> auto load_first(const T* from, int n) {
    typename Lanes<T>::Vector x{};
    std::memcpy(&x, from, static_cast<std::size_t>(n) * sizeof(T));
    return x;
}
template <std::floating_point T, class Vector> void store_first(T* to, Vector x, int n) {
    std::memcpy(to, &x, static_cast<std::size_t>(n) * sizeof(T));
}

#endif

/// a b + c: rounded once where the machine has the instruction; a scalar and a lane always agree.
inline float fma(float a, float b, float c) {
#if defined(__FMA__) || defined(__AVX512F__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}
inline Floats fma(Floats a, Floats b, Floats c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__) && defined(__AVX__)
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

/// x 2^n for integers n from -252 to 254, rounded once: 2^n itself may be out of range, two factors never are.
template <class V, class Integers> V scale(V x, Integers n) {
    const Integers half = n >> 1;
    return x * std::bit_cast<V>((half + 127) << 23) * std::bit_cast<V>((n - half + 127) << 23);
}
inline float lookup(const float (&table)[32], std::int32_t index) {
    return table[index & 31];
}

#if defined(__AVX512F__)

/// Whether there are the two functions below, one instruction each.
inline constexpr bool looks_up = true;

/// table[index mod 32] of a table aligned to 64 bytes.
inline Floats lookup(const float (&table)[32], Words index) {
    return _mm512_permutex2var_ps(load(table), std::bit_cast<__m512i>(index), load(table + 16));
}

/// x 2^floor(n), rounded once.
inline Floats scale(Floats x, Floats n) {
    return _mm512_maskz_scalef_ps(0xffff, x, n);
}
inline float scale(float x, float n) {
    return _mm_cvtss_f32(_mm_maskz_scalef_ss(1, _mm_set_ss(x), _mm_set_ss(n)));
}

#else

inline constexpr bool looks_up = false;

#endif

inline float min(float a, float b) {
    return a < b ? a : b;
}
inline float max(float a, float b) {
    return a > b ? a : b;
}
inline double min(double a, double b) {
    return a < b ? a : b;
}
inline double max(double a, double b) {
    return a > b ? a : b;
}
inline float sqrt(float x) {
    return std::sqrt(x);
}
inline double sqrt(double x) {
    return std::sqrt(x);
}

inline float abs(float x) {
    return std::abs(x);
}
inline double abs(double x) {
    return std::abs(x);
}
inline Floats abs(Floats x) {
    return std::bit_cast<Floats>(std::bit_cast<Lanes<float>::Mask>(x) & 0x7fffffff);
}
inline Doubles abs(Doubles x) {
    return std::bit_cast<Doubles>(std::bit_cast<Lanes<double>::Mask>(x) & 0x7fffffffffffffff);
}

#endif

}  // namespace dinomaly::inline DINOMALY_ABI::native

#ifdef DINOMALY_CUDA
#include "dinomaly/core/native_cuda.hpp"
#endif
