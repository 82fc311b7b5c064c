// SPDX-License-Identifier: Apache-2.0
// Checkpoints of anomalib's Dinomaly (Lightning's .ckpt) as models of ours.
//
// Its MLPs have no biases: they are zero here. Its encoder is timm's (since 2.6), which resizes positions by the grid's
// size, or DINOv2's own (before), with the rule of the authors. Its blur mirrors the rim of the map. Thresholds stay
// behind: they are of scores on anomalib's pictures.
#pragma once

#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/model_config.hpp"

namespace dinomaly {

/// A model that was read from a file of another program: its tensors under our names.
struct ForeignModel {
    io::StateDict tensors;
    DinomalyConfig config;
};

/// What stands before the names of anomalib's Dinomaly: "state_dict.model." in a checkpoint.
inline constexpr std::string_view anomalib_prefix = "state_dict.model.";

/// Whether a file is a checkpoint of anomalib's Dinomaly.
inline bool is_anomalib_file(const io::StateDict& file) {
    const std::string prefix(anomalib_prefix);
    return file.contains(prefix + "decoder.0.norm1.weight") && file.contains(prefix + "bottleneck.0.fc1.weight");
}

namespace anomalib {

/// Tensors of a checkpoint that are second names of others, of training, of the blur or of thresholds.
inline bool is_beside_model(std::string_view name) {
    for (const char* const start :
         {"state_dict.trainable_modules.", "state_dict.model.gaussian_blur.", "state_dict.post_processor.",
          "state_dict.pre_processor.", "state_dict.image_metrics.", "state_dict.pixel_metrics.",
          "state_dict.evaluator.", "optimizer_states.", "lr_schedulers.", "callbacks.", "loops."})
        if (name.starts_with(start)) return true;
    return false;
}

/// The blocks that are restored, and an Error for what our model does otherwise.
inline std::vector<std::int64_t> kept_blocks(const io::StateDict& file, std::int64_t depth) {
    const char* const place = file.source().c_str();
    const auto found = file.metadata.find("hyper_parameters");
    check(found != file.metadata.end(), place,
          "has the tensors of anomalib's Dinomaly, but not its hyper_parameters; a checkpoint as anomalib writes it "
          "(.ckpt) expected");
    const nlohmann::json settings = nlohmann::json::parse(found->second, nullptr, false);
    check(settings.is_object(), place, "hyper_parameters are no object of JSON");
    const auto is_set = [&](const char* name) { return settings.value(name, nlohmann::json(false)) != false; };
    check(!is_set("use_context_recentering"), place,
          "was trained with anomalib's use_context_recentering, which subtracts class tokens before the bottleneck; a "
          "model without it expected (it is not the recentring of Dinomaly2)");
    check(!is_set("remove_class_token"), place,
          "was trained with anomalib's remove_class_token; a model that keeps the class token expected");
    const nlohmann::json layers = settings.value("target_layers", nlohmann::json());
    if (layers.is_null()) return published_kept_blocks(file.source(), depth);
    std::vector<std::int64_t> kept;
    check(layers.is_array(), place, "target_layers ", layers.dump(), "; a list of whole numbers expected");
    for (const auto& layer : layers) {
        check(layer.is_number_integer(), place, "target_layers ", layers.dump(), "; a list of whole numbers expected");
        kept.push_back(layer.get<std::int64_t>());
    }
    return kept;
}

}  // namespace anomalib

/// Reads a checkpoint of anomalib's Dinomaly. Throws Error, with the reason, for one that computes what our model does
/// not, or has tensors that are not known.
inline ForeignModel read_anomalib(const io::StateDict& file) {
    const std::string prefix(anomalib_prefix), timm = prefix + "encoder.feature_extractor.";
    const bool is_timm = file.contains(timm + "cls_token");
    const std::string encoder_prefix = is_timm ? timm : prefix + "encoder.";
    encoders::EncoderFile encoder = encoders::read_encoder_at(file, encoder_prefix);

    ForeignModel model{io::StateDict(file.source()), {}};
    DinomalyConfig& config = model.config;
    config.encoder = encoder.config;
    if (is_timm) config.encoder.resize = nn::PositionResize::size;
    config.kept = anomalib::kept_blocks(file, config.encoder.depth);
    config.reflect_blur = true;
    config.decoder_depth = 0;
    while (file.contains(prefix + "decoder." + std::to_string(config.decoder_depth) + ".norm1.weight"))
        ++config.decoder_depth;
    config.validate();

    for (const auto& [name, tensor] : encoder.tensors) model.tensors.insert("encoder." + name, tensor);
    for (const auto& [name, tensor] : file) {
        if (name.starts_with(encoder_prefix) || anomalib::is_beside_model(name)) continue;
        const bool is_part = name.starts_with(prefix + "bottleneck.") || name.starts_with(prefix + "decoder.");
        check(is_part, file.source().c_str(), "is taken for anomalib's Dinomaly, and has a tensor \"", name,
              "\" that is not known");
        const std::string ours = name.substr(prefix.size());
        model.tensors.insert(ours, tensor);
        const bool is_mlp = ours.ends_with(".fc1.weight") || ours.ends_with(".fc2.weight");
        const std::string bias = ours.substr(0, ours.size() - std::string_view("weight").size()) + "bias";
        if (!is_mlp || tensor.shape.rank() != 2 || file.contains(prefix + bias)) continue;
        model.tensors.insert(bias, encoders::zeros_like(tensor, {tensor.shape[0]}));
    }
    return model;
}

}  // namespace dinomaly
