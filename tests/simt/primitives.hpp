// SPDX-License-Identifier: Apache-2.0
// The library's primitives (backend/cuda/primitives.hpp documents them) as the emulation performs them.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "block.hpp"

namespace simt::detail {

inline constexpr std::uint32_t all_lanes = 0xffffffffU;

inline float widen(std::uint32_t bfloat16_bits) {
    return std::bit_cast<float>(bfloat16_bits << 16);
}
inline float low_half(std::uint32_t word) {
    return widen(word & 0xffffU);
}
inline float high_half(std::uint32_t word) {
    return widen(word >> 16);
}

/// Rounded to nearest even; every NaN becomes the hardware's.
inline std::uint32_t narrow(float x) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(x);
    if (std::isnan(x)) return 0x7fffU;
    return (word + 0x7fffU + ((word >> 16) & 1U)) >> 16;
}

/// Fails unless `place` is `bytes` aligned bytes of the block's shared memory.
inline void expect_shared(Block& block, const void* place, std::size_t bytes, std::string_view at) {
    if (reinterpret_cast<std::uintptr_t>(place) % bytes != 0)
        fail(block.name(), ": ", at, " was given an address that is not aligned to ", bytes, " bytes");
    if (!block.shared().holds(place, bytes)) fail(block.name(), ": ", at, " reaches outside the block's shared memory");
}

/// Operations of the tensor cores take the whole warp.
template <class Operand, class Perform> void meet_whole_warp(std::string_view at, Operand& mine, Perform perform) {
    Block& block = Block::running();
    block.meet_warp(at, all_lanes, mine, [&](const Lanes<Operand>& lanes) {
        for (const Operand* each : lanes)
            if (!each) fail(block.name(), ": ", at, " in a warp of fewer than 32 lanes");
        perform(lanes);
    });
}

template <bool transposed> void load_matrices(std::string_view at, std::uint32_t (&to)[4], const void* row) {
    struct Operand {
        const void* row;
        std::uint32_t (&to)[4];
    } mine{row, to};
    expect_shared(Block::running(), row, 16, at);
    meet_whole_warp(at, mine, [](const Lanes<Operand>& lanes) {
        for (unsigned m = 0; m < 4; ++m) {
            std::uint16_t matrix[8][8];
            for (unsigned r = 0; r < 8; ++r) std::memcpy(matrix[r], lanes[8 * m + r]->row, sizeof matrix[r]);
            for (unsigned lane = 0; lane < warp_size; ++lane) {
                const unsigned r = lane / 4, c = lane % 4 * 2;
                const std::uint32_t low = transposed ? matrix[c][r] : matrix[r][c];
                const std::uint32_t high = transposed ? matrix[c + 1][r] : matrix[r][c + 1];
                lanes[lane]->to[m] = low | high << 16;
            }
        }
    });
}

}  // namespace simt::detail

namespace simt::primitives {

inline unsigned char* shared_memory() {
    return detail::Block::running().shared().data();
}

inline void copy_async(void* shared, const void* global, bool valid) {
    detail::Block& block = detail::Block::running();
    detail::expect_shared(block, shared, detail::Copy::bytes, "copy_async");
    if (valid && reinterpret_cast<std::uintptr_t>(global) % detail::Copy::bytes != 0)
        detail::fail(block.name(), ": copy_async reads from an address that is not aligned to 16 bytes");
    const detail::Copy copy{shared, valid ? global : nullptr};
    if (block.settings().copies == Copies::at_issue) {
        copy.perform();
    } else {
        std::memset(shared, detail::poison, detail::Copy::bytes);
        block.thread().copies.add(copy);
    }
}
inline void commit_copies() {
    detail::Block::running().thread().copies.commit();
}
template <int pending> void wait_copies() {
    detail::Block& block = detail::Block::running();
    block.thread().copies.perform_until(pending);
    block.yield();
}

inline void load_matrices(std::uint32_t (&to)[4], const void* row) {
    detail::load_matrices<false>("load_matrices", to, row);
}
inline void load_matrices_transposed(std::uint32_t (&to)[4], const void* row) {
    detail::load_matrices<true>("load_matrices_transposed", to, row);
}

inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    struct Operand {
        float (&c)[4];
        const std::uint32_t (&a)[4];
        std::uint32_t b[2];
    } mine{c, a, {b0, b1}};
    detail::meet_whole_warp("multiply_add", mine, [](const detail::Lanes<Operand>& lanes) {
        float left[16][16], right[16][8], sums[16][8];
        for (unsigned lane = 0; lane < detail::warp_size; ++lane) {
            const Operand& from = *lanes[lane];
            const unsigned g = lane / 4, t = lane % 4 * 2;
            for (unsigned i = 0; i < 4; ++i) {
                const unsigned row = g + i % 2 * 8, column = t + i / 2 * 8;
                left[row][column] = detail::low_half(from.a[i]);
                left[row][column + 1] = detail::high_half(from.a[i]);
                sums[g + i / 2 * 8][t + i % 2] = from.c[i];
            }
            for (unsigned i = 0; i < 2; ++i) {
                right[t + i * 8][g] = detail::low_half(from.b[i]);
                right[t + i * 8 + 1][g] = detail::high_half(from.b[i]);
            }
        }
        for (unsigned row = 0; row < 16; ++row)
            for (unsigned k = 0; k < 16; ++k)
                for (unsigned column = 0; column < 8; ++column) sums[row][column] += left[row][k] * right[k][column];
        for (unsigned lane = 0; lane < detail::warp_size; ++lane)
            for (unsigned i = 0; i < 4; ++i) lanes[lane]->c[i] = sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
    });
}

inline std::uint32_t pack_bfloat16(float low, float high) {
    return detail::narrow(low) | detail::narrow(high) << 16;
}

inline float exp2_fast(float x) {
    const auto flushed = [](float value) {
        return std::abs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0F, value) : value;
    };
    return flushed(std::exp2(flushed(x)));
}

}  // namespace simt::primitives
