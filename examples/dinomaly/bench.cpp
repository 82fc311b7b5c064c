// SPDX-License-Identifier: Apache-2.0
// The command bench: how long this machine takes for a picture or for a training step, how near that is to the
// processor's peak, and in how much memory.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <numeric>

#include "commands.hpp"
#include "dinomaly/backend/cpu/machine.hpp"
#include "dinomaly/backend/cpu/peak.hpp"
#include "dinomaly/core/random.hpp"
#include "dinomaly/version.hpp"
#include "engine/gpu.hpp"
#include "training/encoder_values.hpp"

namespace dinomaly::program {

namespace {

/// What was measured of one piece of work.
struct Measured {
    std::vector<double> seconds;  ///< of each round, rising
    std::int64_t multiply_adds;   ///< of a round

    double least() const { return seconds.front(); }
    double median() const {
        const std::size_t half = seconds.size() / 2;
        return seconds.size() % 2 != 0 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
    }
    /// Operations a second of a median round; a multiply-add is two.
    double speed() const { return 2 * static_cast<double>(multiply_adds) / median(); }
};

/// The model that is measured.
Engine make_engine(const BenchOptions& options, const Target& target) {
    if (!options.encoder.empty())
        return Engine::create({.encoder = options.encoder, .sizes = encoder_sizes(options.encoder)}, target);
    return Engine::random(options.arch, {}, 1, target);  // 448/392
}

/// How often work is done. A GPU loads kernels, chooses how to multiply and records what follows before it is fast.
struct Rounds {
    int first, counted;

    Rounds(const Target& target, int repeat) : first(target.gpu ? 3 : 1), counted(repeat) {}
};

/// Rounds of the same work, each of which waits for its results.
template <class Round> Measured measure(const Rounds& rounds, std::int64_t multiply_adds, const Round& round) {
    for (int i = 0; i < rounds.first; ++i) round();
    Measured measured{{}, multiply_adds};
    for (int i = 0; i < rounds.counted; ++i) {
        const auto start = std::chrono::steady_clock::now();
        round();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        measured.seconds.push_back(taken.count());
    }
    std::ranges::sort(measured.seconds);
    return measured;
}

Measured measure(Engine& engine, const BenchOptions& options, std::int64_t batch) {
    Generator random(2);
    const std::size_t picture_size = engine.sizes().count();
    std::vector<float> pixels(static_cast<std::size_t>(batch) * picture_size);
    for (float& pixel : pixels) pixel = static_cast<float>(random.normal());
    const Rounds rounds(engine.target(), options.repeat);
    if (options.mode == "infer")
        return measure(rounds, batch * engine.judging_work(), [&] { (void)engine.judge(pixels, batch); });

    const bool is_cached = options.cache_features == "memory";
    Training training(engine, {});
    std::vector<std::size_t> pictures(static_cast<std::size_t>(batch));
    std::iota(pictures.begin(), pictures.end(), 0);
    if (is_cached) training.keep_features({.pictures = pictures, .file = {}, .key = {}});
    return measure(rounds, batch * engine.learning_work(is_cached), [&] {
        const std::vector<std::size_t> unknown = training.unknown({pictures}).front();
        training.submit(pictures, unknown, std::span(pixels).first(unknown.size() * picture_size));
        training.collect();
    });
}

/// Where it was measured.
struct Machine {
    std::string name, share;  ///< "AMD EPYC 9575F 64-Core Processor", and what of it computed: ", 2 threads"
    std::size_t memory;       ///< bytes at the peak: of the process, or of the GPU
};

Machine used_machine(const Target& target, int threads) {
    if (target.gpu) return {find_gpus().found.at(static_cast<std::size_t>(*target.gpu)).name, "", gpu_memory().most};
    return {backend::processor_name(), ", " + std::to_string(threads) + (threads == 1 ? " thread" : " threads"),
            static_cast<std::size_t>(backend::peak_memory())};
}

}  // namespace

int run_bench(const BenchOptions& options) {
    const bool infers = options.mode == "infer";
    check(!infers || options.cache_features == "off", "bench", "--cache-features ", options.cache_features,
          " is for --mode train: a picture is judged once");
    check(infers || find_precision(options.precision) != Precision::int8, "bench",
          "--precision int8 is for --mode infer; fp32 or bf16 expected");
    const Target target = choose_target(options.device, options.precision);
    const int threads = use_threads(options.threads);
    const std::int64_t batch = options.batch > 0 ? options.batch : infers ? 1 : 16;
    Engine engine = make_engine(options, target);

    // A GPU's peak is not measured.
    const auto measure_peak = [&] { return target.gpu ? 0 : backend::measure_peak(target.precision); };
    double peak = measure_peak();
    const Measured measured = measure(engine, options, batch);
    peak = std::max(peak, measure_peak());
    const double share = measured.speed() / peak;
    const Machine machine = used_machine(target, threads);
    const double memory = static_cast<double>(machine.memory) / (1024 * 1024);
    // A prediction is told in milliseconds a picture, a training step in seconds.
    const double scale = infers ? 1e3 / static_cast<double>(batch) : 1;
    const double median = measured.median() * scale, least = measured.least() * scale;

    if (options.json) {
        const std::string unit = infers ? "_ms" : "_seconds";
        const auto of_cpu = [&](auto value) { return target.gpu ? nlohmann::json() : nlohmann::json(value); };
        std::cout << nlohmann::ordered_json{{"mode", options.mode},
                                            {"arch", engine.architecture()},
                                            {"device", options.device},
                                            {"precision", options.precision},
                                            {"batch", batch},
                                            {"threads", of_cpu(threads)},
                                            {"repeat", options.repeat},
                                            {"cache_features", options.cache_features},
                                            {"median" + unit, median},
                                            {"min" + unit, least},
                                            {"gflops", measured.speed() / 1e9},
                                            {"peak_gflops", of_cpu(peak / 1e9)},
                                            {"peak_share", of_cpu(share)},
                                            {"peak_mb", memory},
                                            {"machine", machine.name},
                                            {"version", version}}
                         .dump(2)
                  << std::endl;
        return status_done;
    }
    const std::string unit = infers ? " ms a picture" : " s a step";
    std::cout << engine.description() << '\n'
              << (infers ? "judging" : "training") << " in " << options.precision << ", batch " << batch << ", "
              << engine.sizes().size.width << '/' << engine.sizes().crop.width
              << (options.cache_features == "memory" ? ", features cached" : "") << "; " << machine.name
              << machine.share << '\n'
              << std::fixed << std::setprecision((infers ? 1 : 2) + (target.gpu ? 2 : 0))  //
              << "  median  " << std::setw(8) << median << unit << ", of " << options.repeat
              << (options.repeat == 1 ? " round\n" : " rounds\n")  //
              << "  least   " << std::setw(8) << least << unit << '\n'
              << std::setprecision(0)  //
              << "  speed   " << std::setw(8) << measured.speed() / 1e9 << " GFLOP/s";
    if (!target.gpu)
        std::cout << ", " << 100 * share << " % of the " << peak / 1e9 << " that multiply-adds alone reach here";
    std::cout << "\n  memory  " << std::setw(8) << memory << (target.gpu ? " MB of the GPU" : " MB at the peak")
              << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
