// SPDX-License-Identifier: Apache-2.0
// The commands of the program and their options. cli.cpp fills the options from the command line; a command returns the
// exit status and throws dinomaly::Error for bad input.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/evaluate.hpp"
#include "engine.hpp"

namespace dinomaly::program {

inline constexpr int status_done = 0;
inline constexpr int status_bad_input = 1;
inline constexpr int status_wrong_usage = 2;
inline constexpr int status_interrupted = 130;

struct TrainOptions {
    std::filesystem::path data, encoder, out;
    std::vector<std::string> classes;  ///< empty: all that are found
    vision::PictureSize size = 448, crop = 392;
    std::size_t batch = 16;
    TrainSettings settings;
    double attention_eps = 0;
    int threads = 0;  ///< 0: one a core
    std::int64_t eval_every = 0, save_every = 1000;
    std::int64_t log_every = 0;  ///< 0: 1 on a CPU, 20 on a GPU, which then goes on without waiting
    bool resume = false;
    std::string device = "cpu", precision = "fp32";
    std::string cache_features;    ///< "memory", "disk", "off", or empty: as there is room
    std::size_t memory_limit = 0;  ///< bytes; 0: none
    std::filesystem::path init, order;

    std::string setting = "multi-class";  ///< or "class-separated": each class has a model of its own
    std::string preset;                   ///< whose values were taken (presets.hpp); empty: none
    std::vector<std::uint64_t> seeds;     ///< none: settings.seed; else a run for each
    bool dry_run = false;                 ///< says what would be done and leaves nothing
    nlohmann::ordered_json config;        ///< all values, as --config takes them; empty: those above
};

/// How a run ended: its exit status and, when it came to its end, the figures of its test pictures.
struct TrainOutcome {
    int status = status_done;
    std::vector<ClassReport> reports;
};

/// Trains one model; with keep_maps the reports hold the maps.
TrainOutcome run_train(const TrainOptions& options, bool keep_maps = false);

/// Trains as the options' setting and seeds say: one model, or several one after another.
int run_training(const TrainOptions& options);

struct EvalOptions {
    std::filesystem::path model, data, json, maps;
    std::vector<std::string> classes;
    vision::PictureSize size, crop;  ///< none: the file's
    int threads = 0;                 ///< 0: one a core
    std::string device = "cpu", precision = "fp32";
    std::size_t memory_limit = 0;  ///< bytes; 0: none
};
int run_eval(const EvalOptions& options);

struct PredictOptions {
    std::filesystem::path model, out, json;
    std::vector<std::filesystem::path> pictures;
    vision::PictureSize size, crop;
    int threads = 0;
    std::string device = "cpu", precision = "fp32";
    std::size_t memory_limit = 0;
    std::pair<float, float> range{0.0F, 0.0F};  ///< map values of the first and the last colour; equal: the model's own
};
int run_predict(const PredictOptions& options);

struct InfoOptions {
    std::filesystem::path file;  ///< empty: what this machine computes on
    bool all = false;
};
int run_info(const InfoOptions& options);

struct ConvertOptions {
    std::filesystem::path in, out;
    std::string dtype = "f32";
};
int run_convert(const ConvertOptions& options);

struct DemoOptions {
    std::filesystem::path out = "demo", encoder;
    std::uint64_t seed = 1;
    std::int64_t iterations = 0;  ///< 0: as suits the encoder
    int threads = 0;
    std::string device = "cpu";
};
int run_demo(const DemoOptions& options);

struct BenchOptions {
    std::string mode = "infer", arch = "small", device = "cpu", precision = "fp32", cache_features = "off";
    std::int64_t batch = 0;  ///< 0: 1 picture judged, 16 trained on
    int threads = 0, repeat = 5;
    std::filesystem::path encoder;  ///< empty: random weights
    bool json = false;
};
int run_bench(const BenchOptions& options);

}  // namespace dinomaly::program
