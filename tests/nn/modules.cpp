// SPDX-License-Identifier: Apache-2.0
// Names, counts, freezing, first values, and what of the encoder runs and is recorded.
#define BOOST_TEST_MODULE nn_modules
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/nn/init.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

template <class M> std::set<std::string> names_of(M& module) {
    std::set<std::string> names;
    nn::for_each_parameter(module, [&](const std::string& name, auto&) { names.insert(name); });
    return names;
}

/// Number of values of a published size, counted without memory for them.
std::int64_t count_of(const nn::VitConfig& encoder) {
    DinomalyConfig config;
    config.encoder = encoder;
    Dinomaly<io::ShapesOnly> model(config);
    return nn::parameter_count(model);
}

Var<D> picture(std::int64_t height = 28, std::int64_t width = 28) {
    Generator random(2);
    return normal<D>({2, 3, height, width}, random);
}

std::vector<float> group_values(const Dinomaly<D>& model) {
    const auto groups = model.encode(picture());
    std::vector<float> all = groups[0].value().to_vector(), second = groups[1].value().to_vector();
    all.insert(all.end(), second.begin(), second.end());
    return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(names_are_those_of_the_published_checkpoints) {
    Dinomaly<D> model(golden_config());
    const io::StateDict published = io::load_state_dict(golden_dir() / "tiny_weights.safetensors");
    std::set<std::string> expected;
    for (const auto& [name, tensor] : published)
        if (name != "encoder.mask_token") expected.insert(name);  // which serves the encoder's own training alone
    BOOST_TEST(names_of(model) == expected, boost::test_tools::per_element());
    BOOST_TEST(expected.size() > 270U);
}

BOOST_AUTO_TEST_CASE(no_registers_no_parameter_for_them) {
    DinomalyConfig config = small_config();
    config.encoder.registers = 0;
    Dinomaly<D> model(config);
    BOOST_TEST(!names_of(model).contains("encoder.register_tokens"));
    BOOST_TEST(model.encode(picture())[0].size(1) == 1 + 4);
}

BOOST_AUTO_TEST_CASE(parts_that_are_not_there_have_no_names) {
    const auto names_without_norms = [](nn::VitConfig config) {
        config.width = 8, config.depth = 1, config.heads = 2, config.grid = 2;
        nn::VisionTransformer<D> vit(config);
        std::set<std::string> names;
        for (const std::string& name : names_of(vit))
            if (name.find("norm") == std::string::npos && !name.ends_with(".bias")) names.insert(name);
        return names;
    };
    const std::set<std::string> rotary{"blocks.0.attn.proj.weight",
                                       "blocks.0.attn.qkv.weight",
                                       "blocks.0.ls1.gamma",
                                       "blocks.0.ls2.gamma",
                                       "blocks.0.mlp.w12.weight",
                                       "blocks.0.mlp.w3.weight",
                                       "cls_token",
                                       "patch_embed.proj.weight",
                                       "register_tokens",
                                       "rope.periods"};
    const std::set<std::string> relative{"blocks.0.attn.proj.weight", "blocks.0.attn.qkv.weight",
                                         "blocks.0.attn.rel_table",   "blocks.0.mlp.fc1.weight",
                                         "blocks.0.mlp.fc2.weight",   "cls_token",
                                         "patch_embed.proj.weight"};
    BOOST_TEST(names_without_norms({.registers = 4, .is_gated = true, .position = nn::Position::rotary}) == rotary,
               boost::test_tools::per_element());
    BOOST_TEST(names_without_norms({.has_layer_scale = false, .position = nn::Position::relative}) == relative,
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(parameter_counts) {
    nn::Linear<D> linear(3, 5);
    BOOST_TEST(nn::parameter_count(linear) == 20);
    BOOST_TEST(std::round(static_cast<double>(count_of({.width = 384, .heads = 6, .registers = 4})) / 1e5) == 374);
    BOOST_TEST(std::round(static_cast<double>(count_of({.width = 768, .heads = 12, .registers = 4})) / 1e5) == 1480);
    BOOST_TEST(std::round(static_cast<double>(count_of({.width = 1024, .depth = 24, .heads = 16, .registers = 4})) /
                          1e5) == 4135);
}

BOOST_AUTO_TEST_CASE(freezing) {
    nn::Mlp<D> module(4, 8);
    randomize(module, 1);
    const Var<D> x = picture().value().reshape({294 * 4, 4});
    BOOST_TEST(!Var<D>(module(x)).wants_grad());

    nn::unfreeze(module);
    const Var<D> y = module(x);
    BOOST_TEST(y.wants_grad());
    y.backward(ones<D>(y.shape()));
    nn::for_each_parameter(module, [](const std::string&, Param<D>& p) { BOOST_TEST(p.has_grad()); });
    nn::clear_gradients(module);
    nn::for_each_parameter(module, [](const std::string&, Param<D>& p) {
        BOOST_TEST(!p.has_grad());
        BOOST_TEST(p.wants_grad());
    });
    const auto before = values_of(module);
    nn::freeze(module);
    BOOST_TEST(!Var<D>(module(x)).wants_grad());
    BOOST_TEST(values_of(module) == before);
}

BOOST_AUTO_TEST_CASE(a_frozen_encoder_records_nothing) {
    Dinomaly<D> model = small_model<D>();
    const auto outputs_of_blocks = [&] {
        std::vector<Var<D>> outputs;
        model.encoder(picture(), 3, [&](std::int64_t, const Var<D>& x) { outputs.push_back(x); });
        return outputs;
    };
    // Nothing but this list holds the blocks' outputs: the memory of what is not kept is free again.
    for (const Var<D>& output : outputs_of_blocks()) {
        BOOST_TEST(!output.wants_grad());
        BOOST_TEST(output.value().unique());
    }
    nn::unfreeze(model);
    const std::vector<Var<D>> recorded = outputs_of_blocks();
    BOOST_TEST(recorded[0].wants_grad());
    BOOST_TEST(!recorded[0].value().unique());
    // The model's own use of the encoder never records, whatever its parameters are.
    for (const Var<D>& group : model.encode(picture())) BOOST_TEST(!group.wants_grad());
    BOOST_TEST(!model.anomaly_map(picture()).wants_grad());
}

BOOST_AUTO_TEST_CASE(blocks_after_the_last_kept_one_never_run) {
    DinomalyConfig config = small_config();
    config.encoder.depth = 12;
    config.kept = {2, 3, 4, 5, 6, 7, 8, 9};
    Dinomaly<D> model = small_model<D>(1, config);
    const std::vector<float> before = group_values(model);
    const auto spoil = [](auto& module) {
        nn::for_each_parameter(module, [](const std::string&, Param<D>& p) {
            p.value() = full<D>(p.shape(), std::numeric_limits<double>::quiet_NaN());
        });
    };
    spoil(model.encoder.blocks[10]);
    spoil(model.encoder.blocks[11]);
    spoil(model.encoder.norm);
    BOOST_TEST(group_values(model) == before);
    spoil(model.encoder.blocks[9]);
    BOOST_TEST(std::isnan(group_values(model).back()));
}

BOOST_AUTO_TEST_CASE(position_embedding) {
    nn::VisionTransformer<D> vit({.width = 4, .depth = 0, .heads = 1, .patch = 2, .grid = 37});
    randomize(vit, 1);
    BOOST_TEST(vit.position(37, 37).value().to_vector() == vit.pos_embed.value().to_vector());
    const Var<D> resized = vit.position(28, 20);
    BOOST_TEST(resized.shape() == Shape({1, 1 + 28 * 20, 4}));
    const auto before = vit.pos_embed.value().to_vector(), after = resized.value().to_vector();
    BOOST_TEST(std::equal(after.begin(), after.begin() + 4, before.begin()));  // the class token's
    // With one side as it was, the scale of (h + 0.1)/37 still moves that axis a little, as in the published code.
    BOOST_TEST(vit.position(37, 20).shape() == Shape({1, 1 + 37 * 20, 4}));
}

BOOST_AUTO_TEST_CASE(position_embedding_resized_by_sizes) {
    nn::VisionTransformer<D> vit(
        {.width = 1, .depth = 0, .heads = 1, .patch = 2, .grid = 2, .resize = nn::PositionResize::size});
    vit.pos_embed.value() = Tensor<D>({1, 5, 1}, {9, 0, 1, 0, 1});
    // PyTorch's interpolate(size=(4, 4), mode="bicubic") of rows 0 1.
    const std::vector<float> row{-0.10546875F, 0.2265625F, 0.7734375F, 1.10546875F};
    const auto values = vit.position(4, 4).value().to_vector();
    for (std::size_t i = 0; i < 16; ++i) BOOST_TEST(std::abs(values[1 + i] - row[i % 4]) < 1e-6F, "cell " << i);
}

BOOST_AUTO_TEST_CASE(rotary_angles) {
    const nn::RotaryPosition<Cpu<double>> rope(8);
    BOOST_TEST(rope.periods.value().to_vector() == std::vector<double>({1, 10}), boost::test_tools::per_element());
    const auto turn = rope(2, 3);
    BOOST_TEST(turn.cos.shape() == Shape({6, 4}));
    const auto cos = turn.cos.to_vector(), sin = turn.sin.to_vector();
    constexpr double pi = 3.14159265358979323846;
    // Row 1 of 2 lies at 1/2, column 0 of 3 at -2/3: patch 3.
    const std::vector<double> angles{pi, pi / 10, -4 * pi / 3, -4 * pi / 30};
    for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(std::abs(cos[12 + i] - std::cos(angles[i])) < 1e-12, "angle " << i);
        BOOST_TEST(std::abs(sin[12 + i] - std::sin(angles[i])) < 1e-12, "angle " << i);
    }
}

BOOST_AUTO_TEST_CASE(rows_of_relative_places) {
    // A grid of 2: nine offsets, then class -> patch, patch -> class, class -> class.
    const std::vector<std::int64_t> expected{11, 9, 9, 9, 9,   //
                                             10, 4, 3, 1, 0,   //
                                             10, 5, 4, 2, 1,   //
                                             10, 7, 6, 4, 3,   //
                                             10, 8, 7, 5, 4};  //
    BOOST_TEST(nn::relative_index(2) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(gated_mlp) {
    nn::GatedMlp<D> module(1, 2);
    module.w12.weight.value() = Tensor<D>({4, 1}, {1, 2, 3, 4});
    module.w12.bias.value() = Tensor<D>({4}, {0, 1, 0, -1});
    module.w3.weight.value() = Tensor<D>({1, 2}, {1, -1});
    module.w3.bias.value() = Tensor<D>({1}, {0.5F});
    const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
    const double expected = silu(2) * 6 - silu(5) * 7 + 0.5;
    const float found = Var<D>(module(Var<D>(full<D>({1, 1}, 2)))).value().to_vector()[0];
    BOOST_TEST(std::abs(static_cast<double>(found) - expected) < 1e-5);
}

BOOST_AUTO_TEST_CASE(registers_stand_after_the_class_token_without_a_position) {
    nn::VisionTransformer<D> vit({.width = 4, .depth = 0, .heads = 1, .patch = 2, .registers = 3, .grid = 2});
    randomize(vit, 1);
    const auto all = vit.tokens(picture(4, 4)).value().to_vector();  // [2, 1 + 3 + 4, 4]
    const auto registers = vit.register_tokens.value().to_vector();
    const auto cls = vit.cls_token.value().to_vector(), position = vit.pos_embed.value().to_vector();
    for (std::size_t b = 0; b < 2; ++b) {
        for (std::size_t c = 0; c < 4; ++c) BOOST_TEST(all[b * 32 + c] == cls[c] + position[c]);
        BOOST_TEST(std::equal(registers.begin(), registers.end(), all.begin() + static_cast<long>(b * 32 + 4)));
    }
}

BOOST_AUTO_TEST_CASE(bad_use_is_an_error) {
    const Dinomaly<D> model = small_model<D>();
    BOOST_CHECK_THROW(model.encode(picture(28, 13)), Error);  // smaller than a patch
    BOOST_CHECK_THROW(model.encoder(picture(), 5, [](std::int64_t, const Var<D>&) {}), Error);
    for (const auto& spoil : std::vector<void (*)(DinomalyConfig&)>{
             [](DinomalyConfig& c) {
                 c.kept = {0, 1, 2};
             },
             [](DinomalyConfig& c) { c.kept = {}; },
             [](DinomalyConfig& c) {
                 c.kept = {1, 1};
             },
             [](DinomalyConfig& c) {
                 c.kept = {-1, 2};
             },
             [](DinomalyConfig& c) {
                 c.kept = {3, 5};
             },
             [](DinomalyConfig& c) { c.decoder_depth = 3; }, [](DinomalyConfig& c) { c.encoder.heads = 3; },
             [](DinomalyConfig& c) { c.encoder.heads = 0; }, [](DinomalyConfig& c) { c.encoder.width = 1 << 20; },
             [](DinomalyConfig& c) { c.attention_eps = std::numeric_limits<double>::quiet_NaN(); }}) {
        DinomalyConfig config = small_config();
        BOOST_CHECK_NO_THROW(config.validate());
        spoil(config);
        BOOST_CHECK_THROW(config.validate(), Error);
    }
}

BOOST_AUTO_TEST_CASE(first_values_of_what_is_trained) {
    const auto values_with = [](std::uint64_t seed) {
        Dinomaly<D> model(golden_config());
        auto trained = model.trained();
        nn::init_trained(trained, seed);
        return values_of(trained);
    };
    BOOST_TEST((values_with(4) == values_with(4)));
    BOOST_TEST((values_with(4) != values_with(5)));

    Dinomaly<D> model(golden_config());
    auto trained = model.trained();
    nn::init_trained(trained, 4);
    nn::for_each_parameter(trained, [](const std::string& name, Param<D>& p) {
        const auto values = p.value().to_vector();
        BOOST_TEST_CONTEXT(name) {
            if (p.rank() < 2) {
                const float expected = name.find("norm") != std::string::npos && name.ends_with("weight") ? 1 : 0;
                BOOST_TEST(std::ranges::all_of(values, [&](float value) { return value == expected; }));
                return;
            }
            double sum = 0, squares = 0, largest = 0;
            for (const float value : values) {
                sum += static_cast<double>(value);
                squares += static_cast<double>(value) * static_cast<double>(value);
                largest = std::max(largest, std::abs(static_cast<double>(value)));
            }
            const auto n = static_cast<double>(values.size());
            BOOST_TEST(largest <= 0.03000001);
            BOOST_TEST(std::abs(sum / n) < 0.0008);
            BOOST_TEST(std::abs(std::sqrt(squares / n) - 0.00987) < 0.0004);  // 0.01 cut off at 3 deviations
        }
    });
}

BOOST_AUTO_TEST_CASE(random_features_keep_their_size) {
    nn::Linear<D> module(400, 300);
    nn::init_random_features(module, 1);
    double squares = 0;
    for (const float value : module.weight.value().to_vector()) squares += static_cast<double>(value * value);
    BOOST_TEST(std::abs(std::sqrt(squares / 300) - 1) < 0.02);
}
