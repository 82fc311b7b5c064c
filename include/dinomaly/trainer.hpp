// SPDX-License-Identifier: Apache-2.0
// Trainer: one training step of Dinomaly, and the state that lets a run go on where it stopped.
//
// A step's learning rate, hard mining and dropout are functions of (settings, seed, iteration), so the iteration, the
// trained values and the optimiser's moments are the whole state: a resumed run gives the same bits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/frozen_model.hpp"
#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/optim/clip.hpp"
#include "dinomaly/optim/schedule.hpp"
#include "dinomaly/optim/stable_adamw.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Settings of a training run; the defaults are the paper's for MVTec-AD and VisA, multi-class.
struct TrainConfig {
    std::int64_t iterations = 10000;
    std::int64_t schedule = 0;  ///< iterations that the learning rate's schedule spans; 0 means all
    std::int64_t warmup = 100;
    std::int64_t hard_mining_ramp = 1000;
    double lr = 2e-3, final_lr = 2e-4;
    std::optional<double> decay_ratio = {};  ///< Dinomaly2's schedule, down to this part of lr; final_lr has no meaning
    double neck_lr = 0;                      ///< of a narrow bottleneck's first layer (Dinomaly2); 0: lr
    double easy_part = 0.9;                  ///< of the tokens, once the ramp is over
    double easy_factor = 0.1;                ///< by which their gradient is scaled; 1: no hard mining
    double dropout = 0.2;
    double max_grad_norm = 0.1;
    std::uint64_t seed = 1;
    optim::StableAdamWConfig optimizer = {};
};

/// What one step tells.
struct StepResult {
    std::int64_t iteration;
    double loss, grad_norm, lr;
};

template <Device D> class Trainer {
public:
    /// The model's bottleneck and decoder become parameters; its encoder stays frozen. The model stays where it is as
    /// long as the trainer lives. An encoder that is prepared already may be shared.
    Trainer(Dinomaly<D>& model, const TrainConfig& config, std::shared_ptr<const FrozenEncoder<D>> encoder = nullptr)
        : model_(model),
          config_(config),
          encoder_(encoder ? std::move(encoder) : std::make_shared<const FrozenEncoder<D>>(model)),
          schedule_(schedule_of(config, config.lr)),
          neck_schedule_(schedule_of(config, config.neck_lr > 0 ? config.neck_lr : config.lr)),
          optimizer_(trainable(model), config.optimizer, model.config.neck > 0 ? neck_parameters : 0),
          rounded_(values(model)) {
        check(config.dropout >= 0 && config.dropout < 1, "train", "dropout ", config.dropout, ", 0 <= p < 1 expected");
        check(config.iterations > 0 && config.warmup >= 0 && config.hard_mining_ramp >= 0, "train", config.iterations,
              " iterations, warm-up ", config.warmup, ", ramp ", config.hard_mining_ramp, ": none below zero expected");
        check(config.neck_lr == 0 || model.config.neck > 0, "train", "a learning rate of ", config.neck_lr,
              " for a narrow bottleneck, which this model does not have (Dinomaly2)");
        check(config.easy_part >= 0 && config.easy_part < 1, "train", "an easy part of ", config.easy_part,
              ", 0 <= part < 1 expected");
    }

    /// Iterations done.
    std::int64_t iteration() const { return iteration_; }

    /// One iteration on pictures [B, 3, H, W]. Throws Error, leaving the weights alone, when the loss or the gradient
    /// is not finite.
    StepResult step(const Tensor<Full<D>>& images) {
        submit(images);
        return collect().back();
    }
    /// One iteration on the encoder's features of the pictures (FrozenEncoder::encode).
    StepResult learn(const anomaly::Groups<D>& features) {
        submit(features);
        return collect().back();
    }

    /// The same without waiting for what they tell: a GPU goes on while the host prepares the next batch.
    void submit(const Tensor<Full<D>>& images) {
        check(images.rank() == 4, "train", "images ", images.shape(), ": [B, 3, H, W] expected");
        const std::int64_t patch = model_.config.encoder.patch;
        begin(images.size(0) * (images.size(2) / patch) * (images.size(3) / patch));
        encoding_.feed(images_, images);
        encoding_.run([&] { run(encoder_->encode(images_)); });
        encoding_.let_go(images_);
        end();
    }
    void submit(const anomaly::Groups<D>& features) {
        begin(features[0].size(0) * (features[0].size(1) - model_.config.prefix()));
        features_.resize(features.size());
        for (std::size_t i = 0; i < features.size(); ++i) learning_.feed(features_[i], features[i].value());
        learning_.run([&] { run(anomaly::Groups<D>(features_.begin(), features_.end())); });
        for (Tensor<D>& group : features_) learning_.let_go(group);
        end();
    }

    /// What the steps since the last call tell, in order; waits for them. Throws Error when the loss or the gradient of
    /// one was not finite; that step changed nothing.
    std::vector<StepResult> collect() {
        read_results();
        std::vector<StepResult> done = std::exchange(results_, {});
        const auto failed = [](const StepResult& r) { return !std::isfinite(r.loss) || !std::isfinite(r.grad_norm); };
        const auto first = std::ranges::find_if(done, failed);
        if (first != done.end()) {
            const std::int64_t count = std::ranges::count_if(done, failed);
            iteration_ -= count;
            optimizer_.forget_steps(count);
            check(std::isfinite(first->loss), "train", "the loss of iteration ", first->iteration, " is ", first->loss,
                  "; an attention eps of 1e-6 or a lower learning rate may help");
            fail("train", "the gradient of iteration ", first->iteration, " is not finite");
        }
        return done;
    }

    /// The frozen encoder, whose features learn() takes.
    const std::shared_ptr<const FrozenEncoder<D>>& encoder() const { return encoder_; }

    /// Adds the state of the run to a file's contents.
    void store(io::StateDict& dict) const {
        auto trained = model_.trained();
        io::store_weights(trained, dict);
        std::size_t i = 0;
        nn::for_each_parameter(trained, [&](const std::string& name, auto&) {
            const auto& moments = optimizer_.moments()[i++];
            io::store_tensor(dict, "m." + name, moments.m);
            io::store_tensor(dict, "v." + name, moments.v);
            io::store_tensor(dict, "vmax." + name, moments.vmax);
        });
        dict.metadata["iteration"] = std::to_string(iteration_);
    }

    /// Goes on from a stored state. Throws Error when it does not fit this model; nothing is changed then.
    void restore(const io::StateDict& dict) {
        const auto found = dict.metadata.find("iteration");
        check(found != dict.metadata.end() && !found->second.empty() && found->second.size() <= 18 &&
                  found->second.find_first_not_of("0123456789") == std::string::npos,
              dict.source().c_str(), "not the state of a training run: the metadata field \"iteration\" is missing");
        auto trained = model_.trained();
        std::vector<typename optim::StableAdamW<Full<D>>::Moments> moments;
        nn::for_each_parameter(trained, [&](const std::string& name, auto& p) {
            const auto read = [&](const std::string& kind) {
                check(dict.at(kind + name).shape == p.shape(), dict.source().c_str(), '"', kind, name, "\" has shape ",
                      dict.at(kind + name).shape, "; ", p.shape(), " expected");
                return Tensor<Full<D>>(p.shape(), dict.as<typename Full<D>::value_type>(kind + name));
            };
            moments.push_back({read("m."), read("v."), read("vmax.")});
        });
        io::load_weights(trained, dict, "", [](const std::string& name) {
            return name.starts_with("m.") || name.starts_with("v.") || name.starts_with("vmax.");
        });
        iteration_ = std::stoll(found->second);
        optimizer_.restore(iteration_, std::move(moments));
        encoding_.forget(), learning_.forget();
    }

private:
    using T = typename D::compute_type;
    static constexpr std::int64_t results_kept = 64;   // on the device, before they are read
    static constexpr std::size_t neck_parameters = 2;  // weight and bias of the first layer, the first that are trained

    /// Sets what differs from step to step; `tokens` are those of the batch that are compared.
    void begin(std::int64_t tokens) {
        const auto i = static_cast<std::uint64_t>(iteration_);
        streams_.set(nn::Noise::streams_before(i));
        hard_.set(anomaly::hard_count(tokens,
                                      anomaly::easy_fraction(iteration_, config_.hard_mining_ramp, config_.easy_part)));
        lr_ = schedule_(iteration_);
        optimizer_.prepare(lr_, neck_schedule_(iteration_));
    }

    /// The step itself; all of it may be recorded.
    void run(const anomaly::Groups<D>& features) {
        const nn::Noise noise{config_.dropout, config_.seed, 0, streams_.data()};
        [[maybe_unused]] const auto rounded = rounded_.round();
        const anomaly::Groups<Full<D>> en = model_.features.targets(features),
                                       de = model_.features.restored(model_.decode(features, noise));
        const Var<Full<D>> loss = anomaly::loose_loss(en, de, hard_, config_.easy_factor);
        auto trained = model_.trained();
        nn::clear_gradients(trained);
        loss.backward();
        Full<D>::copy(result_.data(), loss.value().data(), sizeof(T));
        optimizer_.apply(config_.max_grad_norm, result_.data() + 1);
        nn::clear_gradients(trained);
    }

    void end() {
        if (waiting_ == results_kept) read_results();
        Full<D>::copy(told_.data() + 2 * waiting_++, result_.data(), 2 * sizeof(T));
        results_.push_back({iteration_++, 0, 0, lr_});
    }

    void read_results() {
        const std::vector<T> told = told_.to_vector();
        for (std::int64_t i = 0; i < waiting_; ++i) {
            StepResult& result = results_[results_.size() - static_cast<std::size_t>(waiting_ - i)];
            result.loss = static_cast<double>(told[static_cast<std::size_t>(2 * i)]);
            result.grad_norm = static_cast<double>(told[static_cast<std::size_t>(2 * i + 1)]);
        }
        waiting_ = 0;
    }

    using Schedule = std::function<double(std::int64_t)>;
    static Schedule schedule_of(const TrainConfig& config, double lr) {
        const std::int64_t total = config.schedule > 0 ? config.schedule : config.iterations;
        if (config.decay_ratio) return optim::WarmRatio{total, config.warmup, lr, *config.decay_ratio};
        return optim::WarmCosine{total, config.warmup, lr, config.final_lr};
    }

    static std::vector<Param<D>> parameters(Dinomaly<D>& model) {
        std::vector<Param<D>> all;
        auto trained = model.trained();
        nn::for_each_parameter(trained, [&](const std::string&, Param<D>& p) { all.push_back(p); });
        return all;
    }

    static std::vector<Tensor<Full<D>>> values(Dinomaly<D>& model) {
        std::vector<Tensor<Full<D>>> all;
        for (const Param<D>& p : parameters(model)) all.push_back(p.value());
        return all;
    }

    static std::vector<Param<D>> trainable(Dinomaly<D>& model) {
        auto trained = model.trained();
        nn::unfreeze(trained);
        return parameters(model);
    }

    Dinomaly<D>& model_;
    TrainConfig config_;
    std::shared_ptr<const FrozenEncoder<D>> encoder_;
    Schedule schedule_, neck_schedule_;
    optim::StableAdamW<Full<D>> optimizer_;
    backend::RoundedWeights<D> rounded_;
    std::int64_t iteration_ = 0;
    double lr_ = 0;

    backend::Replay<D> encoding_, learning_;
    Tensor<Full<D>> images_;                   // what the one reads
    std::vector<Tensor<D>> features_;          // what the other reads
    Cell<D, std::uint64_t> streams_;           // of this step's dropout
    Cell<Full<D>, std::int64_t> hard_;         // tokens that count as hard
    Tensor<Full<D>> result_{{2}};              // loss and gradient norm of this step,
    Tensor<Full<D>> told_{{results_kept, 2}};  // and of steps whose results were not read yet
    std::int64_t waiting_ = 0;
    std::vector<StepResult> results_;
};

}  // namespace dinomaly::inline DINOMALY_ABI
