// SPDX-License-Identifier: Apache-2.0
// The folder of a training run:
//
//   config.json         all values of its options, as --config takes them (run_config.hpp)
//   log.jsonl           one object an iteration: iteration, loss, grad_norm, lr, seconds since the start
//   state.safetensors   all that a resumed run needs, and the settings it has to be resumed with
//   model.safetensors   the whole model, at the end
//   features.cache      the encoder's features of the pictures, while training, where memory has no room for them
//   metrics.json        the figures of the test pictures, at the end, where there are any; .csv and .md the same
//   report.html         all that came out, on one page
//
// Several runs of one command are folders in one: CLASS/ where each class is trained alone, seed-N/ where seeds are
// compared. It has a config.json of its own, a metrics.json of all at the end and, of seeds, a metrics.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "dinomaly/io/state_dict.hpp"
#include "engine/engine.hpp"

namespace dinomaly::program {

class RunFolder {
public:
    explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path config() const { return path_ / "config.json"; }
    std::filesystem::path log() const { return path_ / "log.jsonl"; }
    std::filesystem::path state() const { return path_ / "state.safetensors"; }
    std::filesystem::path model() const { return path_ / "model.safetensors"; }
    std::filesystem::path features() const { return path_ / "features.cache"; }
    std::filesystem::path metrics() const { return path_ / "metrics.json"; }
    std::filesystem::path csv() const { return path_ / "metrics.csv"; }
    std::filesystem::path markdown() const { return path_ / "metrics.md"; }
    std::filesystem::path report() const { return path_ / "report.html"; }

    /// Throws when the folder holds anything already, or, with resume, when it holds no state to go on from.
    void check_state(bool resume) const;
    /// Makes the folder. Throws when it cannot be made.
    void make() const;
    /// Removes the folder again, when it holds a config, an empty log and features at most.
    void discard() const;
    /// Removes what an earlier run has left in the folder; nothing else.
    void clear() const;
    /// Removes the features, which only a run that goes on has a use for.
    void remove_features() const;

private:
    std::filesystem::path path_;
};

/// The model's file: `path` itself, or model.safetensors in a run's folder. Throws, with the models of its classes,
/// where `path` is the folder of several runs.
std::filesystem::path model_file(const std::filesystem::path& path);

/// Writes the state of a run, with the settings that it depends on and the seconds that it took so far.
void save_state(const RunFolder& folder, const Training& training, const nlohmann::json& settings, double seconds);

/// Brings a training to the saved state; returns the seconds that it took so far. Throws, naming the setting, when one
/// differs from the saved run's.
double resume_state(const RunFolder& folder, Training& training, const nlohmann::json& settings);

/// The log of a run, written line by line.
class RunLog {
public:
    /// Keeps the lines of the first `iterations` iterations, when there are any, and appends behind them.
    RunLog(const std::filesystem::path& path, std::int64_t iterations);

    void append(const Step& step, double seconds);

private:
    std::filesystem::path path_;
    std::ofstream file_;
};

}  // namespace dinomaly::program
