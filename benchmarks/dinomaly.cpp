// SPDX-License-Identifier: Apache-2.0
// Times a prediction or a training step of a whole Dinomaly on pictures of noise, and tells the memory it took.
//
//   benchmark_dinomaly infer|train [small|base|large] [batch] [repeat] [threads]
//
// 448/392, 4 registers, random weights, dropout 0.2 in training. The first round is not counted.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "dinomaly/nn/init.hpp"
#include "dinomaly/trainer.hpp"

using namespace dinomaly;
using D = Cpu<float>;

namespace {

struct Times {
    double wall, processor;
};

Times now() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](timeval t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return {std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(),
            seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

double peak_megabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

nn::VitConfig architecture(const std::string& name) {
    if (name == "small") return {.width = 384, .depth = 12, .heads = 6, .registers = 4};
    if (name == "base") return {.width = 768, .depth = 12, .heads = 12, .registers = 4};
    if (name == "large") return {.width = 1024, .depth = 24, .heads = 16, .registers = 4};
    fail("benchmark", "architecture \"", name, "\"; small, base or large expected");
}

int run(const std::vector<std::string>& args) {
    const auto text = [&](std::size_t i, const char* otherwise) { return i < args.size() ? args[i] : otherwise; };
    const std::string mode = text(0, "infer"), name = text(1, "small");
    check(mode == "infer" || mode == "train", "benchmark", "mode \"", mode, "\"; infer or train expected");
    const std::int64_t batch = std::stoll(text(2, mode == "infer" ? "1" : "16"));
    const int repeat = std::stoi(text(3, "5"));
    if (args.size() > 4) backend::thread_pool().resize(std::stoi(args[4]));

    DinomalyConfig config;
    config.encoder = architecture(name);
    if (config.encoder.depth == 24) config.kept = {4, 6, 8, 10, 12, 14, 16, 18};
    Dinomaly<D> model(config);
    nn::init_random_features(model.encoder, 1);
    auto trained = model.trained();
    nn::init_trained(trained, 2);
    Generator random(3);
    std::vector<float> pixels(static_cast<std::size_t>(batch * 3 * 392 * 392));
    for (float& pixel : pixels) pixel = static_cast<float>(random.normal());
    const Tensor<D> images({batch, 3, 392, 392}, pixels);

    std::vector<Times> rounds;
    const auto time = [&](const auto& work) {
        for (int i = 0; i <= repeat; ++i) {
            const Times before = now();
            work();
            const Times after = now();
            if (i > 0) rounds.push_back({after.wall - before.wall, after.processor - before.processor});
        }
    };
    if (mode == "infer") {
        time([&] { anomaly::image_score(model.anomaly_map(Var<D>(images))); });
    } else {
        Trainer<D> trainer(model, TrainConfig{});
        time([&] { trainer.step(images); });
    }
    std::ranges::sort(rounds, {}, &Times::wall);
    const Times median = rounds[rounds.size() / 2];
    std::printf("%s %s batch %lld, %d threads: median %.1f ms, least %.1f ms, processor %.1f ms; peak %.0f MB\n",
                mode.c_str(), name.c_str(), static_cast<long long>(batch), backend::thread_pool().threads(),
                1e3 * median.wall, 1e3 * rounds.front().wall, 1e3 * median.processor, peak_megabytes());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
