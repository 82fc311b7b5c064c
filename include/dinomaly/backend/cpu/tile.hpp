// SPDX-License-Identifier: Apache-2.0
// The innermost loop of every product on the CPU: a tile of 6 x 64 sums that stays in registers.
//
// A tile is 24 vectors of sums (AVX-512: 6 rows of 4 vectors; elsewhere 6 rows of 2). Each step loads one row of the
// right operand's panel, spreads one word of each of the six left rows over a vector, and adds 24 products. A word is
// 32 bits: one float, a pair of bfloat16 or four bytes, whose products the machine sums at once. That is all that
// differs between the types, and Dot<T> says it. Two loads feed four products, so the loop runs at the speed of
// arithmetic.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/native.hpp"

#ifdef __CUDACC__  // does not know g++'s pragmas
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675
#endif

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Codes of a quantised operand: an activation is unsigned, a weight signed.
using Code = std::uint8_t;

/// The 32 bits at `from` in every lane.
inline native::Words spread_word(const void* from) {
    std::int32_t word;
    std::memcpy(&word, from, sizeof word);
    return native::Words{} + word;
}

/// A vector of words from memory. (Of an array filled at once g++ 12 keeps a copy on the stack.)
template <class Lanes> Lanes load_words(const void* from) {
    Lanes lanes;
    std::memcpy(&lanes, from, sizeof lanes);
    return lanes;
}

/// sum + a b for every lane, where a and b are words of T. Sum is the type of the sums.
template <class T> struct Dot;

template <> struct Dot<float> {
    using Sum = float;
    using Sums = native::Floats;
    using Lanes = native::Floats;

    static Lanes spread(const float* a) { return *a - native::Floats{}; }
    static Sums add(Sums sums, Lanes a, Lanes b) { return native::fma(a, b, sums); }
};

template <> struct Dot<bfloat16> {
    using Sum = float;
    using Sums = native::Floats;
    using Lanes = native::Words;

    static Lanes spread(const bfloat16* a) { return spread_word(a); }
    static Sums add(Sums sums, Lanes a, Lanes b) {
#if defined(__AVX512BF16__) && !defined(DINOMALY_CUDA)
        return _mm512_dpbf16_ps(sums, std::bit_cast<__m512bh>(a), std::bit_cast<__m512bh>(b));
#else
        const auto upper = [](Lanes x) { return std::bit_cast<native::Floats>(x & ~0xffff); };
        const auto lower = [](Lanes x) { return std::bit_cast<native::Floats>(x << 16); };
        return native::fma(upper(a), upper(b), native::fma(lower(a), lower(b), sums));
#endif
    }
};

template <> struct Dot<Code> {
    using Sum = std::int32_t;
    using Sums = native::Words;
    using Lanes = native::Words;

    static Lanes spread(const Code* a) { return spread_word(a); }
    static Sums add(Sums sums, Lanes a, Lanes b) {
#if defined(__AVX512VNNI__) && !defined(DINOMALY_CUDA)
        return std::bit_cast<Sums>(
            _mm512_dpbusd_epi32(std::bit_cast<__m512i>(sums), std::bit_cast<__m512i>(a), std::bit_cast<__m512i>(b)));
#else
        for (int byte = 0; byte < 4; ++byte) sums += ((a >> (8 * byte)) & 0xff) * ((b << (24 - 8 * byte)) >> 24);
        return sums;
#endif
    }
};

/// The shape of a tile, and elements of T in a word.
template <class T> struct Tile {
    static constexpr int width = sizeof(native::Floats) / sizeof(float);
    static constexpr int vectors = width == 16 ? 4 : 2;
    static constexpr std::int64_t rows = 6, cols = vectors * width;
    static constexpr std::int64_t per_word = 4 / static_cast<std::int64_t>(sizeof(T));
};

/// Memory that is read after this tile, fetched into the second cache meanwhile: a line each word of the tile.
struct Ahead {
    const char* next;
    std::int64_t stride;  // bytes from one word's line to the next one's
};

/// c [rows, Tile::cols] = or += a [rows, words] b [words, Tile::cols]. Strides count elements: of a from row to row and
/// from word to word, of b from word to word. Not inlined: around it the compiler would spill the sums.
template <class T, int rows>
[[gnu::noinline]] void tile(std::int64_t words, const T* a, std::int64_t row_stride, std::int64_t word_stride,
                            const T* b, std::int64_t b_stride, typename Dot<T>::Sum* c, std::int64_t c_stride,
                            bool adds, Ahead ahead) {
    using Sums = typename Dot<T>::Sums;
    constexpr int vectors = Tile<T>::vectors, width = Tile<T>::width;
    Sums sums[rows][vectors];
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            __builtin_prefetch(c + r * c_stride + v * width, 1, 3);  // written at the end
            sums[r][v] = Sums{};
        }
#pragma GCC unroll 2
    for (; words > 0; --words, a += word_stride, b += b_stride, ahead.next += ahead.stride) {
        __builtin_prefetch(ahead.next, 0, 2);
        typename Dot<T>::Lanes right[vectors];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
            right[v] = load_words<typename Dot<T>::Lanes>(b + v * width * Tile<T>::per_word);
#pragma GCC unroll 6
        for (int r = 0; r < rows; ++r) {
            const auto left = Dot<T>::spread(a + r * row_stride);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; ++v) sums[r][v] = Dot<T>::add(sums[r][v], left, right[v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
            auto* to = c + r * c_stride + v * width;
            Sums before{};
            if (adds) std::memcpy(&before, to, sizeof before);
            const Sums total = before + sums[r][v];
            std::memcpy(to, &total, sizeof total);
        }
}

/// tile() for 1 to 6 rows and 1 to Tile::cols columns of c.
template <class T>
void tile(std::int64_t rows, std::int64_t cols, std::int64_t words, const T* a, std::int64_t row_stride,
          std::int64_t word_stride, const T* b, std::int64_t b_stride, typename Dot<T>::Sum* c, std::int64_t c_stride,
          bool adds, Ahead ahead) {
    using Sum = typename Dot<T>::Sum;
    Sum part[Tile<T>::rows * Tile<T>::cols];
    const bool whole = cols == Tile<T>::cols;
    Sum* to = whole ? c : part;
    const std::int64_t to_stride = whole ? c_stride : Tile<T>::cols;
    const auto run = [&]<int n>() {
        tile<T, n>(words, a, row_stride, word_stride, b, b_stride, to, to_stride, adds && whole, ahead);
    };
    switch (rows) {
        case 1: run.template operator()<1>(); break;
        case 2: run.template operator()<2>(); break;
        case 3: run.template operator()<3>(); break;
        case 4: run.template operator()<4>(); break;
        case 5: run.template operator()<5>(); break;
        default: run.template operator()<6>(); break;
    }
    if (whole) return;
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t col = 0; col < cols; ++col) {
            const Sum sum = part[r * Tile<T>::cols + col];
            c[r * c_stride + col] = adds ? c[r * c_stride + col] + sum : sum;
        }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
