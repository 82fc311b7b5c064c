// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): random bits as a function of
// (seed, stream, index), so that any element can be drawn at any time, on any thread, on the host or on the device.
//
// The key is the seed; the 128-bit counter holds the block number in its lower half and the stream in its upper half.
// One block is four 32-bit words, those of elements 4 block ... 4 block + 3.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/native.hpp"
#include "dinomaly/core/packet.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace philox {

// No arrays: device code cannot see them.
inline constexpr std::uint64_t first_multiplier = 0xD2511F53;
inline constexpr std::uint64_t second_multiplier = 0xCD9E8D57;
inline constexpr std::uint32_t first_key_step = 0x9E3779B9;
inline constexpr std::uint32_t second_key_step = 0xBB67AE85;
inline constexpr int rounds = 10;

#ifndef DINOMALY_CUDA

// Several blocks at once: four lanes of 32 bits are one block. A product of two words needs two lanes, so words 0 and 2
// are kept apart from words 1 and 3, each of them in two lanes.
typedef std::uint32_t Words __attribute__((vector_size(native::bytes)));
typedef std::uint64_t Products __attribute__((vector_size(native::bytes)));
inline constexpr int word_count = native::bytes / 4;

/// {first, first, second, second, first, ...}
inline Words doubled(std::uint64_t first, std::uint64_t second) {
    Words x{};
    for (int i = 0; i < word_count; ++i) x[i] = static_cast<std::uint32_t>(i % 4 < 2 ? first : second);
    return x;
}

/// The low and the high word of a[i] b[i] for even i.
inline Words multiply(Words a, Words b) {
#if defined(__AVX512F__)
    return std::bit_cast<Words>(_mm512_maskz_mul_epu32(0xff, std::bit_cast<__m512i>(a), std::bit_cast<__m512i>(b)));
#elif defined(__AVX2__)
    return std::bit_cast<Words>(_mm256_mul_epu32(std::bit_cast<__m256i>(a), std::bit_cast<__m256i>(b)));
#elif defined(__SSE2__) && !defined(__AVX__)
    return std::bit_cast<Words>(_mm_mul_epu32(std::bit_cast<__m128i>(a), std::bit_cast<__m128i>(b)));
#else
    return std::bit_cast<Words>((std::bit_cast<Products>(a) & 0xffffffffU) *
                                (std::bit_cast<Products>(b) & 0xffffffffU));
#endif
}

/// The words of consecutive blocks, in the order of the elements.
template <int... lane>
Words words(std::uint64_t seed, std::uint64_t stream, std::uint64_t first_block, std::integer_sequence<int, lane...>) {
    Products counters{};
    for (int i = 0; i < word_count / 4; ++i) {
        counters[2 * i] = first_block + static_cast<std::uint64_t>(i);
        counters[2 * i + 1] = stream;
    }
    const Words start = std::bit_cast<Words>(counters);
    Words even = __builtin_shufflevector(start, start, (lane & ~1)...);
    Words odd = __builtin_shufflevector(start, start, (lane | 1)...);
    Words key = doubled(seed, seed >> 32);
    for (int round = 0; round < rounds; ++round) {
        const Words product = multiply(even, doubled(first_multiplier, second_multiplier));
        even = __builtin_shufflevector(product, product, ((lane ^ 2) | 1)...) ^ odd ^ key;
        odd = __builtin_shufflevector(product, product, ((lane ^ 2) & ~1)...);
        key += doubled(first_key_step, second_key_step);
    }
    return __builtin_shufflevector(even, odd, (lane % 2 == 0 ? lane : lane + word_count)...);
}

/// As many elements as a packet of floats has, from the start of a block.
inline native::Floats uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t first_block) {
    using Signed = native::Lanes<float>::Mask;  // converted by one instruction, as unsigned words are not
    const Words upper = words(seed, stream, first_block, std::make_integer_sequence<int, word_count>{}) >> 8;
    return __builtin_convertvector(std::bit_cast<Signed>(upper), native::Floats) * 0x1p-24F;
}

#endif

}  // namespace philox

/// A reproducible source of random numbers: one for each (seed, stream).
struct Philox {
    std::uint64_t seed = 0;
    std::uint64_t stream = 0;

    struct Block {
        std::uint32_t word[4];
    };

    /// The four words of a block.
    DINOMALY_HD Block block(std::uint64_t number) const {
        Block x = {{low(number), high(number), low(stream), high(stream)}};
        std::uint32_t key[2] = {low(seed), high(seed)};
        for (int round = 0; round < philox::rounds; ++round) {
            const std::uint64_t first = philox::first_multiplier * x.word[0];
            const std::uint64_t second = philox::second_multiplier * x.word[2];
            x = {{high(second) ^ x.word[1] ^ key[0], low(second), high(first) ^ x.word[3] ^ key[1], low(first)}};
            key[0] += philox::first_key_step;
            key[1] += philox::second_key_step;
        }
        return x;
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    DINOMALY_HD float uniform(std::uint64_t index) const {
        return static_cast<float>(block(index / 4).word[index % 4] >> 8) * 0x1p-24F;
    }

    /// uniform(index), uniform(index + 1), ... of a packet's width, the same numbers in every T; fastest where index is
    /// a multiple of 4.
    template <class T> DINOMALY_HD Packet<T> uniform_packet(std::uint64_t index) const {
#ifdef DINOMALY_CUDA
        Block drawn = block(index / 4);
        Packet<T> x;
        for (unsigned i = 0; i < static_cast<unsigned>(Packet<T>::width); ++i) {
            const unsigned word = static_cast<unsigned>(index % 4) + i;
            if (word == 4) drawn = block(index / 4 + 1);
            x.lanes[i] = static_cast<T>(static_cast<float>(drawn.word[word % 4] >> 8) * 0x1p-24F);
        }
        return x;
#else
        constexpr std::uint64_t width = Packet<float>::width;
        if constexpr (std::is_same_v<T, float>)
            if (index % 4 == 0) return Packet<T>::from_lanes(philox::uniform(seed, stream, index / 4));
        float drawn[2 * width];
        native::store(drawn, philox::uniform(seed, stream, index / 4));
        native::store(drawn + width, philox::uniform(seed, stream, index / 4 + width / 4));
        T chosen[Packet<T>::width];
        for (int i = 0; i < Packet<T>::width; ++i)
            chosen[i] = static_cast<T>(drawn[index % 4 + static_cast<unsigned>(i)]);
        return Packet<T>::load(chosen);
#endif
    }

private:
    DINOMALY_HD static std::uint32_t low(std::uint64_t x) {
        return static_cast<std::uint32_t>(x);
    }
    DINOMALY_HD static std::uint32_t high(std::uint64_t x) {
        return static_cast<std::uint32_t>(x >> 32);
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI
