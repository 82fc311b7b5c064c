// SPDX-License-Identifier: Apache-2.0
// The variants of Dinomaly against PyTorch (tests/golden/make_variants.py): Dinomaly2 with every grouping, recentred
// and not, with softmax attention and with merged modalities, its training step by step, and Dinomaly on DINOv3, where
// class token and registers leave first. The environment's DINOMALY_VARIANTS names another set.
#define BOOST_TEST_MODULE model_variants
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/errors.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

/// One file of the set, its configuration and how features of layers become groups.
struct Golden {
    io::StateDict dict;
    nlohmann::json config;

    explicit Golden(const std::string& name) : dict(io::load_state_dict(file(name))) {
        config = nlohmann::json::parse(dict.metadata.at("config"));
    }

    static std::filesystem::path file(const std::string& name) {
        const char* other = std::getenv("DINOMALY_VARIANTS");
        return (other != nullptr ? std::filesystem::path(other) : source_dir() / "tests" / "golden" / "variants") /
               name;
    }

    nn::VitConfig encoder() const {
        return {.width = config.at("width"),
                .depth = 12,
                .heads = config.at("heads"),
                .patch = config.at("patch"),
                .registers = config.at("registers"),
                .grid = config.at("grid")};
    }

    Dinomaly<D> model(const DinomalyConfig& made_of) const {
        Dinomaly<D> model(made_of);
        auto trained = model.trained();
        io::load_weights(trained, dict, "weights/",
                         [](const std::string& name) { return !name.starts_with("weights/"); });
        return model;
    }

    /// What FrozenEncoder gives for a batch of the file: the kept layers' means by group, as the bottleneck sees them.
    anomaly::Groups<D> groups(const DinomalyConfig& made_of, std::int64_t batch) const {
        const Tensor<D> all = tensor_of<D>(dict, "features").rows(batch, 1);  // [1, 8, B, N, C]
        const Grouping grouping = made_of.grouping(8);
        anomaly::Groups<D> found(grouping.sizes.size());
        const Shape shape{all.size(2), all.size(3), all.size(4)};
        const std::int64_t first = made_of.encoder.prefix() - made_of.prefix();
        for (std::int64_t i = 0; i < 8; ++i) {
            const Var<D> layer = all.reshape({8, shape[0], shape[1], shape[2]}).rows(i, 1).reshape(shape);
            const Var<D> seen = slice(layer, 1, first, shape[1] - first);
            const std::size_t g = grouping.of_layer[static_cast<std::size_t>(i)];
            const Var<D> part = seen * (1 / grouping.sizes[g]);
            found[g] = found[g].value().defined() ? Var<D>(found[g] + part) : part;
        }
        return found;
    }

    void check(const Tensor<D>& found, const std::string& name, double tolerance) const {
        BOOST_TEST_CONTEXT(name) {
            BOOST_TEST(relative_difference(found, dict, name) < tolerance);
        }
    }

    /// Both sides for a batch of the file.
    void check_features(const std::string& name, const Dinomaly<D>& model, const anomaly::Groups<D>& groups) const {
        const auto en = model.features.targets(groups), de = model.features.restored(model.decode(groups));
        BOOST_TEST(!dict.contains(name + "/en/" + std::to_string(en.size())));
        for (std::size_t g = 0; g < en.size(); ++g) {
            check(en[g].value(), name + "/en/" + std::to_string(g), 1e-5);
            check(de[g].value(), name + "/de/" + std::to_string(g), 1e-5);
        }
    }

    void check_map(const std::string& name, const Dinomaly<D>& model, const anomaly::Groups<D>& groups) const {
        const std::int64_t side = config.at("grid").get<std::int64_t>() * model.config.encoder.patch;
        const Var<D> map =
            anomaly::anomaly_map<D>(model.features.targets(groups), model.features.restored(model.decode(groups)), side,
                                    side, model.config.encoder.patch);
        std::vector<float> some;
        const std::vector<float> all = map.value().to_vector();
        for (std::size_t i = 0; i < all.size(); i += 4)
            if (i / 256 % 4 == 0) some.push_back(all[i]);
        BOOST_TEST(relative_difference(some, dict.as<double>(name + "/map")) < 1e-5);
        BOOST_TEST(relative_difference(anomaly::image_score(map), dict.as<double>(name + "/score")) < 1e-5);
    }
};

const Golden& second() {
    static const Golden golden("dinomaly2.safetensors");
    return golden;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_grouping) {
    for (const int number : {0, 1, 2, 3, 4, 11, 12, 14})
        for (const bool is_recentred : {true, false}) {
            const DinomalyConfig config = variant_config(
                "test", second().encoder(), {.is_second = true, .loose_groups = number, .is_recentred = is_recentred});
            second().check_features("lc" + std::to_string(number) + (is_recentred ? "-recentred" : "-plain"),
                                    second().model(config), second().groups(config, 0));
        }
    expect_error([] { loose_groups(5); }, {"0, 1, 2, 3, 4, 11, 12 or 14"});
}

BOOST_AUTO_TEST_CASE(map_and_score) {
    const DinomalyConfig config = variant_config("test", second().encoder(), {.is_second = true});
    second().check_map("lc2-recentred", second().model(config), second().groups(config, 0));
}

BOOST_AUTO_TEST_CASE(softmax_decoder) {
    const DinomalyConfig config =
        variant_config("test", second().encoder(), {.is_second = true, .softmax_decoder = true});
    second().check_features("softmax", second().model(config), second().groups(config, 0));
}

BOOST_AUTO_TEST_CASE(merged_modalities) {
    const DinomalyConfig config = variant_config("test", second().encoder(), {.is_second = true, .modalities = 2});
    const anomaly::Groups<D> one = second().groups(config, 0), other = second().groups(config, 1);
    anomaly::Groups<D> merged;
    for (std::size_t g = 0; g < one.size(); ++g) merged.push_back(Var<D>(0.5 * one[g] + 0.5 * other[g]));
    second().check_features("merged", second().model(config), merged);
}

BOOST_AUTO_TEST_CASE(thirty_steps) {
    const DinomalyConfig config = variant_config("test", second().encoder(), {.is_second = true});
    Dinomaly<D> model = second().model(config);
    const nlohmann::json& run = second().config;
    TrainConfig settings;
    settings.iterations = run.at("iterations");
    settings.warmup = run.at("warmup");
    settings.hard_mining_ramp = run.at("ramp");
    settings.lr = run.at("lr");
    settings.neck_lr = run.at("neck_lr");
    settings.decay_ratio = run.at("decay_ratio").get<double>();
    settings.dropout = 0;
    settings.max_grad_norm = run.at("clip");
    settings.optimizer.is_amsgrad = false;
    Trainer<D> trainer(model, settings);
    const auto loss = second().dict.as<double>("train/loss"), lr = second().dict.as<double>("train/lr");
    optim::WarmRatio neck{settings.iterations, settings.warmup, settings.neck_lr, *settings.decay_ratio};
    for (std::size_t i = 0; i < loss.size(); ++i) {
        const StepResult result = trainer.learn(second().groups(config, static_cast<std::int64_t>(i % 3)));
        BOOST_TEST_CONTEXT("step " << i) {
            BOOST_TEST(std::abs(result.loss - loss[i]) < 1e-5);
            BOOST_TEST(result.lr == lr[2 * i]);
            BOOST_TEST(neck(static_cast<std::int64_t>(i)) == lr[2 * i + 1]);
        }
    }
    std::size_t compared = 0;
    auto trained = model.trained();
    nn::for_each_parameter(trained, [&](const std::string& name, Param<D>& p) {
        const auto found = p.value().to_vector();
        const auto expected = second().dict.as<double>("train/final/" + name);
        double worst = 0;
        for (std::size_t i = 0; i < found.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(found[i]) - expected[i]));
        BOOST_TEST_CONTEXT(name) {
            BOOST_TEST(worst < 2e-5);
        }
        ++compared;
    });
    BOOST_TEST(compared == 6U + 8 * 12);
}

/// Of blocks behind the last one that is compared nothing changes: no gradient reaches them.
BOOST_AUTO_TEST_CASE(blocks_in_no_group_stay) {
    const DinomalyConfig config = variant_config("test", second().encoder(), {.is_second = true, .loose_groups = 14});
    Dinomaly<D> model = second().model(config);
    const auto before = values_of(model.decoder[7]), other = values_of(model.decoder[6]);
    TrainConfig settings;
    settings.iterations = 3, settings.warmup = 0;
    Trainer<D> trainer(model, settings);
    for (int i = 0; i < 3; ++i) trainer.learn(second().groups(config, i));
    BOOST_TEST((values_of(model.decoder[7]) == before));
    BOOST_TEST((values_of(model.decoder[6]) != other));
}

BOOST_AUTO_TEST_CASE(dinov3_patches_alone) {
    const Golden golden("dinov3.safetensors");
    nn::VitConfig encoder = golden.encoder();
    encoder.position = nn::Position::rotary;
    DinomalyConfig config = variant_config("test", encoder);
    BOOST_TEST(config.patches_only);
    config.encoder.position = nn::Position::absolute;  // its encoder does not run here
    const Dinomaly<D> model = golden.model(config);
    golden.check_features("patches", model, golden.groups(config, 0));
    golden.check_map("patches", model, golden.groups(config, 0));
}

/// What is folded and packed gives what the plain model gives, for every grouping and two modalities.
BOOST_AUTO_TEST_CASE(frozen_form) {
    nn::VitConfig encoder{.width = 64, .depth = 12, .heads = 2, .patch = 14, .registers = 2, .grid = 3};
    const auto check_one = [&](const DinomalyConfig& config) {
        Dinomaly<D> model = small_model<D>(5, config);
        Generator random(3);
        const Tensor<D> images = uniform<D>({2, 3 * config.modalities, 42, 42}, random, -1.0, 1.0);
        const auto plain = model.anomaly_map(images).value().to_vector();
        BOOST_TEST(relative_difference(FrozenDinomaly<D>(model).anomaly_map(images).value().to_vector(), plain) < 1e-4);
        const anomaly::Groups<D> groups = model.encode(images), frozen = FrozenEncoder<D>(model).encode(images);
        BOOST_TEST_REQUIRE(groups.size() == frozen.size());
        for (std::size_t g = 0; g < groups.size(); ++g)
            BOOST_TEST(relative_difference(frozen[g].value().to_vector(), groups[g].value().to_vector()) < 1e-4);
    };
    for (const int number : {0, 1, 2, 3, 14})
        check_one(variant_config("test", encoder, {.is_second = true, .loose_groups = number}));
    check_one(variant_config("test", encoder, {.is_second = true, .softmax_decoder = true, .modalities = 2}));
    DinomalyConfig patches = variant_config("test", encoder);
    patches.patches_only = true;
    check_one(patches);
}

BOOST_AUTO_TEST_CASE(wrong_settings) {
    const nn::VitConfig encoder = second().encoder();
    DinomalyConfig config = variant_config("test", encoder, {.is_second = true});
    config.groups = {{0, 1}, {1, 2}};
    expect_error([&] { config.validate(); }, {"layer 1"});
    config.groups = {{0, 8}};
    expect_error([&] { config.validate(); }, {"layer 8"});
    config.groups = {{}};
    expect_error([&] { config.validate(); }, {"an empty group"});
    config = variant_config("test", encoder);
    config.patches_only = config.is_recentred = true;
    expect_error([&] { config.validate(); }, {"class token"});
    nn::VitConfig shallow = encoder;
    shallow.depth = 6;
    expect_error([&] { variant_config("e.pth", shallow); }, {"an encoder of 6 blocks"});

    Dinomaly<D> model = small_model<D>();
    TrainConfig settings;
    settings.neck_lr = 1e-4;
    expect_error([&] { Trainer<D>(model, settings); }, {"narrow bottleneck"});
    settings.neck_lr = 0, settings.easy_part = 1;
    expect_error([&] { Trainer<D>(model, settings); }, {"an easy part of 1"});
}
