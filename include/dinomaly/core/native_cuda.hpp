// SPDX-License-Identifier: Apache-2.0
// What native.hpp holds, for code that runs on a GPU too: a packet is the 16 bytes that a thread loads at once.
//
// Each thread of a kernel handles one packet after the other. A packet is a plain array, whose elements the compiler
// keeps in registers; 16 bytes go over the bus in one transaction where their address allows it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::native {

inline constexpr bool has_strips = false;  // a GPU fills its units with other threads instead

/// n values of T, used like one.
template <class T, int n> struct alignas(n * sizeof(T)) Group {
    T values[n];

    DINOMALY_HD T& operator[](unsigned i) { return values[i]; }
    DINOMALY_HD const T& operator[](unsigned i) const { return values[i]; }
};

template <class T> struct Lanes {
    static constexpr int width = 16 / static_cast<int>(sizeof(T));
    using Vector = Group<T, width>;
    using Mask = Group<bool, width>;
};

using Floats = float;  // what a tile of a product on the host is made of
using Words = std::int32_t;

/// f(i) for i = 0 .. n-1 as a group.
template <class T, int n, class F> DINOMALY_HD Group<T, n> generate(const F& f) {
    Group<T, n> out;
    for (int i = 0; i < n; ++i) out.values[i] = f(i);
    return out;
}

template <class T, int n> DINOMALY_HD Group<T, n> operator+(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return a.values[i] + b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<T, n> operator-(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return a.values[i] - b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<T, n> operator*(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return a.values[i] * b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<T, n> operator/(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return a.values[i] / b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<T, n> operator-(const Group<T, n>& a) {
    return generate<T, n>([&](int i) { return -a.values[i]; });
}

template <class T, int n> DINOMALY_HD Group<bool, n> operator<(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] < b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<bool, n> operator<=(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] <= b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<bool, n> operator>(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] > b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<bool, n> operator>=(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] >= b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<bool, n> operator==(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] == b.values[i]; });
}
template <class T, int n> DINOMALY_HD Group<bool, n> operator!=(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] != b.values[i]; });
}
template <int n> DINOMALY_HD Group<bool, n> operator&(const Group<bool, n>& a, const Group<bool, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] && b.values[i]; });
}
template <int n> DINOMALY_HD Group<bool, n> operator|(const Group<bool, n>& a, const Group<bool, n>& b) {
    return generate<bool, n>([&](int i) { return a.values[i] || b.values[i]; });
}
template <int n> DINOMALY_HD Group<bool, n> operator!(const Group<bool, n>& a) {
    return generate<bool, n>([&](int i) { return !a.values[i]; });
}

template <class T> DINOMALY_HD auto broadcast(T scalar) {
    return generate<T, Lanes<T>::width>([&](int) { return scalar; });
}
template <class T, int n>
DINOMALY_HD Group<T, n> choose(const Group<bool, n>& mask, const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return mask.values[i] ? a.values[i] : b.values[i]; });
}

/// Reads consecutive values: on the device in one go where their address allows it, which it does as a rule. On the
/// host g++ 12 would take the one branch's alignment for granted in the other.
template <class G, class T> DINOMALY_HD G load_group(const T* from) {
    G out;
#ifdef __CUDA_ARCH__
    if (reinterpret_cast<std::uintptr_t>(from) % alignof(G) == 0) return *reinterpret_cast<const G*>(from);
    for (unsigned i = 0; i < sizeof(G) / sizeof(T); ++i) out[i] = from[i];
#else
    std::memcpy(static_cast<void*>(&out), from, sizeof out);
#endif
    return out;
}
template <class G, class T> DINOMALY_HD void store_group(T* to, const G& x) {
#ifdef __CUDA_ARCH__
    if (reinterpret_cast<std::uintptr_t>(to) % alignof(G) == 0)
        *reinterpret_cast<G*>(to) = x;
    else
        for (unsigned i = 0; i < sizeof(G) / sizeof(T); ++i) to[i] = x[i];
#else
    std::memcpy(static_cast<void*>(to), &x, sizeof x);
#endif
}

template <class T> DINOMALY_HD auto load(const T* from) {
    return load_group<typename Lanes<T>::Vector>(from);
}
template <class T> DINOMALY_HD auto load_first(const T* from, int n) {
    if (n == Lanes<T>::width) return load(from);
    return generate<T, Lanes<T>::width>([&](int i) { return i < n ? from[i] : T(0); });
}
template <class T, int width> DINOMALY_HD void store(T* to, const Group<T, width>& x) {
    store_group(to, x);
}
template <class T, int width> DINOMALY_HD void store_first(T* to, const Group<T, width>& x, int n) {
    if (n == width) return store(to, x);
    for (int i = 0; i < width; ++i)  // to a constant, so that x stays in registers
        if (i < n) to[i] = x.values[i];
}
template <class T, int width> DINOMALY_HD void stream(T* to, const Group<T, width>& x) {
    store(to, x);
}
template <class T> DINOMALY_HD auto first_mask(int n) {
    return generate<bool, Lanes<T>::width>([&](int i) { return i < n; });
}

template <class T>
requires std::is_arithmetic_v<T> DINOMALY_HD T min(T a, T b) {
    return a < b ? a : b;
}
template <class T>
requires std::is_arithmetic_v<T> DINOMALY_HD T max(T a, T b) {
    return a > b ? a : b;
}
template <class T>
requires std::is_arithmetic_v<T> DINOMALY_HD T sqrt(T x) {
    return std::sqrt(x);
}
template <class T>
requires std::is_arithmetic_v<T> DINOMALY_HD T abs(T x) {
    return std::abs(x);
}
template <class T>
requires std::is_arithmetic_v<T> DINOMALY_HD T fma(T a, T b, T c) {
    return a * b + c;
}
template <class T, int n> DINOMALY_HD Group<T, n> min(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return min(a.values[i], b.values[i]); });
}
template <class T, int n> DINOMALY_HD Group<T, n> max(const Group<T, n>& a, const Group<T, n>& b) {
    return generate<T, n>([&](int i) { return max(a.values[i], b.values[i]); });
}
template <class T, int n> DINOMALY_HD Group<T, n> sqrt(const Group<T, n>& x) {
    return generate<T, n>([&](int i) { return sqrt(x.values[i]); });
}
template <class T, int n> DINOMALY_HD Group<T, n> abs(const Group<T, n>& x) {
    return generate<T, n>([&](int i) { return abs(x.values[i]); });
}

/// Upper half onto lower half until one value is left.
template <class T, int n, class Combine> DINOMALY_HD T fold(Group<T, n> x, const Combine& combine) {
    for (int half = n / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) x.values[i] = combine(x.values[i], x.values[i + half]);
    return x.values[0];
}

template <int n> void store_bytes(std::uint8_t* to, const Group<float, n>& x) {
    for (int i = 0; i < n; ++i) to[i] = static_cast<std::uint8_t>(x.values[i]);
}

}  // namespace dinomaly::inline DINOMALY_ABI::native
