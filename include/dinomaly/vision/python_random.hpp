// SPDX-License-Identifier: Apache-2.0
// PythonRandom: the random numbers of CPython's module `random` after random.seed(number), bit for bit, as far as
// random.sample takes them. What the authors' scripts drew in Python is drawn here alike.
//
// CPython: Modules/_randommodule.c (init_by_array of MT19937, getrandbits), Lib/random.py (_randbelow, sample).
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <unordered_set>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// Fills the engine's state as init_by_array does with the 32-bit words of a number, the lowest first, leading zeros
/// left out. In the form of a seed sequence, through which std::mt19937 takes its whole state.
class PythonSeed {
public:
    using result_type = std::uint_least32_t;

    explicit PythonSeed(std::uint64_t number) {
        do key_.push_back(static_cast<std::uint32_t>(number));
        while ((number >>= 32) != 0);
    }

    template <class Iterator> void generate(Iterator begin, Iterator end) const {
        std::vector<std::uint32_t> state(static_cast<std::size_t>(end - begin));
        state[0] = 19650218;
        for (std::size_t i = 1; i < state.size(); ++i)
            state[i] = 1812433253U * mixed(state[i - 1]) + static_cast<std::uint32_t>(i);
        std::size_t i = 1;
        const auto go_on = [&] {
            if (++i < state.size()) return;
            state[0] = state.back();
            i = 1;
        };
        for (std::size_t step = 0; step < std::max(state.size(), key_.size()); ++step) {
            const std::size_t j = step % key_.size();
            state[i] = (state[i] ^ mixed(state[i - 1]) * 1664525U) + key_[j] + static_cast<std::uint32_t>(j);
            go_on();
        }
        for (std::size_t step = 1; step < state.size(); ++step) {
            state[i] = (state[i] ^ mixed(state[i - 1]) * 1566083941U) - static_cast<std::uint32_t>(i);
            go_on();
        }
        state[0] = 0x80000000U;
        std::copy(state.begin(), state.end(), begin);
    }

private:
    static std::uint32_t mixed(std::uint32_t word) { return word ^ word >> 30; }

    std::vector<std::uint32_t> key_;
};

}  // namespace detail

/// Python's generator after random.seed(number).
class PythonRandom {
public:
    explicit PythonRandom(std::uint64_t seed) {
        detail::PythonSeed words(seed);
        engine_.seed(words);
    }

    /// random.getrandbits(count), count 1 .. 64.
    std::uint64_t bits(int count) {
        check(count >= 1 && count <= 64, "random", count, " bits, 1 to 64 expected");
        const auto word = [&](int some) { return static_cast<std::uint64_t>(engine_()) >> (32 - some); };
        if (count <= 32) return word(count);
        const std::uint64_t low = word(32);
        return word(count - 32) << 32 | low;
    }

    /// A whole number in 0 .. bound-1 (random._randbelow), bound above 0.
    std::uint64_t below(std::uint64_t bound) {
        check(bound > 0, "random", "a number below 0");
        std::uint64_t drawn = 0;
        do drawn = bits(static_cast<int>(std::bit_width(bound)));
        while (drawn >= bound);
        return drawn;
    }

    /// random.sample(range(population), count): different numbers in the order in which they were drawn. Throws when
    /// there are not as many.
    std::vector<std::size_t> sample(std::size_t population, std::size_t count) {
        check(count <= population, "random", count, " of ", population, " cannot be drawn");
        std::vector<std::size_t> drawn;
        if (population <= largest_pool(count)) {
            std::vector<std::size_t> pool(population);
            std::iota(pool.begin(), pool.end(), std::size_t{0});
            for (std::size_t left = population; drawn.size() < count; --left) {
                std::size_t& taken = pool[static_cast<std::size_t>(below(left))];
                drawn.push_back(taken);
                taken = pool[left - 1];
            }
            return drawn;
        }
        std::unordered_set<std::size_t> known;
        while (drawn.size() < count) {
            const auto number = static_cast<std::size_t>(below(population));
            if (known.insert(number).second) drawn.push_back(number);
        }
        return drawn;
    }

private:
    /// Up to which population Python draws from a list of all; above, it draws again what it had already.
    static std::size_t largest_pool(std::size_t count) {
        std::size_t size = 21;  // a small set's memory, in places of a list
        if (count > 5)
            size += static_cast<std::size_t>(
                std::pow(4, std::ceil(std::log(3.0 * static_cast<double>(count)) / std::log(4.0))));
        return size;
    }

    std::mt19937 engine_;
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
