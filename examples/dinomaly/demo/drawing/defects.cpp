// SPDX-License-Identifier: Apache-2.0
#include "demo/drawing/defects.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace dinomaly::demo {

namespace {

/// A path that starts at a point and wanders: each step turns by up to `turn` from the last.
std::vector<Vec2> wander(Random& random, Vec2 start, int steps, float step, float turn, float drift) {
    std::vector<Vec2> path{start};
    float angle = random.angle();
    for (int i = 0; i < steps; ++i) {
        angle += drift + random.uniform(-turn, turn);
        path.push_back(path.back() + direction(angle) * step);
    }
    return path;
}

/// The best of a few paths: the one that leaves the part least.
std::vector<Vec2> wander_on_part(const Relief& relief, Random& random, int steps, float step, float turn, float drift) {
    std::vector<Vec2> best;
    std::ptrdiff_t best_points = -1;
    for (int attempt = 0; attempt < 12; ++attempt) {
        std::vector<Vec2> path = wander(random, relief.place(random, 16), steps, step, turn, drift);
        const auto points = std::ranges::count_if(path, [&](Vec2 p) { return relief.near(p).part > 0.9F; });
        if (points > best_points) best.swap(path);
        best_points = std::max(best_points, points);
    }
    return best;
}

float distance(Vec2 p, const std::vector<Vec2>& path) {
    float nearest = 1e9F;
    for (std::size_t i = 1; i < path.size(); ++i) nearest = std::min(nearest, segment(p, path[i - 1], path[i]));
    return nearest;
}

}  // namespace

void add_scratch(Relief& relief, Random& random, Color inside) {
    const std::vector<Vec2> path = wander_on_part(relief, random, 6, random.uniform(7, 11), 0.22F, 0);
    const Vec2 start = path.front();
    const float width = random.uniform(1.4F, 2.3F);
    const std::uint32_t seed = random.word();
    relief.change(start, 70, [&](Vec2 p, Material m) {
        const float along = clamp01(length(p - start) / length(path.back() - start));
        const float taper = std::sqrt(std::max(0.0F, 1 - along)) * (0.8F + 0.3F * noise(p * 0.3F, seed));
        const float d = distance(p, path) - width * taper;
        const float groove = coverage(d, 1.2F) * m.part;
        const float burr = coverage(std::abs(d - 1) - 0.6F, 1.2F) * m.part * std::min(1.0F, 2 * taper);
        m = over(m, {inside, m.height - 1.6F, m.gloss * 0.6F, m.part}, 0.85F * groove);
        m.height += 0.8F * burr;
        return m;
    });
}

void add_stain(Relief& relief, Random& random, Color tint) {
    const Vec2 centre = relief.place(random, 24);
    const float radius = random.uniform(12, 19);
    const float stretch = random.uniform(1, 1.6F);
    const float angle = random.angle();
    const std::uint32_t seed = random.word();
    relief.change(centre, 3 * radius, [&](Vec2 p, Material m) {
        Vec2 q = rotated(p - centre, angle);
        q.y *= stretch;
        const float d = length(q) - radius + 9 * fractal_noise(p * 0.09F, seed, 4);
        const float soaked = coverage(d, 3) * m.part;
        const float rim = smoothstep(-5, 0, d);
        const float strength = soaked * (0.62F + 0.3F * rim + 0.25F * fractal_noise(p * 0.2F, seed + 9, 3));
        m.color = mix(m.color, m.color * tint * 1.1F + tint * 0.05F, clamp01(strength));
        m.gloss *= 1 - 0.8F * clamp01(strength);
        return m;
    });
}

void add_crumbs(Relief& relief, Random& random, Color color) {
    const Vec2 centre = relief.place(random, 26);
    const std::size_t count = 3 + random.index(5);
    for (std::size_t i = 0; i < count; ++i) {
        const float away = random.uniform(0, 17);
        const Vec2 at = centre + direction(random.angle()) * away;
        const float radius = random.uniform(2.2F, 5.5F);
        const std::uint32_t seed = random.word();
        const Color shade = color * random.uniform(0.6F, 1.5F);
        relief.change(at, radius + 5, [&](Vec2 p, Material m) {
            const float d = length(p - at) - radius + 2.2F * fractal_noise(p * 0.35F, seed, 3);
            const float dome = std::sqrt(clamp01(-d / radius));
            const Color rough = shade * (1 + 0.5F * noise(p * 0.8F, seed));
            return over(m, {rough, m.height + 2 * radius * dome, 0.15F, m.part}, coverage(d) * m.part);
        });
    }
}

void add_fibre(Relief& relief, Random& random, Color color) {
    const float drift = random.uniform(0.12F, 0.3F) * (random.index(2) == 0 ? -1.0F : 1.0F);
    const std::vector<Vec2> path = wander_on_part(relief, random, 16, random.uniform(3.5F, 5), 0.3F, drift);
    const Vec2 start = path.front();
    const float width = random.uniform(1.2F, 1.8F);
    relief.change(start, 84, [&](Vec2 p, Material m) {
        const float d = distance(p, path) - width;
        const float round = std::sqrt(clamp01(-d / width));
        return over(m, {color, m.height + 1.5F + 2 * width * round, 0.3F, m.part}, coverage(d) * m.part);
    });
}

}  // namespace dinomaly::demo
