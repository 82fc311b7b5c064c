// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>

#include "demo/drawing/defects.hpp"
#include "demo/drawing/surfaces.hpp"

namespace dinomaly::demo {

namespace {

constexpr float outer_radius = 78;
constexpr float bore_radius = 26;
constexpr float bolt_circle = 53;
constexpr float bolt_radius = 8.5F;
constexpr std::size_t bolts = 4;
constexpr std::size_t none = bolts;
constexpr float thickness = 8;

const Color rubber = srgb(0x2b333d);
const Color turned_steel = srgb(0xb4b7ba);
const Color groove = srgb(0x33373d);
const Color rust = srgb(0xb5652a);

/// What differs between flanges, and how this one is damaged.
struct Flange {
    Vec2 centre;
    float angle;
    std::uint32_t grain;
    std::size_t undrilled = none;
    float chip_angle = 0;
    float chip_radius = 0;
    std::uint32_t chip_grain = 0;

    Vec2 bolt(std::size_t i) const { return direction(static_cast<float>(i) * 1.5707963F) * bolt_circle; }

    /// Distance to the outline, p relative to the centre and turned with the part.
    float outline(Vec2 p) const {
        const float radius = length(p);
        float d = std::max(radius - outer_radius, bore_radius - radius);
        for (std::size_t i = 0; i < bolts; ++i)
            if (i != undrilled) d = std::max(d, -circle(p, bolt(i), bolt_radius));
        if (chip_radius > 0) {
            const Vec2 at = direction(chip_angle) * (outer_radius + 2);
            d = std::max(d, -(circle(p, at, chip_radius) + 4 * fractal_noise(p * 0.16F, chip_grain, 3)));
        }
        return d;
    }

    Material operator()(Vec2 world) const {
        const float speck = fractal_noise(world * 0.35F, grain + 40, 3);
        const Material mat{rubber * (1 + 0.25F * speck), 0.5F * speck, 0.05F, 0};

        const Vec2 p = rotated(world - centre, -angle);
        const float radius = length(p);
        const float turn = std::atan2(p.y, p.x);
        const float d = outline(p);
        // Turning marks: fine in the radius, long around it.
        const Vec2 along{radius * 1.1F, turn * 2.5F};
        const float marks = 0.7F * noise(along, grain) + 0.3F * noise(along * 2.3F, grain + 1);
        // Light on turned metal gathers in two opposite fans.
        const float fans =
            std::pow(std::abs(std::cos(std::atan2(world.y - centre.y, world.x - centre.x) + 0.8F)), 5.0F);
        const float bevel = smoothstep(0, -5, d);
        const Color steel = turned_steel * (0.62F + 0.5F * fans + 0.13F * marks);
        const Material metal{steel, thickness * std::sqrt(bevel) + 0.12F * marks, 0.55F, coverage(d + 2)};
        return over(mat, metal, coverage(d, 0.8F));
    }
};

}  // namespace

Relief draw_flange(Random random, Fault fault) {
    Flange flange{{random.uniform(-5, 5), random.uniform(-5, 5)}, random.angle(), random.word()};
    if (fault.name == "undrilled") flange.undrilled = fault.random.index(bolts);
    if (fault.name == "chip") {
        flange.chip_angle = fault.random.angle();
        flange.chip_radius = fault.random.uniform(9, 15);
        flange.chip_grain = fault.random.word();
    }
    Relief relief(flange);
    if (fault.name == "scratch") add_scratch(relief, fault.random, groove);
    if (fault.name == "rust") add_stain(relief, fault.random, rust);
    return relief;
}

}  // namespace dinomaly::demo
