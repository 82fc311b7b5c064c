// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"

#include <iomanip>
#include <sstream>
#include <utility>

#include "dinomaly/tiled.hpp"
#include "dinomaly/work.hpp"
#include "engine/any_model.hpp"
#include "engine/gpu.hpp"
#include "engine/judging_work.hpp"

namespace dinomaly::program {

namespace {

std::string millions(std::int64_t count) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(count < 1'000'000 ? 2 : 1) << static_cast<double>(count) / 1e6 << " M";
    return text.str();
}

/// "ViT-S/14", or "ViT/14" for a width that has no name.
std::string short_text(const nn::VitConfig& config) {
    std::string text = "ViT";
    for (const auto& [width, letter] : {std::pair{384, "-S"}, {768, "-B"}, {1024, "-L"}, {1536, "-g"}})
        if (config.width == width) text += letter;
    return text + '/' + std::to_string(config.patch);
}

std::string encoder_text(const nn::VitConfig& config) {
    std::ostringstream text;
    text << short_text(config) << ": width " << config.width << ", " << config.depth << " blocks, " << config.heads
         << " heads, " << config.registers << " registers, ";
    switch (config.position) {
        case nn::Position::absolute: text << "position grid " << config.grid << 'x' << config.grid; break;
        case nn::Position::rotary: text << "rotary positions"; break;
        case nn::Position::relative: text << "relative positions of " << config.grid << 'x' << config.grid; break;
    }
    if (config.is_gated) text << ", gated MLP of " << config.hidden_width();
    if (!config.has_layer_scale) text << ", no layer scale";
    return text.str();
}

/// "", or what makes a model another one than that of the paper.
std::string variant_text(const DinomalyConfig& config) {
    std::ostringstream text;
    if (config.neck > 0) text << "; Dinomaly2, " << config.grouping(config.decoder_depth).compared << " groups";
    if (config.neck > 0 && !config.is_recentred) text << ", not recentred";
    if (config.softmax_decoder) text << ", softmax attention";
    if (config.modalities > 1) text << ", " << config.modalities << " pictures an object";
    if (config.patches_only) text << "; patches alone are restored";
    return text.str();
}

std::unique_ptr<AnyModel> make_model(const ModelSource& source, const Target& target) {
    if (target.gpu)
        return target.precision == Precision::bf16 ? make_model_cuda_bf16(source) : make_model_cuda_fp32(source);
    switch (target.precision) {
        case Precision::bf16: return make_model_bf16(source);
        case Precision::int8: return make_model_int8(source);
        default: return make_model_fp32(source);
    }
}

}  // namespace

// --- the model

Engine::Engine(std::unique_ptr<AnyModel> model, const Target& target) : model_(std::move(model)), target_(target) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const std::filesystem::path& file, vision::PictureSize size, vision::PictureSize crop,
                    const Target& target) {
    return Engine(make_model(ModelFile{file, size, crop}, target), target);
}
Engine Engine::create(const NewModel& model, const Target& target) {
    return Engine(make_model(model, target), target);
}
Engine Engine::random(const std::string& architecture, const vision::Preprocess& sizes, std::uint64_t seed,
                      const Target& target) {
    return Engine(make_model(RandomWeights{architecture, sizes, seed}, target), target);
}

const vision::Preprocess& Engine::sizes() const {
    return model_->info.sizes;
}
vision::PictureSize Engine::tile() const {
    return model_->info.tile;
}
void Engine::set_tile(vision::PictureSize tile) {
    if (tile != vision::PictureSize{}) vision::check_tile(tile);
    model_->info.tile = tile;
}
vision::Preprocess Engine::map_sizes(vision::PictureSize picture) const {
    return vision::Tiling(picture, sizes(), tile()).map_sizes();
}
const std::vector<std::string>& Engine::classes() const {
    return model_->info.classes;
}
const nlohmann::json& Engine::training() const {
    return model_->info.training;
}
const std::string& Engine::encoder_hash() const {
    return model_->info.encoder_hash;
}
const std::string& Engine::trained_hash() const {
    return model_->info.trained_hash;
}
const nlohmann::json& Engine::decision() const {
    return model_->info.decision;
}
const DinomalyConfig& Engine::config() const {
    return model_->config;
}
std::size_t Engine::element_size() const {
    return model_->element_size;
}

std::string Engine::description() const {
    return encoder_text(model_->config.encoder) + "; " + millions(model_->parameters) + " parameters, " +
           millions(model_->trained_parameters) + " of them trained" + variant_text(model_->config);
}

std::string Engine::architecture() const {
    const DinomalyConfig& found = model_->config;
    for (const char* name : {"small", "base", "large"}) {
        DinomalyConfig known = published_config(name, found.encoder.registers);
        known.attention_eps = found.attention_eps;
        if (known == found) return name;
    }
    const std::string name = short_text(found.encoder);
    return (name.find('-') == std::string::npos ? "width " + std::to_string(found.encoder.width) : name) +
           variant_text(found);
}

std::int64_t Engine::judging_work() const {
    return program::judging_work(model_->config, sizes().crop);
}
std::int64_t Engine::learning_work(bool features_known) const {
    return count_work(model_->config, sizes().crop.height, sizes().crop.width).learning(features_known);
}

void Engine::load_trained(const std::filesystem::path& file) {
    model_->load_trained(file);
}
void Engine::set_metadata(const std::vector<std::string>& classes, const nlohmann::json& training) {
    model_->info.classes = classes;
    model_->info.training = training;
}
void Engine::set_decision(const nlohmann::json& decision) {
    model_->info.decision = decision;
}
void Engine::save(const std::filesystem::path& file) {
    model_->save(file);
}
std::vector<Judgement> Engine::judge(std::span<const float> pixels, std::int64_t count) const {
    return model_->judge(pixels, count);
}
Judgement Engine::judge(const vision::Image& picture) const {
    return judge_tiled(*this, picture, tile());
}

std::int64_t judging_work(const DinomalyConfig& config, vision::PictureSize crop) {
    return count_work(config, crop.height, crop.width).judging();
}

// --- training

Training::Training(Engine& engine, const TrainSettings& settings) : training_(engine.model_->train(settings)) {}
Training::~Training() = default;

std::int64_t Training::iteration() const {
    return training_->iteration();
}
void Training::keep_features(const FeatureStore& store) {
    training_->keep_features(store);
}
std::vector<std::vector<std::size_t>> Training::unknown(const std::vector<std::vector<std::size_t>>& batches) const {
    return training_->unknown(batches);
}
void Training::submit(std::span<const std::size_t> pictures, std::span<const std::size_t> unknown,
                      std::span<const float> pixels) {
    training_->submit(pictures, unknown, pixels);
}
std::vector<Step> Training::collect() {
    return training_->collect();
}
FeatureUse Training::features() const {
    return training_->features();
}
void Training::store(io::StateDict& dict) const {
    training_->store(dict);
}
void Training::restore(const io::StateDict& dict) {
    training_->restore(dict);
}

// --- the rest

int use_threads(int threads) {
    if (threads > 0) backend::thread_pool().resize(threads);
    return backend::thread_pool().threads();
}

void trim_memory() {
    backend::HostCache::trim();
    trim_gpu_memory();
}

std::optional<std::string> recognise(const io::StateDict& dict) {
    try {
        if (encoders::looks_like_encoder(dict)) {
            const encoders::EncoderFile found = encoders::read_encoder(dict);
            return found.family + " encoder " + encoder_text(found.config);
        }
        const bool is_anomalib = is_anomalib_file(dict);
        if (is_anomalib || (encoders::find_encoder(dict) && dict.contains("decoder.0.norm1.weight"))) {
            DinomalyConfig config;
            ModelInfo info;
            read_info(dict, config, info);
            return (is_anomalib ? "anomalib's Dinomaly with encoder " : "Dinomaly with encoder ") +
                   encoder_text(config.encoder);
        }
    } catch (const Error& error) {
        return std::string("not known: ") + error.what();
    }
    if (dict.contains("bottleneck.0.fc1.weight") && dict.metadata.contains("iteration"))
        return "state of a training run at iteration " + dict.metadata.at("iteration");
    if (dict.contains("bottleneck.0.fc1.weight")) return "trained part of a Dinomaly, without its encoder";
    return std::nullopt;
}

}  // namespace dinomaly::program
