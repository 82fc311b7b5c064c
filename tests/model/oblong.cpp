// SPDX-License-Identifier: Apache-2.0
// Pictures that are not square against PyTorch: position embedding, features, map and score on a grid of 4 x 7 patches,
// and four training steps on grids of 3 x 6. oblong_run.safetensors was made with the weights of tiny_weights by the
// same PyTorch model as tiny_run (`anomaly_map` is every fourth value of a map's rows and columns).
#define BOOST_TEST_MODULE model_oblong
#include <boost/test/unit_test.hpp>
#include <vector>

#include "dinomaly/ops/permute.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

constexpr double tolerance = 1e-4;  // of the largest value

/// These files belong together, whatever golden set the other tests read.
std::filesystem::path file(const char* name) {
    return source_dir() / "tests" / "golden" / name;
}

const io::StateDict& golden() {
    static const io::StateDict dict = io::load_state_dict(file("oblong_run.safetensors"));
    return dict;
}

Dinomaly<D> golden_model() {
    Dinomaly<D> model(golden_config());
    load_published(model, io::load_state_dict(file("tiny_weights.safetensors")));
    return model;
}

void check_value(const Tensor<D>& found, const std::string& name) {
    BOOST_TEST_CONTEXT(name) {
        BOOST_TEST(relative_difference(found, golden(), name) < tolerance);
    }
}

/// Every fourth value of the maps' rows and columns.
std::vector<float> thinned(const std::vector<float>& maps) {
    std::vector<float> some;
    for (std::size_t i = 0; i < maps.size(); i += 4)
        if (i / 256 % 4 == 0) some.push_back(maps[i]);
    return some;
}

}  // namespace

BOOST_AUTO_TEST_CASE(features_map_and_score) {
    const Dinomaly<D> model = golden_model();
    const Var<D> images = tensor_of<D>(golden(), "image");  // [2, 3, 56, 98]
    check_value(model.encoder.tokens(images).value(), "tokens");
    const auto features = model(images);
    for (std::size_t i = 0; i < 2; ++i) {
        check_value(permute(features.en[i], {0, 2, 1}).value(), "en/" + std::to_string(i));
        check_value(permute(features.de[i], {0, 2, 1}).value(), "de/" + std::to_string(i));
    }
    const Var<D> map = model.anomaly_map(images);
    BOOST_TEST(relative_difference(thinned(map.value().to_vector()), golden().as<double>("anomaly_map")) < tolerance);
    BOOST_TEST(relative_difference(anomaly::image_score(map), golden().as<double>("score")) < tolerance);
}

BOOST_AUTO_TEST_CASE(the_frozen_form_judges_the_same) {
    const auto frozen = std::make_shared<const FrozenDinomaly<D>>(golden_model());
    ModelInfo info;
    info.sizes = {.size = {112, 64}, .crop = {98, 56}};
    const Predictor<D> predictor(frozen, info);
    std::vector<float> scores, maps;
    for (const Prediction& one : predictor.judge(golden().as<float>("image"), 2)) {
        scores.push_back(one.score);
        maps.insert(maps.end(), one.map.begin(), one.map.end());
    }
    BOOST_TEST(relative_difference(thinned(maps), golden().as<double>("anomaly_map")) < tolerance);
    BOOST_TEST(relative_difference(scores, golden().as<double>("score")) < tolerance);
}

BOOST_AUTO_TEST_CASE(four_steps) {
    Dinomaly<D> model = golden_model();
    TrainConfig config;
    config.iterations = 10;
    config.warmup = 2;
    config.hard_mining_ramp = 8;
    config.dropout = 0;
    Trainer<D> trainer(model, config);
    const Tensor<D> images = tensor_of<D>(golden(), "train/images");  // [4, 2, 3, 42, 84]
    const auto loss = golden().as<double>("train/loss"), lr = golden().as<double>("train/lr"),
               grad_norm = golden().as<double>("train/grad_norm");
    BOOST_TEST(loss.size() == 4U);
    for (std::size_t i = 0; i < loss.size(); ++i) {
        const StepResult result = trainer.step(images.rows(static_cast<std::int64_t>(i), 1).reshape({2, 3, 42, 84}));
        BOOST_TEST_CONTEXT("step " << i) {
            BOOST_TEST(std::abs(result.loss / loss[i] - 1) < 1e-4);
            BOOST_TEST(std::abs(result.grad_norm / grad_norm[i] - 1) < 1e-3);
            BOOST_TEST(std::abs(result.lr - lr[i]) < 1e-9);
        }
    }
}
