// SPDX-License-Identifier: Apache-2.0
// The trainer: a stopped run goes on bit for bit, a step that fails changes nothing, features may be cached.
#define BOOST_TEST_MODULE model_trainer
#include "dinomaly/trainer.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/io/archive.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

TrainConfig short_run() {
    TrainConfig config;
    config.iterations = 10;
    config.warmup = 2;
    config.hard_mining_ramp = 5;
    config.dropout = 0.3;
    config.seed = 5;
    return config;
}

/// The pictures of one iteration.
Tensor<D> batch(std::int64_t iteration) {
    Generator random(100 + static_cast<std::uint64_t>(iteration));
    return normal<D>({3, 3, 28, 28}, random);
}

std::vector<double> losses_of(Trainer<D>& trainer, int steps) {
    std::vector<double> losses;
    for (int i = 0; i < steps; ++i) losses.push_back(trainer.step(batch(trainer.iteration())).loss);
    return losses;
}

std::vector<double> trained_values(Dinomaly<D>& model) {
    auto trained = model.trained();
    return values_of(trained);
}

io::StateDict state_of(const Trainer<D>& trainer) {
    io::StateDict state("state");
    trainer.store(state);
    return state;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_stopped_run_goes_on_bit_for_bit) {
    Dinomaly<D> whole = small_model<D>();
    Trainer<D> uninterrupted(whole, short_run());
    const std::vector<double> losses = losses_of(uninterrupted, 6);

    Dinomaly<D> first = small_model<D>();
    Trainer<D> before(first, short_run());
    losses_of(before, 3);
    const io::StateDict state = state_of(before);

    Dinomaly<D> second = small_model<D>();
    auto trained = second.trained();
    randomize(trained, 77);  // all that matters is in the state
    Trainer<D> after(second, short_run());
    after.restore(state);
    BOOST_TEST(after.iteration() == 3);
    BOOST_TEST(losses_of(after, 3) == std::vector(losses.begin() + 3, losses.end()), boost::test_tools::per_element());
    BOOST_TEST((trained_values(second) == trained_values(whole)));
    for (const auto& [name, tensor] : state_of(uninterrupted))
        BOOST_TEST((tensor.bytes.text() == state_of(after).at(name).bytes.text()), name);
}

BOOST_AUTO_TEST_CASE(a_run_is_the_same_on_any_number_of_threads) {
    const auto run_with = [](int threads) {
        const int normally = backend::thread_pool().threads();
        backend::thread_pool().resize(threads);
        Dinomaly<D> model = small_model<D>();
        Trainer<D> trainer(model, short_run());
        losses_of(trainer, 4);
        backend::thread_pool().resize(normally);
        return trained_values(model);
    };
    const auto with_two = run_with(2);
    for (const int threads : {2, 1, 3}) BOOST_TEST((run_with(threads) == with_two), threads << " threads");
}

BOOST_AUTO_TEST_CASE(training_changes_the_trained_part_alone_and_the_loss_falls) {
    Dinomaly<D> model = small_model<D>();
    const auto encoder = values_of(model.encoder), trained = trained_values(model);
    TrainConfig config = short_run();
    config.iterations = 60;
    config.dropout = 0;
    Trainer<D> trainer(model, config);
    double first = 0, last = 0;
    for (int i = 0; i < 40; ++i) {
        const StepResult result = trainer.step(batch(0));
        BOOST_TEST(result.iteration == i);
        (i == 0 ? first : last) = result.loss;
    }
    BOOST_TEST(last < 0.9 * first);
    BOOST_TEST((values_of(model.encoder) == encoder));
    BOOST_TEST((trained_values(model) != trained));
}

BOOST_AUTO_TEST_CASE(noise_depends_on_seed_and_iteration) {
    const auto first_losses = [](std::uint64_t seed, double dropout) {
        Dinomaly<D> model = small_model<D>();
        TrainConfig config = short_run();
        config.seed = seed;
        config.dropout = dropout;
        config.lr = config.final_lr = 0;  // the weights stay, the noise goes on
        config.optimizer.weight_decay = 0;
        config.hard_mining_ramp = 0;
        Trainer<D> trainer(model, config);
        const double first = trainer.step(batch(0)).loss;
        return std::pair(first, trainer.step(batch(0)).loss);
    };
    const auto noisy = first_losses(1, 0.3), other_seed = first_losses(2, 0.3), still = first_losses(1, 0);
    BOOST_TEST(noisy.first != noisy.second);
    BOOST_TEST(noisy.first != other_seed.first);
    BOOST_TEST(still.first == still.second);
    BOOST_TEST((noisy == first_losses(1, 0.3)));
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_changes_nothing) {
    Dinomaly<D> model = small_model<D>(), undisturbed = small_model<D>();
    Trainer<D> trainer(model, short_run()), other(undisturbed, short_run());
    losses_of(trainer, 2);
    losses_of(other, 2);
    const auto before = trained_values(model);
    Tensor<D> bad = batch(2);
    bad.data()[5] = std::numeric_limits<float>::quiet_NaN();
    BOOST_TEST(is_refused([&] { trainer.step(bad); }, "the loss of iteration 2 is"));
    BOOST_TEST((trained_values(model) == before));
    BOOST_TEST(trainer.iteration() == 2);
    BOOST_TEST(losses_of(trainer, 2) == losses_of(other, 2));
    BOOST_TEST((trained_values(model) == trained_values(undisturbed)));
}

BOOST_AUTO_TEST_CASE(cached_features_give_the_same_steps) {
    Dinomaly<D> model = small_model<D>(), same = small_model<D>();
    Trainer<D> from_pictures(model, short_run()), from_features(same, short_run());
    for (int i = 0; i < 3; ++i) {
        const StepResult a = from_pictures.step(batch(i)),
                         b = from_features.learn(from_features.encoder()->encode(batch(i)));
        BOOST_TEST(a.loss == b.loss);
        BOOST_TEST(a.grad_norm == b.grad_norm);
    }
    BOOST_TEST((trained_values(model) == trained_values(same)));
}

BOOST_AUTO_TEST_CASE(weights_loaded_after_the_trainer_was_made_are_trained) {
    Dinomaly<D> loaded_before = small_model<D>(9), loaded_after = small_model<D>(9);
    Dinomaly<D> source = small_model<D>(4);
    io::StateDict weights("weights");
    auto part = source.trained();
    io::store_weights(part, weights);

    const auto load = [&](Dinomaly<D>& model) {
        auto trained = model.trained();
        io::load_weights(trained, weights);
    };
    load(loaded_before);
    Trainer<D> first(loaded_before, short_run()), second(loaded_after, short_run());
    load(loaded_after);
    losses_of(first, 3);
    losses_of(second, 3);
    BOOST_TEST((trained_values(loaded_before) == trained_values(loaded_after)));
    BOOST_TEST((trained_values(loaded_after) != trained_values(source)));
}

BOOST_AUTO_TEST_CASE(states_that_do_not_fit_change_nothing) {
    Dinomaly<D> model = small_model<D>();
    Trainer<D> trainer(model, short_run());
    losses_of(trainer, 2);
    const io::StateDict good = state_of(trainer);
    losses_of(trainer, 1);
    const auto before = trained_values(model);
    const auto refused = [&](const std::function<void(io::StateDict&)>& spoil, const std::string& left_out,
                             const char* said) {
        io::StateDict bad("state");
        bad.metadata = good.metadata;
        for (const auto& [name, tensor] : good)
            if (name != left_out) bad.insert(name, tensor);
        spoil(bad);
        BOOST_TEST(is_refused([&] { trainer.restore(bad); }, said));
        BOOST_TEST((trained_values(model) == before));
        BOOST_TEST(trainer.iteration() == 3);
    };
    const auto leave = [](io::StateDict&) {};
    const auto eight_bytes = io::SharedBytes::own(std::vector<std::byte>(8));
    refused([](io::StateDict& dict) { dict.metadata.clear(); }, "", "not the state of a training run");
    refused([](io::StateDict& dict) { dict.metadata["iteration"] = "-1"; }, "", "not the state of a training run");
    refused([](io::StateDict& dict) { dict.metadata["iteration"] = std::string(30, '9'); }, "",
            "not the state of a training run");
    refused(leave, "m.decoder.0.norm1.bias", "has no tensor \"m.decoder.0.norm1.bias\"");
    refused(leave, "vmax.decoder.3.mlp.fc2.bias", "has no tensor \"vmax.decoder.3.mlp.fc2.bias\"");
    refused(leave, "decoder.3.mlp.fc2.bias", "missing (1): decoder.3.mlp.fc2.bias");
    refused([&](io::StateDict& dict) { dict.insert("v.decoder.0.norm1.bias", io::DType::f32, {2}, eight_bytes); },
            "v.decoder.0.norm1.bias", "has shape [2]; [16] expected");
    refused([&](io::StateDict& dict) { dict.insert("decoder.9.norm1.bias", io::DType::f32, {2}, eight_bytes); }, "",
            "not known (1): decoder.9.norm1.bias");
    trainer.restore(good);
    BOOST_TEST(trainer.iteration() == 2);
}

BOOST_AUTO_TEST_CASE(settings_out_of_range) {
    Dinomaly<D> model = small_model<D>();
    const auto refused = [&](auto&& change) {
        TrainConfig config = short_run();
        change(config);
        BOOST_CHECK_THROW(Trainer<D>(model, config), Error);
    };
    refused([](TrainConfig& config) { config.dropout = 1; });
    refused([](TrainConfig& config) { config.dropout = -0.1; });
    refused([](TrainConfig& config) { config.iterations = 0; });
    refused([](TrainConfig& config) { config.warmup = -1; });
    refused([](TrainConfig& config) { config.hard_mining_ramp = -1; });
}
