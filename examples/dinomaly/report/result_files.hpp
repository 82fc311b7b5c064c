// SPDX-License-Identifier: Apache-2.0
// The files that tell what came out of judging: the report, CSV, Markdown.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dinomaly/evaluate.hpp"
#include "engine/engine.hpp"
#include "report/run_report.hpp"

namespace dinomaly::program {

/// Where results go; an empty path is not asked for.
struct ResultFiles {
    std::filesystem::path report, csv, markdown;
};

/// What the report tells besides the results.
struct ReportSource {
    std::filesystem::path model;     ///< the model's file
    std::filesystem::path log = {};  ///< of its training, where it is at hand
    std::string title = {};          ///< empty: the classes
    std::vector<std::string> notes = {};
};

/// A report on classes, to which those that were judged are added. What it tells of the model is that of the engine.
RunReport begin_report(const Engine& engine, const std::vector<vision::ClassData>& classes,
                       const std::filesystem::path& root, const ReportSource& source);

/// Adds classes that this engine judged, whose pictures it judges again to draw them; `reports` are those of the
/// classes that have test pictures, in their order, with curves. Of the others some of the good parts learnt from are
/// shown.
void add_to_report(RunReport& run, const Engine& engine, const std::vector<vision::ClassData>& classes,
                   const std::filesystem::path& root, const std::vector<ClassReport>& reports);

/// Writes the report, and the tables where there are figures.
void write_results(const RunReport& run, const std::vector<ClassReport>& reports, const std::string& architecture,
                   const ResultFiles& files);

}  // namespace dinomaly::program
