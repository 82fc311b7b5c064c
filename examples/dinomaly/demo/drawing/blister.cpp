// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <cstddef>

#include "demo/drawing/defects.hpp"
#include "demo/drawing/surfaces.hpp"

namespace dinomaly::demo {

namespace {

constexpr std::size_t pockets = 6;
constexpr std::size_t none = pockets;
constexpr float pocket_radius = 25;
constexpr float half_length = 12;  // of a capsule, between the centres of its round ends
constexpr float capsule_radius = 9;

const Color aluminium = srgb(0x9aa2ac);
const Color blue = srgb(0x3f7fc4);
const Color red = srgb(0xd8472f);
const Color cream = srgb(0xf3ead8);
const Color pocket_floor = srgb(0x8e979f);
const Color plastic_edge = srgb(0xe9edf0);
const Color dirt = srgb(0x5a4630);

Vec2 pocket_centre(std::size_t i) {
    return {-58 + 58 * static_cast<float>(i % 3), i < 3 ? -31.0F : 31.0F};
}

struct Blister {
    Vec2 shift;
    float angle;
    std::uint32_t grain;
    std::array<float, pockets> capsule_angle;
    std::size_t missing = none;
    std::size_t wrong_color = none;
    std::size_t broken = none;

    /// Embossed foil: small diamonds pressed into aluminium.
    Material foil(Vec2 p) const {
        const float dents = std::sin((p.x + p.y) * 0.95F) * std::sin((p.x - p.y) * 0.95F);
        const float crinkle = fractal_noise(p * 0.06F, grain, 4);
        const Color crinkled = aluminium * (0.95F + 0.3F * crinkle);
        return {crinkled, 0.26F * dents + 2.0F * crinkle, 0.85F, 1};
    }

    /// The capsule in pocket i over what lies below it; q is relative to the pocket.
    Material capsule(const Material& below, std::size_t i, Vec2 q) const {
        const Vec2 local = rotated(q, -capsule_angle[i]);
        const float d = segment(local, {-half_length, 0}, {half_length, 0}) - capsule_radius;
        float edge = d;
        if (i == broken) edge = std::max(edge, local.x - 2 - 4 * fractal_noise({local.y * 0.3F, 1}, grain + 3, 3));
        const float round =
            std::sqrt(clamp01(1 - (d + capsule_radius) * (d + capsule_radius) / (capsule_radius * capsule_radius)));
        const float cap = coverage(local.x - 1);
        const Color left = i == wrong_color ? blue : red;
        const Color shell = mix(cream, left, cap);
        const float lip = coverage(std::abs(local.x - 1) - 0.5F) * 0.25F;
        return over(below, {shell * (1 - lip), 1 + 1.6F * capsule_radius * round * 0.6F, 0.75F, 1}, coverage(edge));
    }

    Material operator()(Vec2 world) const {
        const Vec2 p = rotated(world, angle) + shift;
        Material m = foil(p);
        for (std::size_t i = 0; i < pockets; ++i) {
            const Vec2 q = p - pocket_centre(i);
            const float d = length(q) - pocket_radius;
            if (d > 4) continue;
            // The pocket's floor is smooth; its wall rises from the foil and bends back inwards.
            const Material floor{pocket_floor * (1 + 0.05F * noise(p * 0.4F, grain + 1)), 0, 0.5F, 1};
            m = over(m, floor, coverage(d + 1, 2));
            if (i != missing) m = capsule(m, i, q);
            const float wall = (d + 1.5F) / 3;
            const float ridge = std::exp(-wall * wall);
            m.height += 3 * ridge;
            m.color = mix(m.color, plastic_edge, 0.22F * ridge);
        }
        return m;
    }
};

}  // namespace

Relief draw_blister(Random random, Fault fault) {
    Blister blister{{random.uniform(-3, 3), random.uniform(-3, 3)}, random.uniform(-0.04F, 0.04F), random.word(), {}};
    for (float& angle : blister.capsule_angle) angle = random.angle();
    if (fault.name == "missing") blister.missing = fault.random.index(pockets);
    if (fault.name == "wrong_color") blister.wrong_color = fault.random.index(pockets);
    if (fault.name == "broken") blister.broken = fault.random.index(pockets);
    Relief relief(blister);
    if (fault.name == "crumbs") add_crumbs(relief, fault.random, dirt);
    return relief;
}

}  // namespace dinomaly::demo
