// SPDX-License-Identifier: Apache-2.0
// The values of a run's options, and where they come from. From the strongest: the command line, the file of --config,
// a preset, what is built in. All end in the options of one table, which reads and checks them.
//
// The file is a JSON object, as each run leaves it in its folder: an option's long name without dashes, and its value.
//
//   {"dinomaly": "0.1.0", "data": "mvtec", "encoder": "dinov2_vitb14_reg4_pretrain.pth", "preset": "mvtec", "lr":
//   0.001}
//
// Paths are relative to the folder that the program is started in.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "commands.hpp"

namespace dinomaly::program {

/// Where a value came from, by the option's name without dashes; what is not in it is built in.
using Sources = std::map<std::string, std::string>;

/// Adds all options of a training run, but not those of the command itself (--config, --dry-run, --resume).
void declare_train_options(CLI::App& command, TrainOptions& options);

/// The options that the command line gave.
Sources given_options(const CLI::App& command);

/// The values of a command's options as a file has them: those given, else what is built in; none for an option that
/// has neither.
nlohmann::ordered_json config_of(const CLI::App& command);

/// The same of options that no command line was read for.
nlohmann::ordered_json run_config(const TrainOptions& options);

/// Reads a file of --config. Throws when it is no JSON object; warns when another version has written it.
nlohmann::ordered_json read_config(const std::filesystem::path& file);

/// Gives the options that have no value yet those of `values`. Throws, naming `place`, the key, what was found and what
/// is expected, for a key that is no option and a value that its option does not take.
void fill_options(CLI::App& command, const nlohmann::ordered_json& values, const std::string& place,
                  const std::string& source, Sources& sources);

/// Every option with its value and source, as a table; or all as JSON, {"options": {name: {"value", "from"}}, "note"}.
void print_options(std::ostream& out, const CLI::App& command, const Sources& sources, const std::string& note);
nlohmann::ordered_json options_json(const CLI::App& command, const Sources& sources, const std::string& note);

}  // namespace dinomaly::program
