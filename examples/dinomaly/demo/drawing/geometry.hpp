// SPDX-License-Identifier: Apache-2.0
// Points, and signed distances to simple shapes: negative inside, in pixels. coverage() turns a distance into an
// anti-aliased share of a pixel.
#pragma once

#include <algorithm>
#include <cmath>

namespace dinomaly::demo {

struct Vec2 {
    float x = 0;
    float y = 0;

    friend Vec2 operator+(Vec2 a, Vec2 b) { return {a.x + b.x, a.y + b.y}; }
    friend Vec2 operator-(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }
    friend Vec2 operator*(Vec2 a, float s) { return {a.x * s, a.y * s}; }
};

inline float dot(Vec2 a, Vec2 b) {
    return a.x * b.x + a.y * b.y;
}
inline float length(Vec2 a) {
    return std::sqrt(dot(a, a));
}
inline Vec2 direction(float angle) {
    return {std::cos(angle), std::sin(angle)};
}
inline Vec2 rotated(Vec2 p, float angle) {
    const Vec2 d = direction(angle);
    return {d.x * p.x - d.y * p.y, d.y * p.x + d.x * p.y};
}

inline float mix(float a, float b, float share) {
    return a + (b - a) * share;
}
inline float clamp01(float x) {
    return std::clamp(x, 0.0F, 1.0F);
}

/// 0 below `from`, 1 above `to`, smooth between; `from` may be the larger one.
inline float smoothstep(float from, float to, float x) {
    const float t = clamp01((x - from) / (to - from));
    return t * t * (3 - 2 * t);
}

/// The share of a pixel inside a shape at a signed distance; `softness` is the width of the edge in pixels.
inline float coverage(float distance, float softness = 1) {
    return clamp01(0.5F - distance / softness);
}

inline float circle(Vec2 p, Vec2 centre, float radius) {
    return length(p - centre) - radius;
}

/// A box with rounded corners; `half` is measured without the rounding's loss: the box keeps its size.
inline float rounded_box(Vec2 p, Vec2 centre, Vec2 half, float radius) {
    const Vec2 q{std::abs(p.x - centre.x) - half.x + radius, std::abs(p.y - centre.y) - half.y + radius};
    return std::min(std::max(q.x, q.y), 0.0F) + length({std::max(q.x, 0.0F), std::max(q.y, 0.0F)}) - radius;
}

/// Distance from the segment a-b, not signed; subtract half a width for a line or a capsule.
inline float segment(Vec2 p, Vec2 a, Vec2 b) {
    const Vec2 along = b - a;
    const float t = clamp01(dot(p - a, along) / std::max(dot(along, along), 1e-6F));
    return length(p - a - along * t);
}

}  // namespace dinomaly::demo
