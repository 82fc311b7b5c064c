// SPDX-License-Identifier: Apache-2.0
// Packet<T>: as many elements of T (float, double) as one instruction handles, used like one T.
//
// A formula written as a template over T runs on a packet, on a scalar, and on a CUDA thread, whose packet is the 16
// bytes that it loads at once. Comparisons give a Mask for math::select. Functions of packets are in core/math.hpp. A
// Packet<float> also loads from and stores to bfloat16.
#pragma once

#include <concepts>

#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/native.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// `width` elements side by side. A default-constructed packet is uninitialised.
template <std::floating_point T> struct Packet {
    using value_type = T;
    using Vector = typename native::Lanes<T>::Vector;
    static constexpr int width = native::Lanes<T>::width;

    /// One truth value a lane.
    struct Mask {
        using Lanes = typename native::Lanes<T>::Mask;
        Lanes lanes;

        DINOMALY_HD friend Mask operator&&(Mask a, Mask b) { return {static_cast<Lanes>(a.lanes & b.lanes)}; }
        DINOMALY_HD friend Mask operator||(Mask a, Mask b) { return {static_cast<Lanes>(a.lanes | b.lanes)}; }
        DINOMALY_HD friend Mask operator!(Mask a) { return {!a.lanes}; }
    };

    Vector lanes;

    Packet() = default;
    DINOMALY_HD Packet(T scalar) : lanes(native::broadcast(scalar)) {}
    /// From a constant of another type, so that T(2) and T(0.1) work whatever T is.
    template <class Number>
    requires(std::is_arithmetic_v<Number> && !std::same_as<Number, T>) DINOMALY_HD explicit Packet(Number scalar)
        : Packet(static_cast<T>(scalar)) {}

    DINOMALY_HD static Packet from_lanes(Vector lanes) {
        Packet packet;
        packet.lanes = lanes;
        return packet;
    }

    /// `width` consecutive elements, at any alignment.
    DINOMALY_HD static Packet load(const T* from) { return from_lanes(native::load(from)); }
    /// The first n (0 to width) elements, zero in the other lanes; reads no further.
    DINOMALY_HD static Packet load(const T* from, int n) { return from_lanes(native::load_first(from, n)); }
    DINOMALY_HD static Packet load(const bfloat16* from) requires std::same_as<T, float> {
        return from_lanes(native::load(from));
    }
    DINOMALY_HD static Packet load(const bfloat16* from, int n) requires std::same_as<T, float> {
        return from_lanes(native::load_first(from, n));
    }
    DINOMALY_HD void store(T* to) const { native::store(to, lanes); }
    /// Writes the first n (0 to width) lanes only.
    DINOMALY_HD void store(T* to, int n) const { native::store_first(to, lanes, n); }
    DINOMALY_HD void store(bfloat16* to) const requires std::same_as<T, float> { native::store(to, lanes); }
    DINOMALY_HD void store(bfloat16* to, int n) const requires std::same_as<T, float> {
        native::store_first(to, lanes, n);
    }
    /// Past the caches, for results too large to be read back soon; `to` is aligned to sizeof(Packet).
    DINOMALY_HD void stream(T* to) const { native::stream(to, lanes); }

    /// Over all lanes, upper half onto lower half until one is left: the same order on every call.
    DINOMALY_HD T sum() const {
        return native::fold<T>(lanes, [](auto a, auto b) { return a + b; });
    }
    DINOMALY_HD T max() const {
        return native::fold<T>(lanes, [](auto a, auto b) { return a > b ? a : b; });
    }
    DINOMALY_HD T min() const {
        return native::fold<T>(lanes, [](auto a, auto b) { return a < b ? a : b; });
    }

    DINOMALY_HD friend Packet operator+(Packet a, Packet b) { return from_lanes(a.lanes + b.lanes); }
    DINOMALY_HD friend Packet operator-(Packet a, Packet b) { return from_lanes(a.lanes - b.lanes); }
    DINOMALY_HD friend Packet operator*(Packet a, Packet b) { return from_lanes(a.lanes * b.lanes); }
    DINOMALY_HD friend Packet operator/(Packet a, Packet b) { return from_lanes(a.lanes / b.lanes); }
    DINOMALY_HD friend Packet operator-(Packet a) { return from_lanes(-a.lanes); }
    DINOMALY_HD Packet& operator+=(Packet b) { return *this = *this + b; }
    DINOMALY_HD Packet& operator-=(Packet b) { return *this = *this - b; }
    DINOMALY_HD Packet& operator*=(Packet b) { return *this = *this * b; }
    DINOMALY_HD Packet& operator/=(Packet b) { return *this = *this / b; }

    DINOMALY_HD friend Mask operator<(Packet a, Packet b) { return {a.lanes < b.lanes}; }
    DINOMALY_HD friend Mask operator<=(Packet a, Packet b) { return {a.lanes <= b.lanes}; }
    DINOMALY_HD friend Mask operator>(Packet a, Packet b) { return {a.lanes > b.lanes}; }
    DINOMALY_HD friend Mask operator>=(Packet a, Packet b) { return {a.lanes >= b.lanes}; }
    DINOMALY_HD friend Mask operator==(Packet a, Packet b) { return {a.lanes == b.lanes}; }
    DINOMALY_HD friend Mask operator!=(Packet a, Packet b) { return {a.lanes != b.lanes}; }
};

/// x in the first n (0 to width) lanes and `fill` in the others: the tail of a row before it joins a reduction.
template <class T> DINOMALY_HD Packet<T> keep_first(Packet<T> x, int n, T fill) {
    return Packet<T>::from_lanes(native::choose(native::first_mask<T>(n), x.lanes, native::broadcast(fill)));
}

}  // namespace dinomaly::inline DINOMALY_ABI
