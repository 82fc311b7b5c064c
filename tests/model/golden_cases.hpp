// SPDX-License-Identifier: Apache-2.0
// The golden model against PyTorch on any device: every activation, the loss, all gradients, the map, and a run of
// twelve steps.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "dinomaly/model.hpp"
#include "dinomaly/ops/permute.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/model/small.hpp"

namespace dinomaly::test {

constexpr double tolerance = 1e-4;  // of the largest value

inline const io::StateDict& golden_run() {
    static const io::StateDict dict = io::load_state_dict(golden_dir() / "tiny_run.safetensors");
    return dict;
}

template <Device D> Dinomaly<D> golden_model(const std::string& file = "tiny_weights.safetensors") {
    Dinomaly<D> model(golden_config());
    load_published(model, io::load_state_dict(golden_dir() / file));
    return model;
}

template <Device D> Var<D> image() {
    return tensor_of<D>(golden_run(), "image");
}

template <Device D> void check_value(const Tensor<D>& found, const std::string& name) {
    BOOST_TEST_CONTEXT(name) {
        BOOST_TEST(relative_difference(found, golden_run(), name) < tolerance);
    }
}

/// Tokens [B, h w, C] in the order of the golden maps [B, C, h, w].
template <Device D> Tensor<D> channels_first(const Var<D>& tokens) {
    return permute(tokens, {0, 2, 1}).value();
}

template <Device D> void check_encoder_blocks() {
    const Dinomaly<D> model = golden_model<D>();
    check_value(model.encoder.tokens(image<D>()).value(), "tokens");
    std::size_t compared = 0;
    model.encoder(image<D>(), model.config.kept.back(), [&](std::int64_t block, const Var<D>& x) {
        const std::string name = "encoder_block/" + std::to_string(block);
        if (!golden_run().contains(name)) return;
        check_value(x.value(), name);
        ++compared;
    });
    BOOST_TEST(compared == model.config.kept.size());
}

template <Device D> void check_groups_and_map(const std::string& file) {
    const Dinomaly<D> model = golden_model<D>(file);
    const auto features = model(image<D>());
    for (std::size_t i = 0; i < 2; ++i) {
        check_value(channels_first(features.en[i]), "en/" + std::to_string(i));
        check_value(channels_first(features.de[i]), "de/" + std::to_string(i));
    }
    const Var<D> map = model.anomaly_map(image<D>());
    check_value(map.value(), "anomaly_map_256");
    BOOST_TEST(relative_difference(anomaly::image_score(map), golden_run().as<double>("score_1_percent")) < tolerance);
    BOOST_TEST(relative_difference(anomaly::image_score(map, 0), golden_run().as<double>("score_max")) < tolerance);
}

template <Device D> void check_loss_and_gradients() {
    Dinomaly<D> model = golden_model<D>();
    auto trained = model.trained();
    nn::unfreeze(trained);
    std::vector<Var<D>> parameters;
    nn::for_each_parameter(trained, [&](const std::string&, Param<D>& p) { parameters.push_back(p); });

    for (const auto& [easy_part, name] : {std::pair{0.0, "p0.0"}, {0.45, "p0.45"}, {0.9, "p0.9"}}) {
        nn::clear_gradients(trained);
        const auto features = model(image<D>());
        const Var<D> loss = anomaly::loose_loss(features.en, features.de, easy_part);
        check_value(loss.value(), std::string("loss/") + name);
        loss.backward();
        const double norm = optim::clip_gradients(parameters, 1e30);
        BOOST_TEST(relative_difference(std::vector{norm}, golden_run().as<double>(std::string("grad_norm/") + name)) <
                   tolerance);
    }

    std::size_t compared = 0;
    nn::for_each_parameter(trained, [&](const std::string& name, Param<D>& p) {  // of p0.9, the last one
        check_value(p.grad(), "grad/" + name);
        ++compared;
    });
    BOOST_TEST(compared == 4U + 8 * 12);
}

template <Device D> void check_twelve_steps() {
    Dinomaly<D> model = golden_model<D>();
    const nlohmann::json settings = golden_settings().at("train");
    TrainConfig config;
    config.iterations = settings.at("schedule_total");
    config.warmup = settings.at("warmup");
    config.hard_mining_ramp = 8;  // "min(0.9*i/8, 0.9)"
    config.lr = settings.at("base_lr");
    config.final_lr = settings.at("final_lr");
    config.dropout = 0;
    config.max_grad_norm = settings.at("clip_norm");
    config.optimizer = {.beta1 = settings.at("betas").at(0),
                        .beta2 = settings.at("betas").at(1),
                        .eps = settings.at("eps"),
                        .weight_decay = settings.at("weight_decay")};
    BOOST_TEST(settings.at("p") == "min(0.9*i/8, 0.9)");

    Trainer<D> trainer(model, config);
    const Tensor<D> images = tensor_of<D>(golden_run(), "train/images");  // [steps, B, 3, H, W]
    const Shape batch{images.size(1), images.size(2), images.size(3), images.size(4)};
    const auto loss = golden_run().as<double>("train/loss"), lr = golden_run().as<double>("train/lr"),
               grad_norm = golden_run().as<double>("train/grad_norm");
    for (std::size_t i = 0; i < loss.size(); ++i) {
        const StepResult result = trainer.step(images.rows(static_cast<std::int64_t>(i), 1).reshape(batch));
        BOOST_TEST_CONTEXT("step " << i) {
            BOOST_TEST(result.iteration == static_cast<std::int64_t>(i));
            BOOST_TEST(std::abs(result.loss / loss[i] - 1) < 1e-4);
            BOOST_TEST(std::abs(result.grad_norm / grad_norm[i] - 1) < 1e-3);
            BOOST_TEST(std::abs(result.lr - lr[i]) < 1e-9);
        }
    }

    std::size_t compared = 0;
    auto trained = model.trained();
    nn::for_each_parameter(trained, [&](const std::string& name, Param<D>& p) {
        const std::string golden = "train/final/" + name;
        if (!golden_run().contains(golden)) return;
        BOOST_TEST_CONTEXT(golden) {
            BOOST_TEST(relative_difference(p.value(), golden_run(), golden) < 2e-4);
        }
        ++compared;
    });
    BOOST_TEST(compared == 4U + 2 * 12);
}

}  // namespace dinomaly::test
