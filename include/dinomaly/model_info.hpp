// SPDX-License-Identifier: Apache-2.0
// ModelInfo: what a model file says besides its weights, as a JSON object in its metadata under "dinomaly": the
// architecture, the picture sizes, the class names, the decision, hashes. Models of others, which say less, are
// recognised by their tensors.
#pragma once

#include <algorithm>
#include <array>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/anomalib_file.hpp"
#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/version.hpp"
#include "dinomaly/vision/preprocess.hpp"

namespace dinomaly {

/// What a model file says besides the weights.
struct ModelInfo {
    vision::Preprocess sizes;
    vision::PictureSize tile;  ///< pictures are judged in tiles of so many of their own pixels; none: as a whole
    std::vector<std::string> classes;
    std::string encoder_hash;                            ///< io::hash of the encoder's tensors, as they were loaded
    std::string trained_hash;                            ///< io::hash of bottleneck and decoder
    nlohmann::json training = nlohmann::json::object();  ///< the settings it was trained with
    nlohmann::json decision = nlohmann::json::object();  ///< thresholds, see decision.hpp; empty: none were found
};

}  // namespace dinomaly

namespace dinomaly::inline DINOMALY_ABI {

namespace detail {

/// Names of an enum's values in their order.
inline constexpr std::array<const char*, 3> position_names{"absolute", "rotary", "relative"};
inline constexpr std::array<const char*, 2> resize_names{"offset", "size"};

inline nlohmann::json to_json(const DinomalyConfig& c) {
    const nlohmann::json parts{{"mlp_hidden", c.encoder.hidden},
                               {"mlp_gated", c.encoder.is_gated},
                               {"layer_scale", c.encoder.has_layer_scale},
                               {"position", position_names[static_cast<std::size_t>(c.encoder.position)]},
                               {"position_resize", resize_names[static_cast<std::size_t>(c.encoder.resize)]}};
    const nlohmann::json variant{{"groups", c.groups},
                                 {"softmax_decoder", c.softmax_decoder},
                                 {"patches_only", c.patches_only},
                                 {"recentred", c.is_recentred},
                                 {"neck", c.neck},
                                 {"modalities", c.modalities},
                                 {"reflect_blur", c.reflect_blur}};
    return {{"width", c.encoder.width},
            {"depth", c.encoder.depth},
            {"heads", c.encoder.heads},
            {"patch", c.encoder.patch},
            {"registers", c.encoder.registers},
            {"position_grid", c.encoder.grid},
            {"encoder_norm_eps", c.encoder.eps},
            {"kept_blocks", c.kept},
            {"decoder_depth", c.decoder_depth},
            {"decoder_norm_eps", c.decoder_norm_eps},
            {"attention_eps", c.attention_eps},
            {"encoder_parts", parts},
            {"variant", variant}};
}

/// A field that holds a whole number from 0 to the largest int; nothing else is taken for one.
inline int whole_number(const nlohmann::json& value, const char* name) {
    const std::int64_t number = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    check(number >= 0 && number <= std::numeric_limits<int>::max(), name, value.dump(),
          " found, a whole number expected");
    return static_cast<int>(number);
}

/// The value whose name a field holds.
template <class E, std::size_t N>
E named_value(const nlohmann::json& j, const char* field, const std::array<const char*, N>& names) {
    const auto found = j.at(field).get<std::string>();
    const auto place = std::ranges::find(names, found);
    check(place != names.end(), field, '"', found, "\" found, a name from \"", names.front(), "\" to \"", names.back(),
          "\" expected");
    return static_cast<E>(place - names.begin());
}

inline std::vector<std::int64_t> whole_numbers(const nlohmann::json& list, const char* name) {
    check(list.is_array(), name, list.dump(), " found, a list of whole numbers expected");
    std::vector<std::int64_t> numbers;
    for (const auto& number : list) numbers.push_back(whole_number(number, name));
    return numbers;
}

inline DinomalyConfig config_from_json(const nlohmann::json& j) {
    const auto number = [&](const char* name) { return whole_number(j.at(name), name); };
    DinomalyConfig c;
    c.encoder.width = number("width"), c.encoder.depth = number("depth"), c.encoder.heads = number("heads");
    c.encoder.patch = number("patch"), c.encoder.registers = number("registers");
    c.encoder.grid = number("position_grid");
    c.encoder.eps = j.at("encoder_norm_eps").get<double>();
    c.kept = whole_numbers(j.at("kept_blocks"), "kept_blocks");
    c.decoder_depth = number("decoder_depth");
    c.decoder_norm_eps = j.at("decoder_norm_eps").get<double>();
    c.attention_eps = j.at("attention_eps").get<double>();
    if (j.contains("encoder_parts")) {  // files of 0.1 have neither this nor the next
        const nlohmann::json& parts = j["encoder_parts"];
        c.encoder.hidden = whole_number(parts.at("mlp_hidden"), "mlp_hidden");
        parts.at("mlp_gated").get_to(c.encoder.is_gated);
        parts.at("layer_scale").get_to(c.encoder.has_layer_scale);
        c.encoder.position = named_value<nn::Position>(parts, "position", position_names);
        c.encoder.resize = named_value<nn::PositionResize>(parts, "position_resize", resize_names);
    }
    if (j.contains("variant")) {
        const nlohmann::json& variant = j["variant"];
        check(variant.at("groups").is_array(), "groups", "a list of lists expected");
        for (const auto& group : variant["groups"]) c.groups.push_back(whole_numbers(group, "groups"));
        variant.at("softmax_decoder").get_to(c.softmax_decoder);
        variant.at("patches_only").get_to(c.patches_only);
        variant.at("recentred").get_to(c.is_recentred);
        c.neck = whole_number(variant.at("neck"), "neck");
        c.modalities = whole_number(variant.at("modalities"), "modalities");
        variant.at("reflect_blur").get_to(c.reflect_blur);
    }
    c.validate();
    return c;
}

/// 448 for a square, else [width, height].
inline nlohmann::json to_json(vision::PictureSize size) {
    if (size.width == size.height) return size.width;
    return {size.width, size.height};
}
inline vision::PictureSize size_from_json(const nlohmann::json& value, const char* name) {
    if (!value.is_array()) return whole_number(value, name);
    check(value.size() == 2, name, value.dump(), " found, a whole number or [width, height] expected");
    return {whole_number(value[0], name), whole_number(value[1], name)};
}

}  // namespace detail

/// The metadata field of a model file.
inline std::string metadata_text(const DinomalyConfig& config, const ModelInfo& info) {
    nlohmann::json j{{"version", version},
                     {"model", detail::to_json(config)},
                     {"size", detail::to_json(info.sizes.size)},
                     {"crop", detail::to_json(info.sizes.crop)},
                     {"classes", info.classes},
                     {"encoder_hash", info.encoder_hash},
                     {"trained_hash", info.trained_hash},
                     {"training", info.training}};
    if (info.tile != vision::PictureSize{}) j["tile"] = detail::to_json(info.tile);
    if (!info.decision.empty()) j["decision"] = info.decision;
    return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Reads the metadata field of a model file. Throws Error, naming `path`, for whatever is not as metadata_text() writes
/// it.
inline void read_metadata(const std::string& path, const std::string& text, DinomalyConfig& config, ModelInfo& info) {
    const auto shallow = [](int depth, auto, auto&) {
        check(depth < 100, "depth", "objects in objects in objects: fewer than 100 expected");
        return true;
    };
    try {
        const nlohmann::json j = nlohmann::json::parse(text, shallow);
        config = detail::config_from_json(j.at("model"));
        info.sizes = {.size = detail::size_from_json(j.at("size"), "size"),
                      .crop = detail::size_from_json(j.at("crop"), "crop")};
        encoders::set_sizes(info.sizes, config.encoder);
        j.at("classes").get_to(info.classes);
        j.at("encoder_hash").get_to(info.encoder_hash);
        j.at("trained_hash").get_to(info.trained_hash);
        info.training = j.at("training");
        check(info.training.is_object(), "training", "an object expected");
        if (j.contains("tile")) {
            info.tile = detail::size_from_json(j["tile"], "tile");
            vision::check_tile(info.tile);
        }
        if (j.contains("decision")) info.decision = j["decision"];
        check(info.decision.is_object(), "decision", "an object expected");
    } catch (const std::exception& error) {
        fail(path, "the metadata field \"dinomaly\" is damaged: ", error.what());
    }
}

namespace detail {

/// A model's tensors with its encoder under our names.
inline io::StateDict with_encoder(const io::StateDict& file, const io::StateDict& encoder) {
    io::StateDict tensors(file.source());
    tensors.metadata = file.metadata;
    for (const auto& [name, tensor] : encoder) tensors.insert("encoder." + name, tensor);
    for (const auto& [name, tensor] : file)
        if (!name.starts_with("encoder.")) tensors.insert(name, tensor);
    return tensors;
}

/// Whether a model of ours was converted to the names of its encoder's authors (encoders/official.hpp).
inline bool has_official_names(const io::StateDict& file, const nn::VitConfig& encoder) {
    switch (encoder.position) {
        case nn::Position::rotary: return file.contains("encoder.rope_embed.periods");
        case nn::Position::relative: return file.contains("encoder.blocks.0.attn.relative_position_bias_table");
        default: return false;
    }
}

}  // namespace detail

/// A trained model under our names, and what its file says besides them: a file of ours; a checkpoint of the authors
/// (encoder.*, bottleneck.*, decoder.*), whose sizes are taken for 448 and 392, or 512 and 448 with DINOv3; a
/// checkpoint of anomalib. Throws Error when it holds no model.
inline io::StateDict read_model(const io::StateDict& file, DinomalyConfig& config, ModelInfo& info) {
    const std::string path = file.source();
    if (const auto found = file.metadata.find("dinomaly"); found != file.metadata.end()) {
        read_metadata(path, found->second, config, info);
        if (!detail::has_official_names(file, config.encoder)) return file;
        return detail::with_encoder(file, encoders::read_encoder_at(file, "encoder.").tensors);
    }
    io::StateDict tensors(path);
    if (is_anomalib_file(file)) {
        ForeignModel model = read_anomalib(file);
        config = model.config;
        tensors = std::move(model.tensors);
    } else {
        const bool is_second = file.contains("bottleneck.0.0.weight");
        check((is_second || file.contains("bottleneck.0.fc1.weight")) && file.contains("decoder.0.norm1.weight"),
              path.c_str(), "no trained Dinomaly: \"bottleneck.0.fc1.weight\" and \"decoder.0.norm1.weight\" expected",
              encoders::looks_like_encoder(file) ? " (this is an encoder alone: train first)" : "");
        const auto is_of_encoder = [](const auto& entry) { return entry.first.starts_with("encoder."); };
        check(std::ranges::any_of(file, is_of_encoder), path.c_str(),
              "bottleneck and decoder of a Dinomaly, but not its encoder: \"encoder.*\" expected too");
        const encoders::EncoderFile encoder = encoders::read_encoder_at(file, "encoder.");
        config = variant_config(path, encoder.config, {.is_second = is_second});
        tensors = detail::with_encoder(file, encoder.tensors);
    }
    info.sizes = encoders::recommended_sizes(config.encoder);
    return tensors;
}

/// What a file with a trained model says besides its weights; see read_model.
inline void read_info(const io::StateDict& file, DinomalyConfig& config, ModelInfo& info) {
    read_model(file, config, info);
}

}  // namespace dinomaly::inline DINOMALY_ABI
