// SPDX-License-Identifier: Apache-2.0
// bfloat16: the upper half of a float, rounded to nearest even. Storage only: it is widened to float where it is loaded
// and rounded where it is stored (core/packet.hpp), and arithmetic is done in float.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/native.hpp"

namespace dinomaly {

/// 1 sign, 8 exponent and 7 mantissa bits; converts from and to float.
struct bfloat16 {
    std::uint16_t bits = 0;

    bfloat16() = default;
    DINOMALY_HD explicit bfloat16(float value) {
#ifdef __CUDA_ARCH__  // one instruction there; a NaN becomes 0x7fff
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
        const std::uint32_t word = std::bit_cast<std::uint32_t>(value);
        const bool is_nan = (word & 0x7fffffffU) > 0x7f800000U;
        const std::uint32_t rounded = word + 0x7fffU + ((word >> 16) & 1U);
        bits = static_cast<std::uint16_t>((is_nan ? (word | 0x400000U) : rounded) >> 16);
#endif
    }
    DINOMALY_HD operator float() const {
        return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    }
};

}  // namespace dinomaly

namespace dinomaly::inline DINOMALY_ABI::native {

#ifdef DINOMALY_CUDA

inline constexpr int float_lanes = Lanes<float>::width;
using Halves = Group<bfloat16, float_lanes>;

DINOMALY_HD inline Lanes<float>::Vector load(const bfloat16* from) {
    const Halves x = load_group<Halves>(from);
    return generate<float, float_lanes>([&](int i) { return static_cast<float>(x.values[i]); });
}
DINOMALY_HD inline void store(bfloat16* to, const Lanes<float>::Vector& x) {
    store_group(to, generate<bfloat16, float_lanes>([&](int i) { return bfloat16(x.values[i]); }));
}
DINOMALY_HD inline Lanes<float>::Vector load_first(const bfloat16* from, int n) {
    if (n == float_lanes) return load(from);
    return generate<float, float_lanes>([&](int i) { return i < n ? static_cast<float>(from[i]) : 0.0F; });
}
DINOMALY_HD inline void store_first(bfloat16* to, const Lanes<float>::Vector& x, int n) {
    if (n == float_lanes) return store(to, x);
    for (int i = 0; i < float_lanes; ++i)
        if (i < n) to[i] = bfloat16(x.values[i]);
}
inline Halves halves(const bfloat16* from) {
    return load_group<Halves>(from);
}
inline Halves halves(const float* from) {
    return generate<bfloat16, float_lanes>([&](int i) { return bfloat16(from[i]); });
}
inline void store_pairs(bfloat16* to, const Halves& even, const Halves& odd) {
    for (int i = 0; i < float_lanes; ++i) to[2 * i] = even.values[i], to[2 * i + 1] = odd.values[i];
}

#else

typedef std::uint16_t Halves __attribute__((vector_size(bytes / 2)));
typedef std::uint32_t UnsignedWords __attribute__((vector_size(bytes)));

inline Floats widen(Halves x) {
    return std::bit_cast<Floats>(__builtin_convertvector(x, UnsignedWords) << 16);
}

/// Rounded to nearest even. The instruction takes subnormal floats for zero.
inline Halves narrow(Floats x) {
#if defined(__AVX512BF16__)
    return std::bit_cast<Halves>(_mm512_cvtneps_pbh(x));
#else
    const UnsignedWords word = std::bit_cast<UnsignedWords>(x);
    const UnsignedWords rounded = word + 0x7fffU + ((word >> 16) & 1U);
    const UnsignedWords kept = (word & 0x7fffffffU) > 0x7f800000U ? word | 0x400000U : rounded;
    return __builtin_convertvector(kept >> 16, Halves);
#endif
}

inline Floats load(const bfloat16* from) {
    Halves x;
    std::memcpy(&x, from, sizeof x);
    return widen(x);
}
inline void store(bfloat16* to, Floats x) {
    const Halves rounded = narrow(x);
    std::memcpy(static_cast<void*>(to), &rounded, sizeof rounded);
}
inline Floats load_first(const bfloat16* from, int n) {
    Halves x{};
    std::memcpy(&x, from, static_cast<std::size_t>(n) * sizeof(bfloat16));
    return widen(x);
}
inline void store_first(bfloat16* to, Floats x, int n) {
    const Halves rounded = narrow(x);
    std::memcpy(static_cast<void*>(to), &rounded, static_cast<std::size_t>(n) * sizeof(bfloat16));
}

/// A packet of bfloat16 as it lies in memory, or rounded from floats.
inline Halves halves(const bfloat16* from) {
    Halves x;
    std::memcpy(&x, from, sizeof x);
    return x;
}
inline Halves halves(const float* from) {
    return narrow(load(from));
}
/// Two packets lane by lane: even[0], odd[0], even[1], ...
inline void store_pairs(bfloat16* to, Halves even, Halves odd) {
    const UnsignedWords pairs =
        __builtin_convertvector(even, UnsignedWords) | __builtin_convertvector(odd, UnsignedWords) << 16;
    std::memcpy(static_cast<void*>(to), &pairs, sizeof pairs);
}

#endif

}  // namespace dinomaly::inline DINOMALY_ABI::native
