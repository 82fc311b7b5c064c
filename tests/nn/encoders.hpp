// SPDX-License-Identifier: Apache-2.0
// Small encoders, each with other parts, and their features.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/core/init.hpp"
#include "dinomaly/nn/frozen.hpp"

namespace dinomaly::test {

using NamedConfig = std::pair<std::string, nn::VitConfig>;

/// Two blocks each, with every part at least once.
inline std::vector<NamedConfig> encoders_of_all_parts() {
    const nn::VitConfig plain{.width = 32, .depth = 2, .heads = 2, .patch = 4, .registers = 2, .grid = 5};
    std::vector<NamedConfig> all{{"DINOv2", plain}};
    const auto add = [&](const char* name, const auto& change) {
        nn::VitConfig config = plain;
        change(config);
        all.emplace_back(name, config);
    };
    add("DINO", [](nn::VitConfig& c) { c.registers = 0, c.has_layer_scale = false; });
    add("resized by sizes", [](nn::VitConfig& c) { c.resize = nn::PositionResize::size, c.hidden = 40; });
    add("DINOv3", [](nn::VitConfig& c) { c.position = nn::Position::rotary; });
    add("DINOv3, gated", [](nn::VitConfig& c) { c.position = nn::Position::rotary, c.is_gated = true, c.hidden = 48; });
    add("BEiT", [](nn::VitConfig& c) { c.position = nn::Position::relative, c.registers = 0, c.grid = 7; });
    return all;
}

/// An encoder with drawn weights, the same numbers on every device; periods stay those of the formula.
template <Device D> nn::VisionTransformer<D> drawn_encoder(const nn::VitConfig& config) {
    nn::VisionTransformer<D> vit(config);
    Generator random(11);
    nn::for_each_parameter(vit, [&]<Device F>(const std::string& name, Var<F>& p) {
        if (name == "rope.periods") return;
        const bool is_scale = name.find("norm") != std::string::npos && name.ends_with("weight");
        p.value() = normal<F>(p.shape(), random, is_scale ? 1 : 0, 0.2);
    });
    return vit;
}

/// Two pictures of 29 x 31, which is 7 x 7 patches and a rest.
template <Device F> Tensor<F> pictures_with_a_rest() {
    Generator random(12);
    return normal<F>({2, 3, 29, 31}, random);
}

/// Outputs of both blocks, one after the other, of the plain encoder.
template <Device D> std::vector<double> plain_features(const nn::VitConfig& config) {
    std::vector<double> all;
    const NoGrad frozen;
    drawn_encoder<D>(config)(Var<Full<D>>(pictures_with_a_rest<Full<D>>()), 1, [&](std::int64_t, const Var<D>& x) {
        for (const auto value : x.value().to_vector()) all.push_back(static_cast<double>(value));
    });
    return all;
}

/// The same of the frozen one with products in W.
template <Device D, class W> std::vector<double> frozen_features(const nn::VitConfig& config) {
    const nn::FrozenVit<D, W> vit(drawn_encoder<D>(config), 1);
    const Shape shape{2, vit.tokens(29, 31), config.width};
    Tensor<Full<D>> first = zeros<Full<D>>(shape), second = zeros<Full<D>>(shape);
    vit.run(pictures_with_a_rest<Full<D>>().data(), 2, 29, 31, {first.data(), second.data()});
    std::vector<double> all;
    for (const auto& features : {first, second})
        for (const auto value : features.to_vector()) all.push_back(static_cast<double>(value));
    return all;
}

/// The largest difference, as a part of the largest expected value.
inline double distance(const std::vector<double>& found, const std::vector<double>& expected) {
    if (found.size() != expected.size()) return std::numeric_limits<double>::infinity();
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (std::isnan(found[i])) return std::numeric_limits<double>::infinity();
        worst = std::max(worst, std::abs(found[i] - expected[i]));
        largest = std::max(largest, std::abs(expected[i]));
    }
    return worst / largest;
}

}  // namespace dinomaly::test
