// SPDX-License-Identifier: Apache-2.0
// Small models for the tests, and how computed values are compared with golden ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dinomaly/core/init.hpp"
#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/model.hpp"
#include "tests/support.hpp"

namespace dinomaly::test {

/// What tiny.json of the golden set says.
inline nlohmann::json golden_settings() {
    return nlohmann::json::parse(std::ifstream(golden_dir() / "tiny.json"));
}

/// The golden model's architecture.
inline DinomalyConfig golden_config() {
    const nlohmann::json j = golden_settings().at("config");
    DinomalyConfig config;
    config.encoder = {.width = j.at("embed_dim"),
                      .depth = j.at("depth"),
                      .heads = j.at("heads"),
                      .patch = j.at("patch"),
                      .registers = j.at("registers"),
                      .grid = j.at("position_grid"),
                      .eps = j.at("encoder_norm_eps")};
    config.kept = j.at("targets").get<std::vector<std::int64_t>>();
    config.decoder_norm_eps = j.at("decoder_norm_eps");
    return config;
}

/// A model small enough for central differences: pictures of 28 x 28 are four tokens and a prefix.
inline DinomalyConfig small_config() {
    DinomalyConfig config;
    config.encoder = {.width = 16, .depth = 5, .heads = 2, .patch = 14, .registers = 2, .grid = 3, .eps = 1e-6};
    config.kept = {0, 1, 2, 3};
    config.decoder_depth = 4;
    return config;
}

/// Draws every parameter, scales and biases too, so that no gradient is zero or one by chance.
template <class M> void randomize(M& module, std::uint64_t seed, double deviation = 0.2) {
    Generator random(seed);
    nn::for_each_parameter(module, [&]<Device D>(const std::string& name, Var<D>& p) {
        const bool is_scale = name.find("norm") != std::string::npos && name.ends_with("weight");
        p.value() = normal<D>(p.shape(), random, is_scale ? 1 : 0, deviation);
    });
}

/// A small model with drawn weights.
template <Device D> Dinomaly<D> small_model(std::uint64_t seed = 1, const DinomalyConfig& config = small_config()) {
    Dinomaly<D> model(config);
    randomize(model, seed);
    return model;
}

/// Fills a model from a file of the authors' names, which has a token that is never used, too.
template <class M> void load_published(M& model, const io::StateDict& dict) {
    io::load_weights(model, dict, "", [](const std::string& name) { return name == "encoder.mask_token"; });
}

/// A tensor of a file.
template <Device D> Tensor<D> tensor_of(const io::StateDict& dict, const std::string& name) {
    return Tensor<D>(dict.at(name).shape, dict.as<typename D::value_type>(name));
}

/// The largest difference, as a part of the largest expected value; infinite where the numbers of values differ.
template <class A, class B> double relative_difference(const std::vector<A>& found, const std::vector<B>& expected) {
    if (found.size() != expected.size() || found.empty()) return std::numeric_limits<double>::infinity();
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const double difference = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
        if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
        worst = std::max(worst, difference);
        largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    }
    return largest > 0 ? worst / largest : worst;
}

template <Device D>
double relative_difference(const Tensor<D>& found, const io::StateDict& dict, const std::string& name) {
    return relative_difference(found.to_vector(), dict.as<double>(name));
}

/// All values of a module, one parameter after the other.
template <class M> std::vector<double> values_of(M& module) {
    std::vector<double> all;
    nn::for_each_parameter(module, [&](const std::string&, auto& p) {
        for (auto value : p.value().to_vector()) all.push_back(static_cast<double>(value));
    });
    return all;
}

}  // namespace dinomaly::test
