// SPDX-License-Identifier: Apache-2.0
// Everything random in the drawings. Random is a sequence of draws; noise is a function of position and seed, so a
// texture is the same whatever order it is evaluated in.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "demo/drawing/geometry.hpp"

namespace dinomaly::demo {

/// A well mixed 32 bit word of three.
inline std::uint32_t hash(std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0) {
    std::uint32_t h = a * 0x9e3779b1U ^ (b + 0x7f4a7c15U) * 0x85ebca77U ^ (c + 0x165667b1U) * 0xc2b2ae3dU;
    h = (h ^ (h >> 15)) * 0x2c1b3c6dU;
    h = (h ^ (h >> 12)) * 0x297a2d39U;
    return h ^ (h >> 15);
}

/// A number in [0, 1) for a pair of integers.
inline float hash01(int x, int y, std::uint32_t seed) {
    const std::uint32_t h = hash(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), seed);
    return static_cast<float>(h >> 8) / static_cast<float>(1U << 24);
}

/// A repeatable sequence of random numbers.
class Random {
public:
    explicit Random(std::uint32_t seed) : seed_(seed) {}

    std::uint32_t word() { return hash(seed_, count_++); }
    float uniform(float low, float high) { return mix(low, high, static_cast<float>(word() >> 8) / (1U << 24)); }
    /// An integer in [0, count).
    std::size_t index(std::size_t count) { return word() % count; }
    float angle() { return uniform(0, 6.2831853F); }

private:
    std::uint32_t seed_;
    std::uint32_t count_ = 0;
};

/// Smooth noise in [-1, 1] that varies over about one unit.
inline float noise(Vec2 p, std::uint32_t seed) {
    const float x = std::floor(p.x);
    const float y = std::floor(p.y);
    const int ix = static_cast<int>(x);
    const int iy = static_cast<int>(y);
    const float u = smoothstep(0, 1, p.x - x);
    const float v = smoothstep(0, 1, p.y - y);
    const float top = mix(hash01(ix, iy, seed), hash01(ix + 1, iy, seed), u);
    const float bottom = mix(hash01(ix, iy + 1, seed), hash01(ix + 1, iy + 1, seed), u);
    return 2 * mix(top, bottom, v) - 1;
}

/// Fractal noise in about [-1, 1]: each octave has twice the frequency and half the weight.
inline float fractal_noise(Vec2 p, std::uint32_t seed, int octaves) {
    float sum = 0;
    float weight = 0.5F;
    for (int octave = 0; octave < octaves; ++octave) {
        sum += weight * noise(p, seed + static_cast<std::uint32_t>(octave));
        p = rotated(p * 2.03F, 0.5F);  // turned, so that the grids of the octaves do not line up
        weight *= 0.5F;
    }
    return sum;
}

}  // namespace dinomaly::demo
