// SPDX-License-Identifier: Apache-2.0
#include "demo/drawing/relief.hpp"

#include <algorithm>
#include <cmath>

namespace dinomaly::demo {

namespace {

constexpr float lamp_height = 0.835F;  // the direction to the lamp has length 1
constexpr float lamp_reach = 0.55F;

/// The direction in which the surface faces, from the slopes of its height.
struct Normal {
    float x, y, z;
};

Normal normal_at(const Relief& relief, int x, int y) {
    constexpr float per_pixel = Relief::oversampling / 2.0F;
    const float dx = (relief.near(x + 1, y).height - relief.near(x - 1, y).height) * per_pixel;
    const float dy = (relief.near(x, y + 1).height - relief.near(x, y - 1).height) * per_pixel;
    const float scale = 1 / std::sqrt(dx * dx + dy * dy + 1);
    return {-dx * scale, -dy * scale, scale};
}

/// 1 in full light, less where the relief rises between the point and the lamp.
float lamp_visibility(const Relief& relief, int x, int y, Vec2 to_lamp) {
    const float height = relief.at(x, y).height;
    float hidden = 0;
    for (int step = 1; step <= 10; ++step) {
        const auto reach = static_cast<float>(step) * 1.2F;  // pixels of the picture
        const auto sx = x + static_cast<int>(to_lamp.x * reach * Relief::oversampling);
        const auto sy = y + static_cast<int>(to_lamp.y * reach * Relief::oversampling);
        const float ray = height + reach * lamp_height / lamp_reach;
        hidden = std::max(hidden, (relief.near(sx, sy).height - ray) / (0.5F + 0.15F * reach));
    }
    return 1 - 0.8F * clamp01(hidden);
}

/// Ambient and diffuse light by the material's colour, and a highlight by its gloss.
Color lit(const Relief& relief, int x, int y, Vec2 to_lamp) {
    const Material& point = relief.at(x, y);
    const Normal n = normal_at(relief, x, y);
    const float visible = lamp_visibility(relief, x, y, to_lamp);
    const float slope = lamp_reach * (n.x * to_lamp.x + n.y * to_lamp.y);
    const float diffuse = std::max(0.0F, slope + lamp_height * n.z);
    // Half way between the lamp and the viewer, who looks straight down.
    const float half = std::sqrt(lamp_reach * lamp_reach + (1 + lamp_height) * (1 + lamp_height));
    const float facing = std::max(0.0F, (slope + (1 + lamp_height) * n.z) / half);
    const float highlight = std::pow(facing, 12 + 60 * point.gloss) * point.gloss;
    return point.color * (0.32F * n.z + 0.75F * diffuse * visible) + grey(0.55F * highlight * visible);
}

std::uint8_t srgb_byte(float linear) {
    const float x = clamp01(linear);
    const float code = x <= 0.0031308F ? 12.92F * x : 1.055F * std::pow(x, 1 / 2.4F) - 0.055F;
    return static_cast<std::uint8_t>(code * 255 + 0.5F);
}

}  // namespace

Color srgb(std::uint32_t code) {
    const auto channel = [code](int shift) {
        const float x = static_cast<float>((code >> shift) & 255U) / 255;
        return x <= 0.04045F ? x / 12.92F : std::pow((x + 0.055F) / 1.055F, 2.4F);
    };
    return {channel(16), channel(8), channel(0)};
}

Material over(const Material& below, const Material& above, float share) {
    return {mix(below.color, above.color, share), mix(below.height, above.height, share),
            mix(below.gloss, above.gloss, share), mix(below.part, above.part, share)};
}

Vec2 Relief::place(Random& random, float margin) const {
    const float limit = picture_side / 2.0F - margin;
    for (;;) {
        const Vec2 p{random.uniform(-limit, limit), random.uniform(-limit, limit)};
        if (near(p).part > 0.9F) return p;
    }
}

Camera::Camera(Random& random)
    : lamp_angle(random.uniform(-2.6F, -2.1F)),
      exposure(random.uniform(0.94F, 1.06F)),
      falloff{random.uniform(-0.07F, 0.07F), random.uniform(-0.07F, 0.07F)},
      noise(random.word()) {}

vision::Image render(const Relief& relief, const Camera& camera) {
    constexpr int side = Relief::picture_side;
    constexpr int fine = Relief::oversampling;
    const Vec2 to_lamp = direction(camera.lamp_angle);
    vision::Image image = vision::make_image(side, side, 3);
    std::uint8_t* out = image.pixels.data();
    for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
            Color sum;
            for (int i = 0; i < fine * fine; ++i)
                sum = sum + lit(relief, x * fine + i % fine, y * fine + i / fine, to_lamp);
            const Vec2 p{2.0F * static_cast<float>(x) / side - 1, 2.0F * static_cast<float>(y) / side - 1};
            const float vignette = 1 - 0.06F * dot(p, p);
            const float grain = 1 + 0.03F * (hash01(x, y, camera.noise) - 0.5F);
            const Color color =
                sum * (camera.exposure * vignette * grain * (1 + dot(p, camera.falloff)) / (fine * fine));
            for (float channel : {color.r, color.g, color.b}) *out++ = srgb_byte(channel);
        }
    }
    return image;
}

}  // namespace dinomaly::demo
