// SPDX-License-Identifier: Apache-2.0
// From judged classes to the report: which pictures are shown, how they are drawn, and what is told about the model.
//
//     RunReport run{.title = "bottle", .log = "RUN/log.jsonl", .sizes = engine.sizes(), .expected_classes = 15};
//     describe_model(run, "RUN/model.safetensors");
//     for (...) add_class(run, data, report);              // draws its pictures; the maps are not needed any more
//     write_run_report("RUN/report.html", run);
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/decision.hpp"
#include "dinomaly/evaluate.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/overlay.hpp"
#include "report.hpp"

namespace dinomaly {

/// What a report is made of.
struct RunReport {
    std::string title = "Report";
    std::vector<std::string> notes;                             ///< paragraphs behind the page's own summary
    std::vector<std::pair<std::string, std::string>> settings;  ///< names and values
    std::filesystem::path log;                                  ///< of the training; "", or a file that may be absent
    Decision decision;                          ///< empty: each class is judged at the best F1 of its own pictures
    vision::Preprocess sizes;                   ///< those that the maps were computed with
    std::optional<vision::OverlayStyle> style;  ///< of all heat maps; none: by each class's pixel threshold
    float usual_peak = 0;                       ///< what maps of good parts reach, for classes without a threshold
    std::size_t expected_classes = 1;           ///< the page stays below 15 MB with so many
    std::vector<ReportClass> classes;           ///< filled by add_class()
};

/// Adds a class and draws the pictures that tell most. `report` comes from the same data's test pictures and holds
/// their maps. With shows_learnt these are good parts that the model learnt from (some_good_parts). Throws when a
/// picture cannot be read, or report and data do not fit.
void add_class(RunReport& run, const vision::ClassData& data, const ClassReport& report, bool shows_learnt = false);

/// Writes the page; the file appears whole or not at all.
void write_run_report(const std::filesystem::path& html, const RunReport& run);

/// For classes without test pictures: the same classes with a few of their good training pictures in `test`.
std::vector<vision::ClassData> some_good_parts(const std::vector<vision::ClassData>& classes);

/// Takes from a model file what it says about itself: settings and hashes, the decision, and what maps of good parts
/// reach. Nothing but the path from a file without metadata.
void describe_model(RunReport& run, const std::filesystem::path& model);

/// How the thresholds were found: a sentence.
std::string thresholds_from(const Decision& decision);

/// The lines of a run's log, up to the first that is none; empty when there is no such file.
std::vector<ReportStep> read_steps(const std::filesystem::path& log);

}  // namespace dinomaly
