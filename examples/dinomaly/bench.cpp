// SPDX-License-Identifier: Apache-2.0
// The command bench: how long this machine takes for a picture or for a training step, how near that is to the
// machine's peak, and in how much memory.
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

namespace dinomaly::program {

namespace {

constexpr vision::Preprocess sizes;  // 448/392

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
Engine make_engine(const BenchOptions& options, Precision precision) {
    if (!options.encoder.empty()) return Engine::create(options.encoder, sizes, 1, 0, precision);
    return Engine::random(options.arch, sizes, 1, precision);
}

/// Rounds of the same work; the first one is not counted.
template <class Round> Measured measure(int repeat, std::int64_t multiply_adds, const Round& round) {
    Measured measured{{}, multiply_adds};
    for (int i = 0; i <= repeat; ++i) {
        const auto start = std::chrono::steady_clock::now();
        round();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        if (i > 0) measured.seconds.push_back(taken.count());
    }
    std::ranges::sort(measured.seconds);
    return measured;
}

Measured measure(Engine& engine, const BenchOptions& options, std::int64_t batch) {
    Generator random(2);
    std::vector<float> pixels(static_cast<std::size_t>(batch) * sizes.count());
    for (float& pixel : pixels) pixel = static_cast<float>(random.normal());
    if (options.mode == "infer")
        return measure(options.repeat, batch * engine.judging_work(), [&] { (void)engine.judge(pixels, batch); });

    const bool is_cached = options.cache_features == "memory";
    Training training(engine, {});
    std::vector<std::size_t> pictures(static_cast<std::size_t>(batch));
    std::iota(pictures.begin(), pictures.end(), 0);
    if (is_cached) training.keep_features({.pictures = pictures, .file = {}, .key = {}});
    return measure(options.repeat, batch * engine.learning_work(is_cached), [&] {
        const std::vector<std::size_t> unknown = training.unknown({pictures}).front();
        training.step(pictures, unknown, std::span(pixels).first(unknown.size() * sizes.count()));
    });
}

}  // namespace

int run_bench(const BenchOptions& options) {
    const bool infers = options.mode == "infer";
    check(!infers || options.cache_features == "off", "bench", "--cache-features ", options.cache_features,
          " is for --mode train: a picture is judged once");
    const Precision precision = find_precision(options.precision);
    check(infers || precision != Precision::int8, "bench",
          "--precision int8 is for --mode infer; fp32 or bf16 expected");
    const int threads = use_threads(options.threads);
    const std::int64_t batch = options.batch > 0 ? options.batch : infers ? 1 : 16;
    Engine engine = make_engine(options, precision);

    double peak = backend::measure_peak(precision);
    const Measured measured = measure(engine, options, batch);
    peak = std::max(peak, backend::measure_peak(precision));
    const double share = measured.speed() / peak, memory = backend::peak_memory() / (1024 * 1024);
    // A prediction is told in milliseconds a picture, a training step in seconds.
    const double scale = infers ? 1e3 / static_cast<double>(batch) : 1;
    const double median = measured.median() * scale, least = measured.least() * scale;

    if (options.json) {
        const std::string unit = infers ? "_ms" : "_seconds";
        std::cout << nlohmann::ordered_json{{"mode", options.mode},
                                            {"arch", engine.architecture()},
                                            {"precision", options.precision},
                                            {"batch", batch},
                                            {"threads", threads},
                                            {"repeat", options.repeat},
                                            {"cache_features", options.cache_features},
                                            {"median" + unit, median},
                                            {"min" + unit, least},
                                            {"gflops", measured.speed() / 1e9},
                                            {"peak_gflops", peak / 1e9},
                                            {"peak_share", share},
                                            {"peak_mb", memory},
                                            {"machine", backend::processor_name()},
                                            {"version", version}}
                         .dump(2)
                  << std::endl;
        return status_done;
    }
    const std::string unit = infers ? " ms a picture" : " s a step";
    std::cout << engine.description() << '\n'
              << (infers ? "judging" : "training") << " in " << options.precision << ", batch " << batch << ", "
              << sizes.size << '/' << sizes.crop << (options.cache_features == "memory" ? ", features cached" : "")
              << "; " << backend::processor_name() << ", " << threads << (threads == 1 ? " thread" : " threads") << '\n'
              << std::fixed << std::setprecision(infers ? 1 : 2)  //
              << "  median  " << std::setw(8) << median << unit << ", of " << options.repeat
              << (options.repeat == 1 ? " round\n" : " rounds\n")  //
              << "  least   " << std::setw(8) << least << unit << '\n'
              << std::setprecision(0)  //
              << "  speed   " << std::setw(8) << measured.speed() / 1e9 << " GFLOP/s, " << 100 * share << " % of the "
              << peak / 1e9 << " that multiply-adds alone reach here\n"
              << "  memory  " << std::setw(8) << memory << " MB at the peak" << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
