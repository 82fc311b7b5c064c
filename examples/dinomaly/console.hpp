// SPDX-License-Identifier: Apache-2.0
// What the program shows: a progress bar on a terminal and plain lines elsewhere, the table of figures, warnings.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "dinomaly/evaluate.hpp"

namespace dinomaly::program {

/// Counts work that takes a while. On a terminal one line is rewritten, with rate and time left; otherwise a line
/// appears every ten seconds and at the end.
class Progress {
public:
    /// `done` of `total` are done already; `unit` is what is counted ("pictures").
    Progress(std::string title, std::string unit, std::int64_t total, std::int64_t done = 0);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// Says that `done` are done; `note` (a loss) is shown behind.
    void update(std::int64_t done, const std::string& note = "");
    /// Makes room for other output: ends the line on a terminal.
    void pause();

private:
    using Clock = std::chrono::steady_clock;

    std::string line(std::int64_t done, const std::string& note) const;

    std::string title_, unit_;
    std::int64_t total_, first_;
    bool is_terminal_;
    bool is_line_open_ = false;
    Clock::time_point start_, shown_;
};

/// "448", or "512x448" where the sides differ: as --size and --crop take it.
std::string size_text(vision::PictureSize size);

/// "98.52", or "-" for a figure that is not defined.
std::string percent(double value);

/// The figures of all classes and, where there are several, their mean, in per cent, on standard output.
void print_table(const std::vector<ClassReport>& reports);

/// A line "warning: .." on standard error.
void warn(const std::string& text);

/// Gives an engine its tile. Throws where its sides are impossible; warns where tiles are enlarged.
void settle_tile(class Engine& engine, vision::PictureSize tile);

/// ", tiles of 1024x1024", or nothing.
std::string tile_text(vision::PictureSize tile);

/// Throws where a sample has depths that the model does not look at, or lacks those that it does.
void check_modalities(const class Engine& engine, const vision::Sample& sample);

/// Evaluates all classes that have test pictures, showing progress.
std::vector<ClassReport> evaluate_all(const class Engine& engine, const std::vector<vision::ClassData>& classes,
                                      const std::filesystem::path& root, EvaluateOptions options = {});

/// Throws unless a file can be made at `path`; an empty path is not asked for and passes.
void check_writable(const std::filesystem::path& path);

}  // namespace dinomaly::program
