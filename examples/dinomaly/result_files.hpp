// SPDX-License-Identifier: Apache-2.0
// Judging, and the files that tell what came out: the report, CSV, Markdown.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dinomaly/evaluate.hpp"
#include "engine.hpp"

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

/// Judges all classes that have test pictures and writes the files; those of figures only where there were any. A
/// report is written all the same: it shows what the model sees in some of the good parts that it learnt from.
std::vector<ClassReport> judge_and_report(const Engine& engine, const std::vector<vision::ClassData>& classes,
                                          const std::filesystem::path& root, bool keep_maps, const ReportSource& source,
                                          const ResultFiles& files);

}  // namespace dinomaly::program
