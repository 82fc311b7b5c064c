// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "demo/drawing/defects.hpp"
#include "demo/drawing/surfaces.hpp"

namespace dinomaly::demo {

namespace {

const Color solder_mask = srgb(0x0f5a36);
const Color covered_copper = srgb(0x2a8a52);
const Color print_white = srgb(0xe4e8e2);
const Color plated_gold = srgb(0xd9ae55);
const Color solder = srgb(0xb9bec4);
const Color darkness = srgb(0x07140d);
const Color black_body = srgb(0x26282c);
const Color bare_copper = srgb(0xd08a5a);

struct Box {
    Vec2 centre;
    Vec2 half;
};
/// A copper line through a few corners.
struct Trace {
    std::vector<Vec2> path;
    Vec2 low;  // the box around the path
    Vec2 high;

    explicit Trace(std::vector<Vec2> corners) : path(std::move(corners)), low(path[0]), high(path[0]) {
        for (Vec2 corner : path) {
            low = {std::min(low.x, corner.x), std::min(low.y, corner.y)};
            high = {std::max(high.x, corner.x), std::max(high.y, corner.y)};
        }
    }

    /// Whether p lies within 5 pixels of the box; most traces are further away, and need no exact distance.
    bool is_near(Vec2 p) const { return p.x > low.x - 5 && p.x < high.x + 5 && p.y > low.y - 5 && p.y < high.y + 5; }
};

/// The layout of the board, the same on every part: a chip's footprint in the middle, small parts around it.
struct Layout {
    std::vector<Box> pads;
    std::vector<Trace> traces;
    std::vector<Vec2> vias;
    std::vector<Box> bodies;    // soldered components
    std::vector<Box> outlines;  // printed in white

    Layout() {
        for (int i = 0; i < 6; ++i) {
            const float x = -32.5F + 13 * static_cast<float>(i);
            const float far = 46 + 6 * static_cast<float>((i + 1) % 3);
            for (const float side : {-1.0F, 1.0F}) {
                pads.push_back({{x, side * 24}, {3.6F, 7}});
                const float spread = x * 1.55F;
                traces.emplace_back(std::vector<Vec2>{
                    {x, side * 24}, {x, side * 34}, {spread, side * far}, {spread, side * (far + 14)}});
                vias.push_back({spread, side * (far + 14)});
            }
        }
        outlines.push_back({{0, 0}, {42, 13}});
        for (const float x : {-66.0F, 66.0F}) {
            for (const float y : {-18.0F, 18.0F}) {
                for (const float end : {-9.0F, 9.0F}) pads.push_back({{x, y + end}, {6, 4}});
                bodies.push_back({{x, y}, {5, 7.5F}});
                outlines.push_back({{x, y}, {9, 16}});
            }
            traces.emplace_back(std::vector<Vec2>{{x, -9}, {x, 9}});
            const float inward = x > 0 ? -1.0F : 1.0F;
            traces.emplace_back(std::vector<Vec2>{{x, 27}, {x, 40}, {x + inward * 9, 49}, {x + inward * 9, 84}});
            traces.emplace_back(std::vector<Vec2>{{x, -27}, {x, -40}, {x - inward * 9, -49}, {x - inward * 9, -84}});
        }
    }
};

constexpr float trace_width = 1.9F;  // half
constexpr std::size_t none = static_cast<std::size_t>(-1);

struct Circuit {
    const Layout& layout;
    Vec2 shift;
    float angle;
    std::uint32_t grain;
    std::size_t missing_pad = none;
    Vec2 cut{};
    float cut_radius = 0;
    Vec2 bridge_from{};
    Vec2 bridge_to{};
    float bridge_width = 0;

    float traces(Vec2 p) const {
        float d = 1e9F;
        for (const Trace& trace : layout.traces) {
            if (!trace.is_near(p)) continue;
            for (std::size_t i = 1; i < trace.path.size(); ++i)
                d = std::min(d, segment(p, trace.path[i - 1], trace.path[i]));
        }
        d -= trace_width;
        if (cut_radius > 0) d = std::max(d, -circle(p, cut, cut_radius) - 1.5F * noise(p * 0.5F, grain + 7));
        return d;
    }

    /// Distance to the nearest box of a list, less `skip`; corners rounded by `radius`. Boxes further than 4 pixels
    /// away do not matter to any caller and need no exact distance.
    static float boxes(Vec2 p, std::span<const Box> list, float radius, std::size_t skip = none) {
        float d = 1e9F;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const auto [centre, half] = list[i];
            const bool is_near = std::abs(p.x - centre.x) < half.x + 4 && std::abs(p.y - centre.y) < half.y + 4;
            if (is_near && i != skip) d = std::min(d, rounded_box(p, centre, half, radius));
        }
        return d;
    }

    Material operator()(Vec2 world) const {
        const Vec2 p = rotated(world, angle) + shift;
        const float glass = fractal_noise({p.x * 0.5F, p.y * 0.5F}, grain, 2);
        const float weave = std::sin(p.x * 1.9F) * std::sin(p.y * 1.9F);
        Material m{solder_mask * (1 + 0.1F * glass + 0.05F * weave), 0.1F * weave + 0.1F * glass, 0.35F, 1};

        const float trace = traces(p);
        m = over(m, {covered_copper * (1 + 0.08F * glass), 1.2F, 0.45F, 1}, coverage(trace, 1.5F));
        const float print = std::abs(boxes(p, layout.outlines, 3)) - 0.7F;
        m = over(m, {print_white, m.height + 0.3F, 0.05F, 1}, 0.92F * coverage(print));
        m = over(m, {print_white, m.height + 0.3F, 0.05F, 1}, 0.92F * coverage(circle(p, {-36, 7}, 1.8F)));

        const float pad = boxes(p, layout.pads, 1.5F, missing_pad);
        const Material gold{plated_gold * (1 + 0.06F * glass), 1.4F + 1.4F * smoothstep(0, -3, pad), 0.8F, 1};
        m = over(m, gold, coverage(pad));
        if (bridge_width > 0) {
            const float d = segment(p, bridge_from, bridge_to) - bridge_width + 1.2F * noise(p * 0.35F, grain + 8);
            const float dome = std::sqrt(clamp01(-d / bridge_width));
            m = over(m, {solder, 2 + 4 * dome, 0.9F, 1}, coverage(d));
        }
        for (Vec2 via : layout.vias) {
            const float d = circle(p, via, 4.4F);
            if (d > 2) continue;
            m = over(m, gold, coverage(d));
            m = over(m, {darkness, -5, 0, 1}, coverage(circle(p, via, 2.1F)));
        }
        const float body = boxes(p, layout.bodies, 1);
        const Material component{black_body * (1 + 0.15F * glass), 6 * std::sqrt(smoothstep(0, -2.5F, body)) + 1, 0.25F,
                                 1};
        return over(m, component, coverage(body));
    }
};

}  // namespace

Relief draw_circuit(Random random, Fault fault) {
    static const Layout layout;
    Circuit board{layout, {random.uniform(-4, 4), random.uniform(-4, 4)}, random.uniform(-0.05F, 0.05F), random.word()};
    constexpr std::size_t chip_pads = 12;  // the first pads, two rows that alternate
    if (fault.name == "missing_pad") board.missing_pad = fault.random.index(chip_pads);
    if (fault.name == "cut_trace") {
        const std::vector<Vec2>& path = layout.traces[fault.random.index(chip_pads)].path;
        board.cut = path[1] + (path[2] - path[1]) * fault.random.uniform(0.35F, 1);
        board.cut_radius = fault.random.uniform(5, 7.5F);
    }
    if (fault.name == "bridge") {
        const std::size_t pad = fault.random.index(chip_pads - 2);
        const Vec2 along{0, fault.random.uniform(-4, 4)};
        board.bridge_from = layout.pads[pad].centre + along;
        board.bridge_to = layout.pads[pad + 2].centre + along;
        board.bridge_width = fault.random.uniform(2.6F, 4);
    }
    Relief relief(board);
    if (fault.name == "scratch") add_scratch(relief, fault.random, bare_copper);
    return relief;
}

}  // namespace dinomaly::demo
