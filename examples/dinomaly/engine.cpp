// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <cmath>
#include <iomanip>
#include <sstream>
#include <utility>

#include "dinomaly/feature_cache.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"

namespace dinomaly::program {

namespace {

using Device = Cpu<float>;

std::string millions(std::int64_t count) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(count < 1'000'000 ? 2 : 1) << static_cast<double>(count) / 1e6 << " M";
    return text.str();
}

/// "ViT-S/14", or "ViT" for a width that has no name.
std::string encoder_text(const nn::VitConfig& config) {
    const char* letter = config.width == 384 ? "-S" : config.width == 768 ? "-B" : config.width == 1024 ? "-L" : "";
    std::ostringstream text;
    text << "ViT" << letter << '/' << config.patch << ": width " << config.width << ", " << config.depth << " blocks, "
         << config.heads << " heads, " << config.registers << " registers, position grid " << config.grid << 'x'
         << config.grid;
    return text.str();
}

Tensor<Device> image_tensor(std::span<const float> pixels, std::int64_t count, std::int64_t crop) {
    return {{count, 3, crop, crop}, pixels};
}

}  // namespace

// --- the model

struct Engine::State {
    LoadedModel<Device> loaded;
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const std::filesystem::path& file, int size, int crop) {
    LoadedModel<Device> loaded = load_model<Device>(file);
    if (size > 0) loaded.info.sizes.size = size;
    if (crop > 0) loaded.info.sizes.crop = crop;
    loaded.info.sizes.validate();
    return Engine(std::make_unique<State>(std::move(loaded)));
}

Engine Engine::create(const std::filesystem::path& encoder, const vision::Preprocess& sizes, std::uint64_t seed,
                      double attention_eps) {
    return Engine(std::make_unique<State>(new_model<Device>(encoder, sizes, seed, attention_eps)));
}

const vision::Preprocess& Engine::sizes() const {
    return state_->loaded.info.sizes;
}
const std::vector<std::string>& Engine::classes() const {
    return state_->loaded.info.classes;
}
const nlohmann::json& Engine::training() const {
    return state_->loaded.info.training;
}
const std::string& Engine::encoder_hash() const {
    return state_->loaded.info.encoder_hash;
}

const DinomalyConfig& Engine::config() const {
    return state_->loaded.model.config;
}

std::size_t Engine::element_size() const {
    return sizeof(Device::value_type);
}

std::string Engine::description() const {
    Dinomaly<Device>& model = state_->loaded.model;
    auto trained = model.trained();
    const std::int64_t to_train = nn::parameter_count(trained);
    return encoder_text(model.config.encoder) + "; " + millions(nn::parameter_count(model.encoder) + to_train) +
           " parameters, " + millions(to_train) + " of them trained";
}

void Engine::load_trained(const std::filesystem::path& file) {
    const io::StateDict dict = io::load_state_dict(file);
    auto trained = state_->loaded.model.trained();
    io::load_weights(trained, dict, "", [](const std::string& name) { return name.starts_with("encoder."); });
}

void Engine::set_metadata(const std::vector<std::string>& classes, const nlohmann::json& training) {
    state_->loaded.info.classes = classes;
    state_->loaded.info.training = training;
}

void Engine::save(const std::filesystem::path& file) {
    save_model(file, state_->loaded);
}

std::vector<Judgement> Engine::judge(std::span<const float> pixels, std::int64_t count) const {
    const Predictor<Device> predictor(state_->loaded);  // copies handles, not weights
    std::vector<Judgement> judgements;
    for (Prediction& prediction : predictor.judge(pixels, count))
        judgements.push_back({prediction.score, std::move(prediction.map)});
    return judgements;
}

// --- training

struct Training::State {
    Dinomaly<Device>& model;
    std::int64_t crop;
    Trainer<Device> trainer;
    std::unique_ptr<FeatureCache<Device>> cache;

    State(Engine::State& engine, const TrainSettings& settings)
        : model(engine.loaded.model), crop(engine.loaded.info.sizes.crop), trainer(model, config(settings)) {
        keep({});
    }

    static TrainConfig config(const TrainSettings& s) {
        return {.iterations = s.iterations,
                .schedule = s.schedule,
                .warmup = s.warmup,
                .hard_mining_ramp = s.hard_mining_ramp,
                .lr = s.lr,
                .final_lr = s.final_lr,
                .dropout = s.dropout,
                .seed = s.seed,
                .optimizer = {}};
    }

    void keep(const FeatureStore& store) {
        const FeatureSizes sizes = FeatureSizes::of(model.config, crop);
        cache = store.file.empty()
                    ? std::make_unique<FeatureCache<Device>>(sizes, store.pictures)
                    : std::make_unique<FeatureCache<Device>>(sizes, store.pictures, store.file, store.key);
    }
};

Training::Training(Engine& engine, const TrainSettings& settings)
    : state_(std::make_unique<State>(*engine.state_, settings)) {}
Training::~Training() = default;

std::int64_t Training::iteration() const {
    return state_->trainer.iteration();
}

void Training::keep_features(const FeatureStore& store) {
    state_->keep(store);
}

std::vector<std::vector<std::size_t>> Training::unknown(const std::vector<std::vector<std::size_t>>& batches) const {
    return state_->cache->unknown(batches);
}

Step Training::step(std::span<const std::size_t> pictures, std::span<const std::size_t> unknown,
                    std::span<const float> pixels) {
    State& s = *state_;
    const Tensor<Device> images = image_tensor(pixels, static_cast<std::int64_t>(unknown.size()), s.crop);
    const StepResult result = s.trainer.learn(s.cache->features(s.model, pictures, unknown, images));
    return {result.iteration, result.loss, result.grad_norm, result.lr};
}

FeatureUse Training::features() const {
    const FeatureCacheStatistics s = state_->cache->statistics();
    return {s.pictures, s.bytes, s.hits, s.asked};
}

void Training::store(io::StateDict& dict) const {
    state_->trainer.store(dict);
}
void Training::restore(const io::StateDict& dict) {
    state_->trainer.restore(dict);
}

// --- the rest

int use_threads(int threads) {
    if (threads > 0) backend::thread_pool().resize(threads);
    return backend::thread_pool().threads();
}

void trim_memory() {
    backend::BlockCache::trim();
}

std::optional<std::string> recognise(const io::StateDict& dict) {
    try {
        if (dict.contains("patch_embed.proj.weight")) return "DINOv2 encoder " + encoder_text(recognise_encoder(dict));
        if (dict.contains("encoder.patch_embed.proj.weight") && dict.contains("decoder.0.norm1.weight"))
            return "Dinomaly with encoder " + encoder_text(recognise_encoder(dict, "encoder."));
    } catch (const Error&) {
        return std::nullopt;  // the names are familiar, the shapes are not
    }
    if (dict.contains("bottleneck.0.fc1.weight") && dict.metadata.contains("iteration"))
        return "state of a training run at iteration " + dict.metadata.at("iteration");
    if (dict.contains("bottleneck.0.fc1.weight")) return "trained part of a Dinomaly, without its encoder";
    return std::nullopt;
}

}  // namespace dinomaly::program
