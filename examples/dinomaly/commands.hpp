// SPDX-License-Identifier: Apache-2.0
// The commands of the program and their options. cli.cpp fills the options from the command line; a command returns the
// exit status and throws dinomaly::Error for bad input.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/data_options.hpp"
#include "dinomaly/evaluate.hpp"
#include "engine/engine.hpp"
#include "judging/decide.hpp"

namespace dinomaly::program {

inline constexpr int status_done = 0;
inline constexpr int status_bad_input = 1;
inline constexpr int status_wrong_usage = 2;
inline constexpr int status_interrupted = 130;

struct TrainOptions : DataOptions {
    std::filesystem::path encoder, out;
    vision::PictureSize size = 448, crop = 392;
    vision::PictureSize tile;  ///< none: pictures are not cut
    std::size_t batch = 16;
    std::size_t shot = 0;  ///< pictures of each class to learn from, augmented; 0: all, as they are
    TrainSettings settings;
    VariantOptions variant;
    encoders::EncoderOptions encoder_options;  ///< of the encoder's file
    int threads = 0;                           ///< 0: one a core
    std::int64_t eval_every = 0, save_every = 1000;
    std::int64_t log_every = 0;  ///< 0: 1 on a CPU, 20 on a GPU, which then goes on without waiting
    bool resume = false;
    std::string device = "cpu", precision = "fp32";
    std::string cache_features;    ///< "memory", "disk", "off", or empty: as there is room
    std::size_t memory_limit = 0;  ///< bytes; 0: none
    std::filesystem::path init, order;

    DecideOptions decide;
    std::optional<double> hold_out;  ///< part of the good pictures; nothing: as it takes

    std::string setting = "multi-class";  ///< or "class-separated": each class has a model of its own
    std::string preset;                   ///< whose values were taken (presets.hpp); empty: none
    std::vector<std::uint64_t> seeds;     ///< none: settings.seed; else a run for each
    bool dry_run = false;                 ///< says what would be done and leaves nothing
    nlohmann::ordered_json config;        ///< all values, as --config takes them; empty: those above

    std::filesystem::path report;           ///< empty: report.html in the run's folder
    std::string report_title;               ///< empty: the classes
    std::vector<std::string> report_notes;  ///< paragraphs of the report
};

/// How a run ended: its exit status and, when it came to its end, the figures of its test pictures.
struct TrainOutcome {
    int status = status_done;
    std::vector<ClassReport> reports;
};

/// Trains one model.
TrainOutcome run_train(const TrainOptions& options);

/// Trains as the options' setting and seeds say: one model, or several one after another.
int run_training(const TrainOptions& options);

struct EvalOptions : DataOptions {
    std::filesystem::path model, json, maps, report, csv, markdown;
    vision::PictureSize size, crop;           ///< none: the file's
    std::optional<vision::PictureSize> tile;  ///< nothing: the file's; none: pictures are not cut
    int threads = 0;                          ///< 0: one a core
    std::string device = "cpu", precision = "fp32";
    std::size_t memory_limit = 0;  ///< bytes; 0: none
};
int run_eval(const EvalOptions& options);

struct CalibrateOptions : DataOptions {
    std::filesystem::path model, out;  ///< out: empty is the model's own file
    DecideOptions decide;
    std::optional<vision::PictureSize> tile;  ///< nothing: the file's; none: pictures are not cut
    int threads = 0;
    std::string device = "cpu", precision = "fp32";
};
int run_calibrate(const CalibrateOptions& options);

/// predict's pictures as they arrive in a folder.
struct WatchOptions {
    std::filesystem::path folder;   ///< empty: pictures are arguments
    double poll = 0;                ///< seconds between two looks; 0: the kernel tells, where it can
    bool only_new = false;          ///< passes over what is there at the start
    std::filesystem::path move_to;  ///< of pictures that were judged; empty: they stay and are noted in `done`
    std::filesystem::path done;     ///< empty: a hidden file in the folder
    bool sync = false;              ///< forces each line onto the disk
};

struct PredictOptions {
    std::filesystem::path model, out, json;       ///< json: "-" is standard output
    std::vector<std::filesystem::path> pictures;  ///< "-" stands for the lines of standard input
    WatchOptions watch;
    ThresholdOptions thresholds;
    std::string object = "picture";  ///< which pictures are judged together (judging/object_rule.hpp)
    bool jsonl = false;              ///< JSON lines on standard output, too
    vision::PictureSize size, crop;
    std::optional<vision::PictureSize> tile;  ///< nothing: the file's; none: pictures are not cut
    int threads = 0;
    std::string device = "cpu", precision = "fp32";
    std::size_t memory_limit = 0;
    std::pair<float, float> range{0.0F, 0.0F};  ///< map values of the first and the last colour; equal: absolute
    std::filesystem::path maps;                 ///< folder of raw maps; empty: none
    std::string map_format = "png";
    std::int64_t min_area = 1;  ///< pixels of the smallest defect that is listed
};
int run_predict(const PredictOptions& options);

struct InfoOptions {
    std::filesystem::path file;  ///< empty: what this machine computes on
    bool all = false;
};
int run_info(const InfoOptions& options);

struct EncodersOptions {
    std::string name;  ///< empty: all of them
    bool json = false;
};
int run_encoders(const EncodersOptions& options);

struct PrepareVisaOptions {
    std::filesystem::path data, split, out;
    bool link = false;  ///< hard links instead of copies where the file system can
};
int run_prepare_visa(const PrepareVisaOptions& options);

struct PrepareMvtec3dOptions {
    std::filesystem::path data;
};
int run_prepare_mvtec3d(const PrepareMvtec3dOptions& options);

struct ConvertOptions {
    std::filesystem::path in, out;
    std::string dtype = "f32";
    std::string to = "same";  ///< which tensors, under which names: same, authors, encoder, trained
};
int run_convert(const ConvertOptions& options);

struct ExportOptions {
    std::filesystem::path model, onnx;
    vision::PictureSize size, crop;  ///< none: the file's
    std::int64_t opset = 17;
    bool external_data = false;  ///< weights in a second file in any case
};
int run_export(const ExportOptions& options);

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
