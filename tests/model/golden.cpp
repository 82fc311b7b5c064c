// SPDX-License-Identifier: Apache-2.0
// The golden model against PyTorch: every activation, the loss, all gradients, the map, and a run of twelve steps.
#define BOOST_TEST_MODULE model_golden
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "dinomaly/model.hpp"
#include "dinomaly/ops/permute.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

constexpr double tolerance = 1e-4;  // of the largest value

const io::StateDict& run() {
    static const io::StateDict dict = io::load_state_dict(golden_dir() / "tiny_run.safetensors");
    return dict;
}

Dinomaly<D> golden_model(const std::string& file = "tiny_weights.safetensors") {
    Dinomaly<D> model(golden_config());
    io::load_weights(model, io::load_state_dict(golden_dir() / file));
    return model;
}

Var<D> image() {
    return tensor_of<D>(run(), "image");
}

void check_value(const Tensor<D>& found, const std::string& name) {
    BOOST_TEST_CONTEXT(name) {
        BOOST_TEST(relative_difference(found, run(), name) < tolerance);
    }
}

/// Tokens [B, h w, C] in the order of the golden maps [B, C, h, w].
Tensor<D> channels_first(const Var<D>& tokens) {
    return permute(tokens, {0, 2, 1}).value();
}

}  // namespace

BOOST_AUTO_TEST_CASE(encoder_blocks) {
    const Dinomaly<D> model = golden_model();
    check_value(model.encoder.tokens(image()).value(), "tokens");
    std::size_t compared = 0;
    model.encoder(image(), model.config.kept.back(), [&](std::int64_t block, const Var<D>& x) {
        const std::string name = "encoder_block/" + std::to_string(block);
        if (!run().contains(name)) return;
        check_value(x.value(), name);
        ++compared;
    });
    BOOST_TEST(compared == model.config.kept.size());
}

BOOST_DATA_TEST_CASE(groups_and_map, boost::unit_test::data::make({"tiny_weights.safetensors", "tiny_weights.pth"}),
                     file) {
    const Dinomaly<D> model = golden_model(file);
    const auto features = model(image());
    for (std::size_t i = 0; i < 2; ++i) {
        check_value(channels_first(features.en[i]), "en/" + std::to_string(i));
        check_value(channels_first(features.de[i]), "de/" + std::to_string(i));
    }
    const Var<D> map = model.anomaly_map(image());
    check_value(map.value(), "anomaly_map_256");
    BOOST_TEST(relative_difference(anomaly::image_score(map), run().as<double>("score_1_percent")) < tolerance);
    BOOST_TEST(relative_difference(anomaly::image_score(map, 0), run().as<double>("score_max")) < tolerance);
}

BOOST_AUTO_TEST_CASE(loss_and_gradients) {
    Dinomaly<D> model = golden_model();
    auto trained = model.trained();
    nn::unfreeze(trained);
    std::vector<Var<D>> parameters;
    nn::for_each_parameter(trained, [&](const std::string&, Param<D>& p) { parameters.push_back(p); });

    for (const auto& [easy_part, name] : {std::pair{0.0, "p0.0"}, {0.45, "p0.45"}, {0.9, "p0.9"}}) {
        nn::clear_gradients(trained);
        const auto features = model(image());
        const Var<D> loss = anomaly::loose_loss(features.en, features.de, easy_part);
        check_value(loss.value(), std::string("loss/") + name);
        loss.backward();
        const double norm = optim::clip_gradients(parameters, 1e30);
        BOOST_TEST(relative_difference(std::vector{norm}, run().as<double>(std::string("grad_norm/") + name)) <
                   tolerance);
    }

    std::size_t compared = 0;
    nn::for_each_parameter(trained, [&](const std::string& name, Param<D>& p) {  // of p0.9, the last one
        check_value(p.grad(), "grad/" + name);
        ++compared;
    });
    BOOST_TEST(compared == 4U + 8 * 12);
}

BOOST_AUTO_TEST_CASE(twelve_steps) {
    Dinomaly<D> model = golden_model();
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
    const Tensor<D> images = tensor_of<D>(run(), "train/images");  // [steps, B, 3, H, W]
    const Shape batch{images.size(1), images.size(2), images.size(3), images.size(4)};
    const auto loss = run().as<double>("train/loss"), lr = run().as<double>("train/lr"),
               grad_norm = run().as<double>("train/grad_norm");
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
        if (!run().contains(golden)) return;
        BOOST_TEST_CONTEXT(golden) {
            BOOST_TEST(relative_difference(p.value(), run(), golden) < 2e-4);
        }
        ++compared;
    });
    BOOST_TEST(compared == 4U + 2 * 12);
}
