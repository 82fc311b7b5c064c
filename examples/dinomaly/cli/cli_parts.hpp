// SPDX-License-Identifier: Apache-2.0
// What the commands' options have in common. Each cli_*.cpp declares the options of some commands.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/data_options.hpp"
#include "dinomaly/vision/image.hpp"
#include "judging/decide.hpp"

namespace dinomaly::program {

/// What the chosen command does; set by the command's callback. Its result is the exit status.
using Action = std::function<int()>;

/// A command with an example below its help.
CLI::App* add_command(CLI::App& app, const char* name, const char* what, const char* example);

void add_threads(CLI::App& command, int& threads);
void add_device(CLI::App& command, std::string& device);
/// fp32 or bf16 and, where the command only judges, int8.
void add_precision(CLI::App& command, std::string& precision, bool judges);
void add_classes(CLI::App& command, std::vector<std::string>& classes);
/// --data, --dataset, --lists and --classes.
void add_data_options(CLI::App& command, DataOptions& options);
/// An option that is "on" or "off"; what `value` holds is its default.
void add_switch(CLI::App& command, const std::string& name, bool& value, const std::string& what);
void add_memory_limit(CLI::App& command, std::size_t& limit);
/// An option like 448, or 512x448 (width x height); what `size` holds is its default.
void add_size(CLI::App& command, const std::string& name, vision::PictureSize& size, const std::string& what);
/// --size and --crop of a command that reads a model's file.
void add_file_sizes(CLI::App& command, vision::PictureSize& size, vision::PictureSize& crop);

/// --tile of a command that reads a model's file: sides, or "off".
void add_file_tile(CLI::App& command, std::optional<vision::PictureSize>& tile);

/// --decide and --false-alarm-rate of a command that finds thresholds.
void add_decide(CLI::App& command, DecideOptions& options);
/// --threshold, --pixel-threshold, --false-alarm-rate and --class of a command that uses them.
void add_thresholds(CLI::App& command, ThresholdOptions& options);

void add_train(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_calibrate(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_encoders(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_prepare(CLI::App& app, Action& action);
void add_export(CLI::App& app, Action& action);
void add_demo(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);

}  // namespace dinomaly::program
