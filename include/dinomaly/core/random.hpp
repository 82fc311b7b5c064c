// SPDX-License-Identifier: Apache-2.0
// Distributions over Philox for the host: normal and truncated normal, in double, and a generator that draws in
// sequence. They initialise weights and shuffle; dropout draws from Philox itself.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/philox.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// The inverse of std::erf: infinite at -1 and 1, NaN beyond.
inline double inverse_erf(double x) {
    if (!(std::abs(x) < 1)) return std::abs(x) == 1 ? std::copysign(std::numeric_limits<double>::infinity(), x) : NAN;
    const double size = std::abs(x);

    // erf(y)^2 is about 1 - exp(-y^2 (4/pi + a y^2)/(1 + a y^2)), which can be solved for y: good to 2e-3.
    const double a = 0.147;
    const double log_rest = std::log((1 - size) * (1 + size));
    const double half = 2 / (std::numbers::pi * a) + log_rest / 2;
    double y = std::sqrt(std::sqrt(half * half - log_rest / a) - half);

    for (int step = 0; step < 2; ++step) {  // Halley's, which triples the digits
        const double error = size < 0.5 ? std::erf(y) - size : (1 - size) - std::erfc(y);
        const double newton = error * std::exp(y * y) / (2 * std::numbers::inv_sqrtpi);
        y -= newton / (1 + y * newton);
    }
    return std::copysign(y, x);
}

/// Uniform in (0, 1] with 53 bits, from two words.
inline double uniform_from(std::uint32_t high, std::uint32_t low) {
    const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
    return (static_cast<double>(bits) + 1) * 0x1p-53;
}

/// Element `index` of a standard normal sequence (Box and Muller); elements 2 k and 2 k + 1 share block k.
inline double normal(const Philox& random, std::uint64_t index) {
    const auto [word] = random.block(index / 2);
    const double radius = std::sqrt(-2 * std::log(uniform_from(word[0], word[1])));
    const double angle = 2 * std::numbers::pi * uniform_from(word[2], word[3]);
    return radius * (index % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

/// Element `index` (block `index`) of a sequence of normal numbers with mean 0 and deviation `deviation`, conditioned
/// to [low, high]: the inverse of the distribution function, as torch.nn.init.trunc_normal_.
inline double truncated_normal(const Philox& random, std::uint64_t index, double deviation, double low, double high) {
    check(deviation > 0 && low < high, "truncated_normal", "deviation ", deviation, " over [", low, ", ", high,
          "], expected a positive one and low < high");
    const auto erf_at = [&](double x) { return std::erf(x / (deviation * std::numbers::sqrt2)); };
    const auto [word] = random.block(index);
    const double position = erf_at(low) + uniform_from(word[0], word[1]) * (erf_at(high) - erf_at(low));
    return std::clamp(deviation * std::numbers::sqrt2 * inverse_erf(position), low, high);
}

/// Draws one after the other, each from a block of its own. seed, stream and position are its whole state.
class Generator {
public:
    explicit Generator(std::uint64_t seed, std::uint64_t stream = 0) : random_{seed, stream} {}

    /// In (0, 1].
    double uniform() {
        const auto [word] = random_.block(next_++);
        return uniform_from(word[0], word[1]);
    }
    double normal() { return dinomaly::normal(random_, 2 * next_++); }
    double truncated_normal(double deviation, double low, double high) {
        return dinomaly::truncated_normal(random_, next_++, deviation, low, high);
    }
    /// One of 0 ... count - 1, all equally likely. Throws for count 0.
    std::uint64_t below(std::uint64_t count) {
        check(count > 0, "below", "a choice from nothing, expected a positive count");
        const std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
        std::uint64_t drawn = 0;
        do {
            const auto [word] = random_.block(next_++);
            drawn = std::uint64_t{word[0]} << 32 | word[1];
        } while (drawn >= all - all % count);  // the last, incomplete run of `count` numbers would favour some
        return drawn % count;
    }

    /// The number of blocks used so far; seek() goes on from there.
    std::uint64_t position() const { return next_; }
    void seek(std::uint64_t position) { next_ = position; }

private:
    Philox random_;
    std::uint64_t next_ = 0;
};

}  // namespace dinomaly::inline DINOMALY_ABI
