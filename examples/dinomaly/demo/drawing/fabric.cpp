// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "demo/drawing/defects.hpp"
#include "demo/drawing/surfaces.hpp"

namespace dinomaly::demo {

namespace {

constexpr float pitch = 7;  // pixels from thread to thread

const Color indigo = srgb(0x33507f);
const Color undyed = srgb(0xc9ced6);
const Color gap = srgb(0x10141c);
const Color darkness = srgb(0x0c0f15);
const Color oil = srgb(0x5a4a2c);
const Color red_yarn = srgb(0xc8322b);

/// One set of parallel threads.
struct Threads {
    Color color;
    std::uint32_t grain;

    /// The thread `index` at `across` (-0.5..0.5 of the pitch) and `along` (in pitches), lifted by `lift` 0..1.
    Material operator()(int index, float across, float along, float lift) const {
        const float tone = 0.85F + 0.3F * hash01(index, 0, grain);
        const float width = 0.47F + 0.04F * noise({along * 0.7F, static_cast<float>(index) * 7.3F}, grain + 1);
        const float round = std::sqrt(clamp01(1 - across * across / (width * width)));
        // Plied yarn: fibres run askew along the thread.
        const float fibres =
            noise({(along + 1.6F * across) * 4.5F, across * 3}, grain + 2 + static_cast<std::uint32_t>(index));
        const Color dyed = color * (tone * (0.8F + 0.22F * fibres) * (0.45F + 0.55F * round));
        return {dyed, 2.4F * round * round + 2.6F * lift + 0.25F * fibres, 0.04F, 1};
    }
};

struct Fabric {
    Vec2 shift;
    float angle;
    std::uint32_t grain;
    int broken_thread = 1000;  // weft; far outside when none is broken
    float break_begin = 0;
    float break_end = 0;
    Vec2 hole{};
    float hole_radius = 0;

    /// Twill: each weft thread passes over two warp threads and under two, one step further every row.
    static float weft_lift(float along, int row) {
        const float phase = (along + static_cast<float>(row)) * 1.5707963F;
        return 0.5F + 0.5F * std::clamp(1.6F * std::sin(phase + 0.785F), -1.0F, 1.0F);
    }

    Material operator()(Vec2 world) const {
        const Vec2 slack{1.2F * fractal_noise(world * 0.025F, grain + 20, 2),
                         1.2F * fractal_noise(world * 0.025F, grain + 30, 2)};
        const Vec2 p = (rotated(world, angle) + shift + slack) * (1 / pitch);
        const int column = static_cast<int>(std::floor(p.x));
        const int row = static_cast<int>(std::floor(p.y));
        const float x = p.x - static_cast<float>(column) - 0.5F;
        const float y = p.y - static_cast<float>(row) - 0.5F;

        const float weft_up = weft_lift(p.x, row);
        const Threads warp{indigo, grain};
        const Threads weft{undyed, grain + 1000};
        const Material below{gap, -1, 0, 1};
        const Material vertical = warp(column, x, p.y, 1 - weft_up);
        const Material horizontal = weft(row, y, p.x, weft_up);
        const bool broken = row == broken_thread && p.x > break_begin && p.x < break_end;
        const float vertical_share = coverage((std::abs(x) - 0.47F) * pitch);
        const float horizontal_share = broken ? 0 : coverage((std::abs(y) - 0.47F) * pitch);
        Material cloth = weft_up > 0.5F ? over(over(below, vertical, vertical_share), horizontal, horizontal_share)
                                        : over(over(below, horizontal, horizontal_share), vertical, vertical_share);
        if (hole_radius > 0) {
            const float d = circle(world, hole, hole_radius) + 7 * fractal_noise(world * 0.13F, grain + 50, 3);
            const float frayed = smoothstep(5, 0, d);
            cloth.height += 1.5F * frayed;
            cloth = over(cloth, {darkness, -6, 0, 1}, coverage(d, 1.5F));
        }
        return cloth;
    }
};

}  // namespace

Relief draw_fabric(Random random, Fault fault) {
    Fabric fabric{{random.uniform(0, 200), random.uniform(0, 200)}, random.uniform(-0.12F, 0.12F), random.word()};
    if (fault.name == "broken_thread") {
        const Vec2 middle =
            (fabric.shift + Vec2{fault.random.uniform(-45, 45), fault.random.uniform(-45, 45)}) * (1 / pitch);
        const float half = fault.random.uniform(2.5F, 4.5F);
        fabric.broken_thread = static_cast<int>(std::floor(middle.y));
        fabric.break_begin = middle.x - half;
        fabric.break_end = middle.x + half;
    }
    if (fault.name == "hole") {
        fabric.hole = {fault.random.uniform(-65, 65), fault.random.uniform(-65, 65)};
        fabric.hole_radius = fault.random.uniform(8, 13);
    }
    Relief relief(fabric);
    if (fault.name == "oil") add_stain(relief, fault.random, oil);
    if (fault.name == "fibre") add_fibre(relief, fault.random, red_yarn);
    return relief;
}

}  // namespace dinomaly::demo
