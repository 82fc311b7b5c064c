// SPDX-License-Identifier: Apache-2.0
// Training and judging on Cuda<float> and Cuda<bfloat16> against the CPU, and recorded steps against plain ones.
#define BOOST_TEST_MODULE cuda_training
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "dinomaly/feature_cache.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/cuda/on_cuda.hpp"
#include "tests/model/small.hpp"
#include "tests/nn/encoders.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

/// Pictures [2, 3, 28, 28] of an iteration, the same numbers on every device.
template <Device D> Tensor<Full<D>> batch(std::int64_t i) {
    Generator random(static_cast<std::uint64_t>(100 + i));
    return normal<Full<D>>({2, 3, 28, 28}, random);
}

TrainConfig short_run() {
    TrainConfig config;
    config.iterations = 12;
    config.warmup = 3;
    config.hard_mining_ramp = 6;
    config.dropout = 0.3;
    return config;
}

template <Device D> std::vector<StepResult> results_of(Trainer<D>& trainer, std::int64_t steps) {
    for (std::int64_t i = 0; i < steps; ++i) trainer.submit(batch<D>(trainer.iteration()));
    return trainer.collect();
}

template <Device D> std::vector<double> trained_values(Dinomaly<D>& model) {
    auto trained = model.trained();
    return values_of(trained);
}

/// The same small model on D: drawn in double, rounded to float.
template <Device D> Dinomaly<D> same_model(const DinomalyConfig& config = small_config()) {
    return small_model<D>(3, config);
}

/// A Dinomaly2 with a layer that is in no group.
DinomalyConfig second_config() {
    DinomalyConfig config = small_config();
    config.groups = {{1, 2}, {3}};
    config.is_recentred = true;
    config.neck = 8;
    config.attention_eps = 1e-8;
    return config;
}

TrainConfig second_run() {
    TrainConfig config = short_run();
    config.neck_lr = 2e-4;
    config.decay_ratio = 0.5;
    config.optimizer.is_amsgrad = false;
    return config;
}

void check_training(const DinomalyConfig& made_of, const TrainConfig& run) {
    auto cpu_model = same_model<Cpu<float>>(made_of);
    auto gpu_model = same_model<Cuda<float>>(made_of);
    Trainer<Cpu<float>> cpu(cpu_model, run);
    Trainer<Cuda<float>> gpu(gpu_model, run);
    const auto expected = results_of(cpu, 8), found = results_of(gpu, 8);
    BOOST_TEST_REQUIRE(found.size() == 8U);
    for (std::size_t i = 0; i < found.size(); ++i) {
        BOOST_TEST_CONTEXT("step " << i) {
            BOOST_TEST(found[i].iteration == expected[i].iteration);
            BOOST_TEST(found[i].lr == expected[i].lr);
            BOOST_TEST(std::abs(found[i].loss / expected[i].loss - 1) < 1e-4);
            BOOST_TEST(std::abs(found[i].grad_norm / expected[i].grad_norm - 1) < 1e-3);
        }
    }
    BOOST_TEST(relative_difference(trained_values(gpu_model), trained_values(cpu_model)) < 1e-4);
}

}  // namespace

BOOST_AUTO_TEST_CASE(losses_and_weights_follow_the_cpu) {
    check_training(small_config(), short_run());
}

BOOST_AUTO_TEST_CASE(those_of_dinomaly2_do) {
    check_training(second_config(), second_run());
}

BOOST_AUTO_TEST_CASE(bfloat16_follows_float) {
    auto exact_model = same_model<Cuda<float>>();
    auto half_model = same_model<Cuda<bfloat16>>();
    Trainer<Cuda<float>> exact(exact_model, short_run());
    Trainer<Cuda<bfloat16>> half(half_model, short_run());
    const auto expected = results_of(exact, 6), found = results_of(half, 6);
    for (std::size_t i = 0; i < found.size(); ++i)
        BOOST_TEST(std::abs(found[i].loss / expected[i].loss - 1) < 0.02, "step " << i);
}

using Devices = std::tuple<Cuda<float>, Cuda<bfloat16>>;

/// Steps that are waited for one by one, resumed in the middle, or handed over without waiting give the same bits.
BOOST_AUTO_TEST_CASE_TEMPLATE(every_way_of_running_gives_the_same_bits, D, Devices) {
    auto once = same_model<D>(), stepwise = same_model<D>(), resumed = same_model<D>();
    Trainer<D> first(once, short_run()), second(stepwise, short_run());
    const auto results = results_of(first, 9);
    std::vector<double> losses;
    io::StateDict state("state");
    for (int i = 0; i < 9; ++i) {
        losses.push_back(second.step(batch<D>(i)).loss);
        if (i == 4) second.store(state);
    }
    for (std::size_t i = 0; i < losses.size(); ++i) BOOST_TEST(losses[i] == results[i].loss, "step " << i);
    BOOST_TEST((trained_values(once) == trained_values(stepwise)));

    Trainer<D> third(resumed, short_run());
    results_of(third, 3);  // whose recorded step must not outlive the restored state
    third.restore(state);
    const auto rest = results_of(third, 4);
    for (std::size_t i = 0; i < rest.size(); ++i) BOOST_TEST(rest[i].loss == results[5 + i].loss, "step " << 5 + i);
    BOOST_TEST((trained_values(once) == trained_values(resumed)));
}

BOOST_AUTO_TEST_CASE(features_that_are_known_give_the_same_steps) {
    using D = Cuda<float>;
    auto with_images = same_model<D>(), with_features = same_model<D>();
    Trainer<D> first(with_images, short_run()), second(with_features, short_run());
    const auto results = results_of(first, 5);
    for (std::int64_t i = 0; i < 5; ++i) second.submit(second.encoder()->encode(batch<D>(i)));
    const auto others = second.collect();
    for (std::size_t i = 0; i < others.size(); ++i) BOOST_TEST(others[i].loss == results[i].loss);
}

/// Features are kept on the device, or on the host's side where they go into a file: the same steps either way.
BOOST_AUTO_TEST_CASE(kept_features_give_the_same_steps) {
    using D = Cuda<bfloat16>;
    const PictureBatches batches = {{0, 1}, {2, 3}, {1, 0}, {3, 3}, {0, 2}};
    const auto losses = [&](bool keeps, const std::filesystem::path& file) {
        auto model = same_model<D>();
        Trainer<D> trainer(model, short_run());
        const FeatureSizes sizes = FeatureSizes::of(model.config, 28);
        const auto kept = keeps ? repeated(batches) : std::vector<std::size_t>{};
        FeatureCache<D> cache =
            file.empty() ? FeatureCache<D>(sizes, kept) : FeatureCache<D>(sizes, kept, file, "small");
        const PictureBatches unknown = cache.unknown(batches);
        for (std::size_t i = 0; i < batches.size(); ++i) {
            std::vector<float> pixels;
            for (const std::size_t picture : unknown[i]) {
                const auto one = batch<D>(static_cast<std::int64_t>(picture)).rows(0, 1).to_vector();
                pixels.insert(pixels.end(), one.begin(), one.end());
            }
            const Tensor<Full<D>> images({static_cast<std::int64_t>(unknown[i].size()), 3, 28, 28}, pixels);
            trainer.submit(cache.features(*trainer.encoder(), batches[i], unknown[i], images));
        }
        BOOST_TEST(cache.statistics().pictures == kept.size());
        std::vector<double> found;
        for (const StepResult& result : trainer.collect()) found.push_back(result.loss);
        return found;
    };
    const auto plain = losses(false, {});
    BOOST_TEST(losses(true, {}) == plain);
    BOOST_TEST(losses(true, scratch_dir("kept_features") / "features") == plain);
}

BOOST_AUTO_TEST_CASE(a_steady_step_allocates_nothing) {
    using D = Cuda<float>;
    auto model = same_model<D>();
    Trainer<D> trainer(model, short_run());
    results_of(trainer, 4);
    if (!backend::DeviceHeap::keeps()) return;
    const auto fresh = backend::DeviceHeap::statistics().fresh;
    results_of(trainer, 4);
    BOOST_TEST(backend::DeviceHeap::statistics().fresh == fresh);
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_changes_nothing) {
    using D = Cuda<float>;
    auto model = same_model<D>();
    Trainer<D> trainer(model, short_run());
    results_of(trainer, 4);
    const auto before = trained_values(model);
    std::vector<float> pixels = batch<D>(4).to_vector();
    pixels[5] = std::numeric_limits<float>::quiet_NaN();
    BOOST_CHECK_EXCEPTION(trainer.step(Tensor<D>({2, 3, 28, 28}, pixels)), Error, [](const Error& error) {
        return std::string(error.what()).find("the loss of iteration 4 is") != std::string::npos;
    });
    BOOST_TEST((trained_values(model) == before));
    BOOST_TEST(trainer.iteration() == 4);
}

namespace {

void check_judgements(const DinomalyConfig& made_of) {
    const auto cpu_model = same_model<Cpu<float>>(made_of);
    const auto gpu_model = same_model<Cuda<float>>(made_of);
    ModelInfo info;
    info.sizes = {.size = 28, .crop = 28};
    const Predictor<Cpu<float>> cpu(std::make_shared<const FrozenDinomaly<Cpu<float>>>(cpu_model), info);
    const Predictor<Cuda<float>> gpu(std::make_shared<const FrozenDinomaly<Cuda<float>>>(gpu_model), info);
    for (int run = 0; run < 5; ++run) {  // the first are plain, the later ones recorded
        const std::vector<float> pixels = batch<Cpu<float>>(run).to_vector();
        const auto expected = cpu.judge(pixels, 2), found = gpu.judge(pixels, 2);
        for (std::size_t i = 0; i < 2; ++i) {
            BOOST_TEST(relative_difference(found[i].map, expected[i].map) < 1e-4, "run " << run);
            BOOST_TEST(std::abs(found[i].score / expected[i].score - 1) < 1e-4F);
        }
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(judgements_agree_with_the_cpu_run_after_run) {
    check_judgements(small_config());
}

BOOST_AUTO_TEST_CASE(those_of_dinomaly2_agree) {
    check_judgements(second_config());
}

/// Encoders of all parts, plain and frozen, against the CPU.
BOOST_AUTO_TEST_CASE(encoders_of_all_parts_give_the_cpus_features) {
    for (const auto& [name, config] : encoders_of_all_parts()) {
        const auto expected = plain_features<Cpu<double>>(config);
        BOOST_TEST_CONTEXT(name) {
            BOOST_TEST(distance(plain_features<Cuda<float>>(config), expected) < 1e-5);
            BOOST_TEST((distance(frozen_features<Cuda<float>, float>(config), expected) < 1e-5));
            BOOST_TEST((distance(frozen_features<Cuda<bfloat16>, bfloat16>(config), expected) < 0.02));
        }
    }
}
