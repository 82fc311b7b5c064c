// SPDX-License-Identifier: Apache-2.0
// Models in files. A file of ours is a safetensors file with encoder.*, bottleneck.* and decoder.* and, in its metadata
// under "dinomaly", everything else that is needed to use it (model_info.hpp). A checkpoint of the authors has the
// tensors alone; the architecture is then read off their shapes.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/io/hash.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/model.hpp"
#include "dinomaly/model_info.hpp"
#include "dinomaly/nn/init.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// A model and what its file says about it.
template <Device D> struct LoadedModel {
    Dinomaly<D> model;
    ModelInfo info;
};

namespace detail {

/// What some encoders are published with and nothing here needs.
inline bool is_unused(const std::string& name) {
    const std::string plain = name.starts_with("encoder.") ? name.substr(8) : name;
    return plain == "mask_token" || plain == "norm.weight" || plain == "norm.bias";
}

}  // namespace detail

/// A Dinomaly with the encoder of a published file (see encoders/encoder_file.hpp) and the first values of what is to
/// be trained, drawn from seed. The encoder is frozen.
template <Device D>
LoadedModel<D> new_model(const std::filesystem::path& encoder_file, const vision::Preprocess& sizes, std::uint64_t seed,
                         const VariantOptions& variant = {}, const encoders::EncoderOptions& encoder_options = {}) {
    const io::StateDict file = io::load_state_dict(encoder_file);
    const encoders::EncoderFile encoder = encoders::read_encoder(file, encoder_options);
    const io::StateDict& dict = encoder.tensors;
    const DinomalyConfig config = variant_config(dict.source(), encoder.config, variant);
    ModelInfo info;
    info.sizes = sizes;
    encoders::set_sizes(info.sizes, config.encoder);
    info.encoder_hash = io::hash(file);
    nn::VisionTransformer<io::ShapesOnly> outline(config.encoder);
    io::check_weights(outline, dict, "", detail::is_unused);
    LoadedModel<D> loaded{Dinomaly<D>(config), std::move(info)};
    io::load_weights(loaded.model.encoder, dict, "", detail::is_unused);
    auto trained = loaded.model.trained();
    nn::init_trained(trained, seed);
    return loaded;
}

/// Reads a model: a file of ours, a checkpoint of the authors or of anomalib; see read_model. Throws Error for anything
/// that does not fit.
template <Device D> LoadedModel<D> load_model(const std::filesystem::path& path) {
    const io::StateDict file = io::load_state_dict(path);
    DinomalyConfig config;
    ModelInfo info;
    const io::StateDict dict = read_model(file, config, info);
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
    whole.metadata["dinomaly"] = metadata_text(loaded.model.config, loaded.info);
    io::write_safetensors(path, whole);
}

/// Writes the model of one file into another, or into itself, with another decision; all else stays as it is.
inline void write_decision(const std::filesystem::path& model, const std::filesystem::path& out,
                           const nlohmann::json& decision) {
    DinomalyConfig config;
    ModelInfo info;
    io::StateDict dict = read_model(io::load_state_dict(model), config, info);
    info.decision = decision;
    dict.metadata["format"] = "pt";
    dict.metadata["dinomaly"] = metadata_text(config, info);
    io::write_safetensors(out, dict);
}

}  // namespace dinomaly::inline DINOMALY_ABI
