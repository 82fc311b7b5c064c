// SPDX-License-Identifier: Apache-2.0
// Models in files. A file of ours is a safetensors file with encoder.*, bottleneck.* and decoder.* and, in its metadata
// under "dinomaly", a JSON object with everything that is needed to use it: the architecture, the picture sizes, the
// class names, hashes. A checkpoint of the authors has the tensors alone; the architecture is then read off their
// shapes.
#pragma once

#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/io/hash.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/model.hpp"
#include "dinomaly/nn/init.hpp"
#include "dinomaly/version.hpp"
#include "dinomaly/vision/preprocess.hpp"

namespace dinomaly {

/// What a model file says besides the weights.
struct ModelInfo {
    vision::Preprocess sizes;
    std::vector<std::string> classes;
    std::string encoder_hash;                            ///< io::hash of the encoder's tensors, as they were loaded
    std::string trained_hash;                            ///< io::hash of bottleneck and decoder
    nlohmann::json training = nlohmann::json::object();  ///< the settings it was trained with
};

}  // namespace dinomaly

namespace dinomaly::inline DINOMALY_ABI {

/// A model and what its file says about it.
template <Device D> struct LoadedModel {
    Dinomaly<D> model;
    ModelInfo info;
};

namespace detail {

/// The blocks whose output Dinomaly restores, by the encoder's depth (the authors' choice for S, B and L).
inline std::vector<std::int64_t> kept_blocks(const std::string& source, std::int64_t depth) {
    check(depth == 12 || depth == 24, source.c_str(), "an encoder of ", depth, " blocks; 12 (S, B) or 24 (L) expected");
    return depth == 12 ? eight_blocks(2, 1) : eight_blocks(4, 2);
}

inline bool is_unused(const std::string& name) {
    return name.ends_with("mask_token");
}

inline nlohmann::json to_json(const DinomalyConfig& c) {
    return {{"width", c.encoder.width},          {"depth", c.encoder.depth},
            {"heads", c.encoder.heads},          {"patch", c.encoder.patch},
            {"registers", c.encoder.registers},  {"position_grid", c.encoder.grid},
            {"encoder_norm_eps", c.encoder.eps}, {"kept_blocks", c.kept},
            {"decoder_depth", c.decoder_depth},  {"decoder_norm_eps", c.decoder_norm_eps},
            {"attention_eps", c.attention_eps}};
}

/// A field that holds a whole number from 0 to the largest int; nothing else is taken for one.
inline int whole_number(const nlohmann::json& value, const char* name) {
    const std::int64_t number = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    check(number >= 0 && number <= std::numeric_limits<int>::max(), name, value.dump(),
          " found, a whole number expected");
    return static_cast<int>(number);
}

inline DinomalyConfig config_from_json(const nlohmann::json& j) {
    const auto number = [&](const char* name) { return whole_number(j.at(name), name); };
    DinomalyConfig c;
    c.encoder = {.width = number("width"),
                 .depth = number("depth"),
                 .heads = number("heads"),
                 .patch = number("patch"),
                 .registers = number("registers"),
                 .grid = number("position_grid"),
                 .eps = j.at("encoder_norm_eps").get<double>()};
    c.kept.clear();
    for (const auto& block : j.at("kept_blocks")) c.kept.push_back(whole_number(block, "kept_blocks"));
    c.decoder_depth = number("decoder_depth");
    c.decoder_norm_eps = j.at("decoder_norm_eps").get<double>();
    c.attention_eps = j.at("attention_eps").get<double>();
    c.validate();
    return c;
}

/// Reads the metadata field of a model file. Throws Error for whatever is not as save_model() writes it.
inline void read_metadata(const std::string& path, const std::string& text, DinomalyConfig& config, ModelInfo& info) {
    const auto shallow = [](int depth, auto, auto&) {
        check(depth < 100, "depth", "objects in objects in objects: fewer than 100 expected");
        return true;
    };
    try {
        const nlohmann::json j = nlohmann::json::parse(text, shallow);
        config = config_from_json(j.at("model"));
        info.sizes = {.size = whole_number(j.at("size"), "size"),
                      .crop = whole_number(j.at("crop"), "crop"),
                      .patch = static_cast<int>(config.encoder.patch)};
        info.sizes.validate();
        j.at("classes").get_to(info.classes);
        j.at("encoder_hash").get_to(info.encoder_hash);
        j.at("trained_hash").get_to(info.trained_hash);
        info.training = j.at("training");
        check(info.training.is_object(), "training", "an object expected");
    } catch (const std::exception& error) {
        fail(path, "the metadata field \"dinomaly\" is damaged: ", error.what());
    }
}

}  // namespace detail

/// A Dinomaly on a published DINOv2 architecture: "small", "base" or "large". Throws Error for another name.
inline DinomalyConfig published_config(const std::string& name, std::int64_t registers = 4) {
    DinomalyConfig config;
    if (name == "small")
        config.encoder = {.width = 384, .depth = 12, .heads = 6};
    else if (name == "base")
        config.encoder = {.width = 768, .depth = 12, .heads = 12};
    else if (name == "large")
        config.encoder = {.width = 1024, .depth = 24, .heads = 16};
    else
        fail("model", "architecture \"", name, "\"; small, base or large expected");
    config.encoder.registers = registers;
    config.kept = detail::kept_blocks("model", config.encoder.depth);
    return config;
}

/// The architecture of a DINOv2 encoder, read off the shapes of the tensors whose names begin with prefix. Throws Error
/// that says which tensor is missing or unexpected.
inline nn::VitConfig recognise_encoder(const io::StateDict& dict, const std::string& prefix = "") {
    const std::string source = dict.source();
    const auto shape = [&](const std::string& name, int rank) {
        const io::RawTensor* tensor = dict.find(prefix + name);
        check(tensor != nullptr, source.c_str(), "no DINOv2 encoder: the tensor \"", prefix, name, "\" is missing");
        check(tensor->shape.rank() == rank, source.c_str(), '"', prefix, name, "\" has shape ", tensor->shape,
              "; rank ", rank, " expected");
        return tensor->shape;
    };
    nn::VitConfig config;
    const Shape projection = shape("patch_embed.proj.weight", 4), position = shape("pos_embed", 3);
    config.width = projection[0];
    config.patch = projection[2];
    check(config.width > 0 && projection[1] == 3 && config.patch > 0 && projection[3] == config.patch, source.c_str(),
          '"', prefix, "patch_embed.proj.weight\" has shape ", projection, "; [C, 3, p, p] expected");
    check(config.width % 64 == 0, source.c_str(), "an encoder of width ", config.width,
          "; a multiple of 64 (one head) expected");
    config.heads = config.width / 64;
    config.depth = 0;
    while (dict.contains(prefix + "blocks." + std::to_string(config.depth) + ".norm1.weight")) ++config.depth;
    config.registers = dict.contains(prefix + "register_tokens") ? shape("register_tokens", 3)[1] : 0;
    config.grid = static_cast<std::int64_t>(
        std::lround(std::sqrt(static_cast<double>(std::max<std::int64_t>(0, position[1] - 1)))));
    check(config.grid > 0 && config.grid * config.grid + 1 == position[1], source.c_str(), '"', prefix,
          "pos_embed\" has shape ", position, "; [1, 1 + a square number, C] expected");
    return config;
}

/// A Dinomaly with the encoder of a published DINOv2 file (.pth or safetensors) and the first values of what is to be
/// trained, drawn from seed. The encoder is frozen.
template <Device D>
LoadedModel<D> new_model(const std::filesystem::path& encoder_file, const vision::Preprocess& sizes, std::uint64_t seed,
                         double attention_eps = 0) {
    const io::StateDict dict = io::load_state_dict(encoder_file);
    DinomalyConfig config;
    config.encoder = recognise_encoder(dict);
    config.kept = detail::kept_blocks(dict.source(), config.encoder.depth);
    config.attention_eps = attention_eps;
    config.validate();
    ModelInfo info;
    info.sizes = sizes;
    info.sizes.patch = static_cast<int>(config.encoder.patch);
    info.sizes.validate();
    info.encoder_hash = io::hash(dict);
    nn::VisionTransformer<io::ShapesOnly> outline(config.encoder);
    io::check_weights(outline, dict, "", detail::is_unused);
    LoadedModel<D> loaded{Dinomaly<D>(config), std::move(info)};
    io::load_weights(loaded.model.encoder, dict, "", detail::is_unused);
    auto trained = loaded.model.trained();
    nn::init_trained(trained, seed);
    return loaded;
}

/// Reads a model: a file of ours, or a checkpoint of the authors (encoder.*, bottleneck.*, decoder.*). Sizes that the
/// file does not tell are 448 and 392. Throws Error for anything that does not fit.
template <Device D> LoadedModel<D> load_model(const std::filesystem::path& path) {
    const io::StateDict dict = io::load_state_dict(path);
    DinomalyConfig config;
    ModelInfo info;
    if (const auto found = dict.metadata.find("dinomaly"); found != dict.metadata.end()) {
        detail::read_metadata(path.string(), found->second, config, info);
    } else {
        check(dict.contains("bottleneck.0.fc1.weight") && dict.contains("decoder.0.norm1.weight"), path.c_str(),
              "no trained Dinomaly: \"bottleneck.0.fc1.weight\" and \"decoder.0.norm1.weight\" expected",
              dict.contains("patch_embed.proj.weight") ? " (this is an encoder alone: train first)" : "");
        config.encoder = recognise_encoder(dict, "encoder.");
        config.kept = detail::kept_blocks(path.string(), config.encoder.depth);
        config.validate();
        info.sizes.patch = static_cast<int>(config.encoder.patch);
        info.sizes.validate();
    }
    Dinomaly<io::ShapesOnly> outline(config);
    io::check_weights(outline, dict, "", detail::is_unused);
    LoadedModel<D> loaded{Dinomaly<D>(config), std::move(info)};
    io::load_weights(loaded.model, dict, "", detail::is_unused);
    return loaded;
}

/// Writes the whole model; the file appears whole or not at all. Fills in the hash of what was trained.
template <Device D> void save_model(const std::filesystem::path& path, LoadedModel<D>& loaded) {
    io::StateDict trained(path.string()), whole(path.string());
    auto part = loaded.model.trained();
    io::store_weights(part, trained);
    loaded.info.trained_hash = io::hash(trained);
    io::store_weights(loaded.model.encoder, whole, "encoder.");
    for (const auto& [name, tensor] : trained) whole.insert(name, tensor);
    whole.metadata["format"] = "pt";
    whole.metadata["dinomaly"] = nlohmann::json{
        {"version", version},
        {"model", detail::to_json(loaded.model.config)},
        {"size", loaded.info.sizes.size},
        {"crop", loaded.info.sizes.crop},
        {"classes", loaded.info.classes},
        {"encoder_hash", loaded.info.encoder_hash},
        {"trained_hash", loaded.info.trained_hash},
        {"training",
         loaded.info.training}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    io::write_safetensors(path, whole);
}

}  // namespace dinomaly::inline DINOMALY_ABI
