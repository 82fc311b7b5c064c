// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <array>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>
#include <utility>

#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"
#include "dinomaly/work.hpp"

namespace dinomaly::program {

namespace {

using Device = Cpu<float>;
using Groups = anomaly::Groups<Device>;

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
    return {{count, 3, crop, crop}, std::vector<float>(pixels.begin(), pixels.end())};
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

Engine Engine::random(const std::string& architecture, const vision::Preprocess& sizes, std::uint64_t seed) {
    LoadedModel<Device> loaded{Dinomaly<Device>(published_config(architecture)), {}};
    loaded.info.sizes = sizes;
    nn::init_random_features(loaded.model.encoder, seed);
    auto trained = loaded.model.trained();
    nn::init_trained(trained, seed);
    return Engine(std::make_unique<State>(std::move(loaded)));
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

std::string Engine::description() const {
    Dinomaly<Device>& model = state_->loaded.model;
    auto trained = model.trained();
    const std::int64_t to_train = nn::parameter_count(trained);
    return encoder_text(model.config.encoder) + "; " + millions(nn::parameter_count(model.encoder) + to_train) +
           " parameters, " + millions(to_train) + " of them trained";
}

std::string Engine::architecture() const {
    const nn::VitConfig& found = state_->loaded.model.config.encoder;
    for (const char* name : {"small", "base", "large"}) {
        const nn::VitConfig known = published_config(name).encoder;
        if (known.width == found.width && known.depth == found.depth) return name;
    }
    return "width " + std::to_string(found.width);
}

std::int64_t Engine::judging_work() const {
    return count_work(state_->loaded.model.config, sizes().crop, sizes().crop).judging();
}
std::int64_t Engine::learning_work(bool features_known) const {
    return count_work(state_->loaded.model.config, sizes().crop, sizes().crop).learning(features_known);
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
    std::size_t cache_left;  // bytes
    Trainer<Device> trainer;
    std::map<std::size_t, Groups> cache;

    State(Engine::State& engine, const TrainSettings& settings)
        : model(engine.loaded.model),
          crop(engine.loaded.info.sizes.crop),
          cache_left(settings.feature_cache),
          trainer(model, config(settings)) {}

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

    /// The encoder's features of the pictures, one at a time, so that they do not depend on which are known already.
    Groups cached_features(std::span<const float> pixels, std::span<const std::size_t> indices) {
        std::array<std::vector<Var<Device>>, 2> parts;
        const std::size_t each = pixels.size() / indices.size();
        for (std::size_t i = 0; i < indices.size(); ++i) {
            const auto known = cache.find(indices[i]);
            const Groups groups =
                known != cache.end() ? known->second
                                     : model.encode(Var<Device>(image_tensor(pixels.subspan(i * each, each), 1, crop)));
            const std::size_t bytes = static_cast<std::size_t>(2 * groups[0].count()) * sizeof(float);
            if (known == cache.end() && bytes <= cache_left) {
                cache.emplace(indices[i], groups);
                cache_left -= bytes;
            }
            for (std::size_t g = 0; g < parts.size(); ++g) parts[g].push_back(groups[g]);
        }
        return {concat(parts[0], 0), concat(parts[1], 0)};
    }
};

Training::Training(Engine& engine, const TrainSettings& settings)
    : state_(std::make_unique<State>(*engine.state_, settings)) {}
Training::~Training() = default;

std::int64_t Training::iteration() const {
    return state_->trainer.iteration();
}

Step Training::step(std::span<const float> pixels, std::span<const std::size_t> indices) {
    const auto count = static_cast<std::int64_t>(indices.size());
    const StepResult result = state_->cache_left == 0 && state_->cache.empty()
                                  ? state_->trainer.step(image_tensor(pixels, count, state_->crop))
                                  : state_->trainer.learn(state_->cached_features(pixels, indices));
    return {result.iteration, result.loss, result.grad_norm, result.lr};
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
