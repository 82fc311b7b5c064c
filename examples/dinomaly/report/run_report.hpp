// SPDX-License-Identifier: Apache-2.0
// From judged classes to the report: which pictures are shown, how they are drawn, and what is told about the model.
//
//     RunReport run{.title = "bottle", .log = "RUN/log.jsonl", .expected_classes = 15};
//     describe_model(run, "RUN/model.safetensors");
//     for (...) add_class(run, data, report, judge);       // draws its pictures, whose maps `judge` makes once more
//     write_run_report("RUN/report.html", run);
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/decision.hpp"
#include "dinomaly/evaluate.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/overlay.hpp"
#include "dinomaly/vision/picture_map.hpp"
#include "report/report.hpp"

namespace dinomaly {

/// What a report is made of.
struct RunReport {
    std::string title = "Report";
    std::vector<std::string> notes;                             ///< paragraphs behind the page's own summary
    std::vector<std::pair<std::string, std::string>> settings;  ///< names and values
    std::filesystem::path log;                                  ///< of the training; "", or a file that may be absent
    Decision decision;                          ///< empty: each class is judged at the best F1 of its own pictures
    std::optional<vision::OverlayStyle> style;  ///< of all heat maps; none: by each class's pixel threshold
    std::size_t expected_classes = 1;           ///< the page stays below 15 MB with so many
    std::vector<ReportClass> classes;           ///< filled by add_class()
};

/// The map of a picture, or of a picture and that of its depths, laid over what is drawn of it.
using MapOver =
    std::function<vision::PictureMap(const std::vector<vision::Image>& pictures, vision::PictureSize drawn)>;

/// Adds a class and draws the pictures, or objects with all theirs, that tell most; `map_over` judges them. `report`
/// comes from the same data's test pictures. With shows_learnt these are good parts that the model learnt from
/// (some_good_parts). Throws when a picture cannot be read, or report and data do not fit.
void add_class(RunReport& run, const vision::ClassData& data, const ClassReport& report, const MapOver& map_over,
               bool shows_learnt = false);

/// Writes the page; the file appears whole or not at all.
void write_run_report(const std::filesystem::path& html, const RunReport& run);

/// For classes without test pictures: the same classes with a few of their good training pictures in `test`.
std::vector<vision::ClassData> some_good_parts(const std::vector<vision::ClassData>& classes);

/// Takes from a model file what it says about itself: settings and hashes, and the decision. Nothing but the path from
/// a file without metadata.
void describe_model(RunReport& run, const std::filesystem::path& model);

/// How the thresholds were found: a sentence.
std::string thresholds_from(const Decision& decision);

/// The lines of a run's log, up to the first that is none; empty when there is no such file.
std::vector<ReportStep> read_steps(const std::filesystem::path& log);

}  // namespace dinomaly
