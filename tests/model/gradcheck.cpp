// SPDX-License-Identifier: Apache-2.0
// The gradient of every module, of the loss and of the whole small Dinomaly, in double, against central differences.
#define BOOST_TEST_MODULE model_gradcheck
#include "dinomaly/autodiff/gradcheck.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dinomaly/model.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<double>;

namespace {

constexpr std::int64_t width = 8, heads = 2;

Var<D> drawn(const Shape& shape, std::uint64_t seed = 3) {
    Generator random(seed);
    return normal<D>(shape, random);
}

Var<D> tokens() {
    return drawn({2, 5, width});
}

/// Checks call(module, x) for x and for every parameter of the module, all drawn at random.
template <class M, class Call>
void check_module(M module, const Var<D>& x, const Call& call, std::int64_t max_elements = 60) {
    randomize(module, 5, 0.5);
    std::vector<Var<D>> inputs{x};
    nn::for_each_parameter(module, [&](const std::string&, Param<D>& p) { inputs.push_back(p); });
    const auto f = [&](const std::vector<Var<D>>& in) -> Var<D> {
        M with_inputs = module;
        std::size_t next = 1;
        nn::for_each_parameter(with_inputs, [&](const std::string&, Param<D>& p) { p = in[next++]; });
        return call(with_inputs, in[0]);
    };
    const GradcheckReport report = gradcheck(f, inputs, {.max_elements = max_elements});
    BOOST_TEST(report.passed, report);
}

/// The module is a function of x alone.
constexpr auto apply = [](const auto& module, const Var<D>& x) -> Var<D> { return module(x); };

}  // namespace

BOOST_AUTO_TEST_CASE(module_linear) {
    check_module(nn::Linear<D>(width, 3), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(module_layer_norm) {
    check_module(nn::LayerNorm<D>(width, 1e-6), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(module_layer_scale) {
    check_module(nn::LayerScale<D>(width), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(module_mlp) {
    check_module(nn::Mlp<D>(width, 4 * width), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(module_attention) {
    check_module(nn::Attention<D>(width, heads), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(module_linear_attention) {
    for (const double eps : {0.0, 0.1}) {
        nn::LinearAttention<D> module(width, heads);
        module.eps = eps;
        check_module(module, tokens(), apply);
    }
}

BOOST_AUTO_TEST_CASE(encoder_block) {
    check_module(nn::Block<D>(width, heads, 1e-6), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(decoder_block) {
    check_module(nn::Block<D, nn::LinearAttention, nn::NoScale>(width, heads, 1e-8), tokens(), apply);
}

BOOST_AUTO_TEST_CASE(module_encoder_block_of_every_kind) {
    using nn::Position;
    const nn::Places<D> places{2, 2, nn::RotaryPosition<D>(width / heads)(2, 2)}, unturned{2, 2};
    for (const Position position : {Position::absolute, Position::rotary, Position::relative}) {
        const bool is_rotary = position == Position::rotary;
        const nn::VitConfig config{.width = width,
                                   .heads = heads,
                                   .grid = 2,
                                   .hidden = 6,
                                   .is_gated = is_rotary,
                                   .has_layer_scale = is_rotary,
                                   .position = position};
        const auto in_place = [&](const auto& block, const Var<D>& x) -> Var<D> {
            return block(x, is_rotary ? places : unturned);
        };
        check_module(nn::encoder_block<D>(config), tokens(), in_place);
    }
}

BOOST_AUTO_TEST_CASE(noisy_bottleneck) {
    const nn::NoisyBottleneck<D> module(width, 4 * width);
    check_module(module, tokens(), apply);
    check_module(module, tokens(), [](const auto& m, const Var<D>& x) -> Var<D> {
        return m(x, nn::Noise{.probability = 0.4, .seed = 11, .step = 7});
    });
}

BOOST_AUTO_TEST_CASE(module_patch_embed) {
    check_module(nn::PatchEmbed<D>(width, 2), drawn({2, 3, 4, 6}), apply);
}

BOOST_AUTO_TEST_CASE(vision_transformer) {
    nn::VitConfig config{.width = width, .depth = 2, .heads = heads, .patch = 2, .registers = 2, .grid = 3};
    const auto all_blocks = [](const auto& vit, const Var<D>& image) -> Var<D> {
        Var<D> last;
        vit(image, 1, [&](std::int64_t, const Var<D>& x) { last = x; });
        return last;
    };
    check_module(nn::VisionTransformer<D>(config), drawn({2, 3, 4, 8}), all_blocks, 12);  // a resized position grid

    const auto tokens_alone = [](const auto& vit, const Var<D>& image) -> Var<D> { return vit.tokens(image); };
    check_module(nn::VisionTransformer<D>(config), drawn({2, 3, 6, 6}), tokens_alone, 12);  // the grid as it is
    config.registers = 0;
    check_module(nn::VisionTransformer<D>(config), drawn({2, 3, 4, 4}), tokens_alone, 12);
}

BOOST_AUTO_TEST_CASE(the_loss) {
    const Var<D> en0 = drawn({3, 4, width}, 1), en1 = drawn({3, 4, width}, 2);
    const std::vector<Var<D>> de{drawn({3, 4, width}, 3), drawn({3, 4, width}, 4)};
    // With a fraction of easy tokens the gradient is by intention not that of the loss (tests/anomaly/loose_loss.cpp);
    // it is where their factor is 1 or where there are none.
    for (const auto& [easy_part, factor] : {std::pair{0.0, 0.1}, {0.9, 1.0}}) {
        const auto f = [&](const std::vector<Var<D>>& in) -> Var<D> {
            return anomaly::loose_loss<D>({en0, en1}, {in[0], in[1]}, easy_part, factor);
        };
        const GradcheckReport report = gradcheck(f, de);
        BOOST_TEST(report.passed, report);
    }
}

BOOST_AUTO_TEST_CASE(whole_dinomaly) {
    Dinomaly<D> model = small_model<D>();
    const auto features = model.encode(drawn({2, 3, 28, 42}));
    std::vector<Var<D>> inputs;
    auto trained = model.trained();
    nn::for_each_parameter(trained, [&](const std::string&, Param<D>& p) { inputs.push_back(p); });

    for (const std::optional<nn::Noise>& noise :
         {std::optional<nn::Noise>(), {{.probability = 0.2, .seed = 3, .step = 9}}}) {
        const auto f = [&](const std::vector<Var<D>>& in) -> Var<D> {
            Dinomaly<D> with_inputs = model;
            auto part = with_inputs.trained();
            std::size_t next = 0;
            nn::for_each_parameter(part, [&](const std::string&, Param<D>& p) { p = in[next++]; });
            return anomaly::loose_loss(model.features.targets(features),
                                       model.features.restored(with_inputs.decode(features, noise)), 0.0);
        };
        const GradcheckReport report = gradcheck(f, inputs, {.max_elements = 10});
        BOOST_TEST(report.passed, report);
        BOOST_TEST(report.checked == 10 * static_cast<std::int64_t>(inputs.size()));
    }
}
