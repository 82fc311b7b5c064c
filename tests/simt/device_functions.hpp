// SPDX-License-Identifier: Apache-2.0
// CUDA's functions for kernels, under their own names: barriers, warp collectives, atomics, bits.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "block.hpp"

inline void __syncthreads() {
    simt::detail::Block::running().meet_block("__syncthreads");
}
inline int __syncthreads_count(int vote) {
    return static_cast<int>(simt::detail::Block::running().meet_block("__syncthreads_count", vote != 0));
}
inline int __syncthreads_or(int vote) {
    return simt::detail::Block::running().meet_block("__syncthreads_or", vote != 0) != 0 ? 1 : 0;
}
inline int __syncthreads_and(int vote) {
    return simt::detail::Block::running().meet_block("__syncthreads_and", vote == 0) == 0 ? 1 : 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffU) {
    unsigned char nothing = 0;
    simt::detail::Block::running().meet_warp("__syncwarp", mask, nothing, [](const auto&) {});
}

namespace simt::detail {

template <class T>
concept Shuffled = std::is_arithmetic_v<T> &&(sizeof(T) == 4 || sizeof(T) == 8);

/// Every lane of the mask receives the value of the lane that it names. Lanes outside the mask cannot be read.
template <Shuffled T> T shuffle(std::string_view at, unsigned mask, T value, unsigned from) {
    struct Operand {
        T value;
        unsigned from;
        T received;
    } mine{value, from, value};
    Block& block = Block::running();
    block.meet_warp(at, mask, mine, [&](const Lanes<Operand>& lanes) {
        for (unsigned lane = 0; lane < warp_size; ++lane) {
            if (!lanes[lane]) continue;
            const Operand* source = lanes[lanes[lane]->from];
            if (!source)
                fail(block.name(), ": lane ", lane, " reads lane ", lanes[lane]->from, ", which is not at ", at);
            lanes[lane]->received = source->value;
        }
    });
    return mine.received;
}

inline unsigned ballot(std::string_view at, unsigned mask, bool vote) {
    struct Operand {
        bool vote;
        unsigned votes;
    } mine{vote, 0};
    Block::running().meet_warp(at, mask, mine, [](const Lanes<Operand>& lanes) {
        unsigned votes = 0;
        for (unsigned lane = 0; lane < warp_size; ++lane)
            if (lanes[lane] && lanes[lane]->vote) votes |= 1U << lane;
        for (Operand* each : lanes)
            if (each) each->votes = votes;
    });
    return mine.votes;
}

inline unsigned lane() {
    return Block::running().thread().lane();
}

}  // namespace simt::detail

template <simt::detail::Shuffled T> T __shfl_sync(unsigned mask, T value, int from, int width = warpSize) {
    const unsigned within = static_cast<unsigned>(width) - 1;
    const unsigned lane = simt::detail::lane();
    return simt::detail::shuffle("__shfl_sync", mask, value, (lane & ~within) | (static_cast<unsigned>(from) & within));
}
template <simt::detail::Shuffled T> T __shfl_xor_sync(unsigned mask, T value, int changed, int width = warpSize) {
    const unsigned within = static_cast<unsigned>(width) - 1;
    const unsigned lane = simt::detail::lane(), from = lane ^ static_cast<unsigned>(changed);
    return simt::detail::shuffle("__shfl_xor_sync", mask, value, from <= (lane | within) ? from : lane);
}
template <simt::detail::Shuffled T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = warpSize) {
    const unsigned within = static_cast<unsigned>(width) - 1;
    const unsigned lane = simt::detail::lane(), from = lane + distance;
    return simt::detail::shuffle("__shfl_down_sync", mask, value, from <= (lane | within) ? from : lane);
}
template <simt::detail::Shuffled T> T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = warpSize) {
    const unsigned within = static_cast<unsigned>(width) - 1;
    const unsigned lane = simt::detail::lane();
    return simt::detail::shuffle("__shfl_up_sync", mask, value, (lane & within) >= distance ? lane - distance : lane);
}

inline unsigned __ballot_sync(unsigned mask, int vote) {
    return simt::detail::ballot("__ballot_sync", mask, vote != 0);
}
inline int __any_sync(unsigned mask, int vote) {
    return simt::detail::ballot("__any_sync", mask, vote != 0) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int vote) {
    return simt::detail::ballot("__all_sync", mask, vote == 0) == 0 ? 1 : 0;
}

namespace simt::detail {

/// Integers only: sums of floats in any order are not the same bits every run.
template <class T>
concept Atomic = std::same_as<T, int> || std::same_as<T, unsigned> || std::same_as<T, unsigned long long>;

}  // namespace simt::detail

template <simt::detail::Atomic T> T atomicAdd(T* place, std::type_identity_t<T> value) {
    using Bits = std::make_unsigned_t<T>;  // wraps around
    const T before = *place;
    *place = static_cast<T>(static_cast<Bits>(before) + static_cast<Bits>(value));
    return before;
}
template <simt::detail::Atomic T> T atomicMax(T* place, std::type_identity_t<T> value) {
    const T before = *place;
    if (value > before) *place = value;
    return before;
}
template <simt::detail::Atomic T> T atomicMin(T* place, std::type_identity_t<T> value) {
    const T before = *place;
    if (value < before) *place = value;
    return before;
}

template <class T> T __ldg(const T* place) {
    return *place;
}
template <std::integral T> T min(T a, T b) {
    return b < a ? b : a;
}
template <std::integral T> T max(T a, T b) {
    return a < b ? b : a;
}
inline int __popc(unsigned x) {
    return std::popcount(x);
}
inline int __clz(int x) {
    return std::countl_zero(static_cast<unsigned>(x));
}
inline unsigned __float_as_uint(float x) {
    return std::bit_cast<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
    return std::bit_cast<float>(x);
}
