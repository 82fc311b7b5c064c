// SPDX-License-Identifier: Apache-2.0
// A model on device D whose encoder multiplies in W. Included by engine_*.cpp and engine_*.cu alone.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "dinomaly/feature_cache.hpp"
#include "dinomaly/nn/init.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"
#include "engine/any_model.hpp"

namespace dinomaly::program {

/// Pixels [count, 3 modalities, height, width].
template <Device D>
Tensor<Full<D>> image_tensor(std::span<const float> pixels, std::int64_t count, std::int64_t modalities,
                             vision::PictureSize crop) {
    return {{count, 3 * modalities, crop.height, crop.width}, pixels};
}

/// Training of a model that outlives it. `changed` is called after each step.
template <Device D> class TrainingOnDevice final : public AnyTraining {
public:
    TrainingOnDevice(Dinomaly<D>& model, vision::PictureSize crop, const TrainSettings& settings,
                     std::shared_ptr<const FrozenEncoder<D>> encoder, std::function<void()> changed)
        : crop_(crop),
          modalities_(model.config.modalities),
          sizes_(FeatureSizes::of(model.config, crop)),
          trainer_(model, config(settings), std::move(encoder)),
          changed_(std::move(changed)) {
        keep_features({});
    }

    std::int64_t iteration() const override { return trainer_.iteration(); }

    void keep_features(const FeatureStore& store) override {
        cache_ = store.file.empty() ? std::make_unique<FeatureCache<D>>(sizes_, store.pictures)
                                    : std::make_unique<FeatureCache<D>>(sizes_, store.pictures, store.file, store.key);
        encodes_together_ = store.pictures.empty() && backend::pictures_together(D{}, 2) > 1;
    }
    std::vector<std::vector<std::size_t>> unknown(const std::vector<std::vector<std::size_t>>& batches) const override {
        return cache_->unknown(batches);
    }

    void submit(std::span<const std::size_t> pictures, std::span<const std::size_t> unknown,
                std::span<const float> pixels) override {
        const auto images = image_tensor<D>(pixels, static_cast<std::int64_t>(unknown.size()), modalities_, crop_);
        if (encodes_together_ && unknown.size() == pictures.size())
            trainer_.submit(images);
        else
            trainer_.submit(cache_->features(*trainer_.encoder(), pictures, unknown, images));
        changed_();
    }
    std::vector<Step> collect() override {
        std::vector<Step> steps;
        for (const StepResult& r : trainer_.collect()) steps.push_back({r.iteration, r.loss, r.grad_norm, r.lr});
        return steps;
    }

    FeatureUse features() const override {
        const FeatureCacheStatistics s = cache_->statistics();
        return {s.pictures, s.bytes, s.hits, s.asked};
    }

    void store(io::StateDict& dict) const override { trainer_.store(dict); }
    void restore(const io::StateDict& dict) override {
        trainer_.restore(dict);
        changed_();
    }

private:
    static TrainConfig config(const TrainSettings& s) {
        return {.iterations = s.iterations,
                .schedule = s.schedule,
                .warmup = s.warmup,
                .hard_mining_ramp = s.hard_mining_ramp,
                .lr = s.lr,
                .final_lr = s.final_lr,
                .decay_ratio = s.decay_ratio,
                .neck_lr = s.neck_lr,
                .easy_part = s.easy_part,
                .easy_factor = s.easy_factor,
                .dropout = s.dropout,
                .seed = s.seed,
                .optimizer = {.eps = s.adam_eps, .is_amsgrad = s.amsgrad}};
    }

    vision::PictureSize crop_;
    std::int64_t modalities_;
    FeatureSizes sizes_;
    Trainer<D> trainer_;
    std::function<void()> changed_;
    std::unique_ptr<FeatureCache<D>> cache_;
    bool encodes_together_ = false;  // a batch's pictures, where none is kept and the device does several at once
};

template <Device D, class W = typename D::value_type> class ModelOnDevice final : public AnyModel {
public:
    explicit ModelOnDevice(const ModelSource& source)
        : model_(std::visit([&](const auto& s) { return load(s); }, source)) {
        config = model_->config;
        element_size = sizeof(typename D::value_type);
        auto trained = model_->trained();
        trained_parameters = nn::parameter_count(trained);
        parameters = nn::parameter_count(model_->encoder) + trained_parameters;
        if (!std::holds_alternative<ModelFile>(source)) return;
        prepare();  // what is read to judge with needs its weights in this form alone
        model_.reset();
        trim_memory();
    }

    void load_trained(const std::filesystem::path& file) override {
        const io::StateDict dict = io::load_state_dict(file);
        auto trained = whole().trained();
        io::load_weights(trained, dict, "", [](const std::string& name) { return name.starts_with("encoder."); });
        predictor_.reset();
    }

    void save(const std::filesystem::path& file) override {
        LoadedModel<D> loaded{whole(), info};  // handles, not weights
        save_model(file, loaded);
        info = loaded.info;
    }

    std::vector<Judgement> judge(std::span<const float> pixels, std::int64_t count) override {
        prepare();
        std::vector<Judgement> judgements;
        for (Prediction& prediction : predictor_->judge(pixels, count))
            judgements.push_back({prediction.score, std::move(prediction.map)});
        return judgements;
    }

    std::unique_ptr<AnyTraining> train(const TrainSettings& settings) override {
        if constexpr (std::is_same_v<W, typename D::value_type>)
            return std::make_unique<TrainingOnDevice<D>>(whole(), info.sizes.crop, settings, encoder(),
                                                         [this] { predictor_.reset(); });
        else
            fail("train", "an encoder in 8-bit codes is for judging; precision fp32 or bf16 expected");
    }

private:
    Dinomaly<D> load(const ModelFile& source) {
        LoadedModel<D> loaded = load_model<D>(source.path);
        encoders::set_sizes(loaded.info.sizes, loaded.model.config.encoder, source.size, source.crop);
        info = std::move(loaded.info);
        return std::move(loaded.model);
    }
    Dinomaly<D> load(const NewModel& source) {
        LoadedModel<D> loaded =
            new_model<D>(source.encoder, source.sizes, source.seed, source.variant, source.encoder_options);
        info = std::move(loaded.info);
        return std::move(loaded.model);
    }
    Dinomaly<D> load(const RandomWeights& source) {
        Dinomaly<D> model(published_config(source.architecture));
        info.sizes = source.sizes;
        nn::init_random_features(model.encoder, source.seed);
        auto trained = model.trained();
        nn::init_trained(trained, source.seed);
        return model;
    }

    Dinomaly<D>& whole() {
        check(model_.has_value(), "model", "a model that was read to judge with is not trained or saved");
        return *model_;
    }
    const std::shared_ptr<const FrozenEncoder<D, W>>& encoder() {
        if (!encoder_) encoder_ = std::make_shared<const FrozenEncoder<D, W>>(whole());
        return encoder_;
    }
    /// The form that judges, made anew after training went on.
    void prepare() {
        if (!predictor_) predictor_.emplace(std::make_shared<const FrozenDinomaly<D, W>>(whole(), encoder()), info);
    }

    std::optional<Dinomaly<D>> model_;
    std::shared_ptr<const FrozenEncoder<D, W>> encoder_;
    std::optional<Predictor<D, W>> predictor_;
};

}  // namespace dinomaly::program
