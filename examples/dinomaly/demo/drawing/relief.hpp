// SPDX-License-Identifier: Apache-2.0
// A Relief is a part as a small height field with colour and gloss; render() lights it and takes the picture.
//
// Surfaces build a relief point by point, defects then cut, stain or cover it, so that light and shadow fall on both
// alike. Lengths are pixels of the finished picture, the origin is its centre, x right, y down, height towards the
// viewer. Colours are linear light; the picture is sRGB.
#pragma once

#include <cstdint>
#include <vector>

#include "demo/drawing/geometry.hpp"
#include "demo/drawing/noise.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::demo {

/// Linear light, 0..1 a channel.
struct Color {
    float r = 0;
    float g = 0;
    float b = 0;

    friend Color operator+(Color a, Color b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }
    friend Color operator*(Color a, float s) { return {a.r * s, a.g * s, a.b * s}; }
    friend Color operator*(Color a, Color b) { return {a.r * b.r, a.g * b.g, a.b * b.b}; }
};

inline Color mix(Color a, Color b, float share) {
    return a + (b + a * -1) * share;
}
inline Color grey(float value) {
    return {value, value, value};
}
/// The colour of an sRGB code, 0xRRGGBB.
Color srgb(std::uint32_t code);

/// One point of a surface.
struct Material {
    Color color;
    float height = 0;
    float gloss = 0;  ///< 0 matt .. 1 polished
    float part = 1;   ///< 1 where a defect may lie, 0 on the background
};

/// Lays one material over another where share is 1.
Material over(const Material& below, const Material& above, float share);

/// A square height field with colours, drawn finer than the picture.
class Relief {
public:
    static constexpr int picture_side = 192;
    static constexpr int oversampling = 2;
    static constexpr int side = picture_side * oversampling;

    /// Evaluates surface(Vec2) -> Material at every point.
    template <class Surface> explicit Relief(Surface surface) : points_(static_cast<std::size_t>(side) * side) {
        for (int y = 0; y < side; ++y)
            for (int x = 0; x < side; ++x) at(x, y) = surface(position(x, y));
    }

    /// Replaces every point within `reach` of `centre` by change(position, old).
    template <class Change> void change(Vec2 centre, float reach, Change change) {
        for (int y = std::max(grid(centre.y - reach), 0); y < std::min(grid(centre.y + reach), side); ++y)
            for (int x = std::max(grid(centre.x - reach), 0); x < std::min(grid(centre.x + reach), side); ++x)
                at(x, y) = change(position(x, y), at(x, y));
    }

    Material& at(int x, int y) { return points_[static_cast<std::size_t>(y * side + x)]; }
    const Material& at(int x, int y) const { return points_[static_cast<std::size_t>(y * side + x)]; }

    /// Like at(), with the border continued outside.
    const Material& near(int x, int y) const { return at(std::clamp(x, 0, side - 1), std::clamp(y, 0, side - 1)); }
    const Material& near(Vec2 position) const { return near(grid(position.x), grid(position.y)); }

    /// A random position on the part, at least `margin` from the border of the picture.
    Vec2 place(Random& random, float margin) const;

private:
    static int grid(float position) { return static_cast<int>((position + picture_side / 2.0F) * oversampling); }
    static Vec2 position(int x, int y) {
        const auto p = [](int i) { return (static_cast<float>(i) + 0.5F) / oversampling - picture_side / 2.0F; };
        return {p(x), p(y)};
    }

    std::vector<Material> points_;
};

/// How a picture is taken: lamp, exposure, uneven light and sensor noise.
struct Camera {
    float lamp_angle = 0;     ///< where the light comes from
    float exposure = 1;       ///< brightness factor
    Vec2 falloff;             ///< brightness change from the centre to the border
    std::uint32_t noise = 0;  ///< seed of the sensor noise

    explicit Camera(Random& random);
};

/// The lit picture, RGB, Relief::picture_side on each side.
vision::Image render(const Relief& relief, const Camera& camera);

}  // namespace dinomaly::demo
