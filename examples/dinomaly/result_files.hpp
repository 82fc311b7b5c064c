// SPDX-License-Identifier: Apache-2.0
// The files that tell what came out of judging: the report, CSV, Markdown.
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

/// Writes the files of classes that this engine judged; `reports` are those of the classes that have test pictures, in
/// their order, with curves where a report is asked for. Files of figures are written only where there are any; a
/// report all the same: it shows what the model sees in some of the good parts that it learnt from.
void write_results(const Engine& engine, const std::vector<vision::ClassData>& classes,
                   const std::filesystem::path& root, const std::vector<ClassReport>& reports,
                   const ReportSource& source, const ResultFiles& files);

}  // namespace dinomaly::program
