// SPDX-License-Identifier: Apache-2.0
// The report: one HTML page that holds everything in itself, pictures and scripts included, and needs no network.
// First what came out in plain words, then the figures of each class, its scores with the threshold, its curves and the
// pictures that tell most, then how the training went and what it was done with. Tables sort and pictures enlarge by a
// click; without scripts the page says the same. run_report.hpp makes the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/evaluate.hpp"
#include "dinomaly/vision/overlay.hpp"

namespace dinomaly {

/// A picture as it stands in the page: an encoded file and what it shows.
struct ReportView {
    std::string label;  ///< "picture", "truth", "map", "overlay"
    std::string type;   ///< "image/jpeg"
    std::vector<std::byte> file;
    vision::PictureSize size;
};

/// Why a picture is shown.
enum class Gallery {
    wrong,  ///< its verdict is wrong
    close,  ///< right, but nearest to being wrong
    clear,  ///< the highest scores of bad parts, the lowest of good ones
};

/// One judged picture.
struct ReportExample {
    std::string name;  ///< what to call it: a path or a kind of defect
    bool is_bad = false;
    double score = 0;
    Gallery gallery = Gallery::clear;
    std::vector<ReportView> views;
};

/// One class: its report, of which maps are not needed, and the values from which something counts as bad.
struct ReportClass {
    ClassReport report;
    Thresholds thresholds;       ///< NaN: no verdicts
    vision::OverlayStyle style;  ///< of the heat maps
    std::size_t learnt = 0;      ///< pictures that the model learnt from; 0: not known
    bool shows_learnt = false;   ///< the pictures are good ones that it learnt from: nothing was there to judge
    std::vector<ReportExample> examples;
};

/// One line of a run's log.
struct ReportStep {
    std::int64_t iteration = 0;
    double loss = 0, grad_norm = 0, lr = 0, seconds = 0;
};

struct ReportData {
    std::string title;
    std::vector<std::string> notes;  ///< paragraphs behind those that the page makes of the figures
    std::string thresholds_from;     ///< how the thresholds were found: a sentence
    std::vector<std::pair<std::string, std::string>> settings;
    std::vector<ReportClass> classes;
    std::vector<ReportStep> steps;  ///< none: no curves of the training
};

/// The page as text. Every text of `data` is escaped.
std::string report_page(const ReportData& data);

/// Writes the page; the file appears whole or not at all.
void write_report(const std::filesystem::path& path, const ReportData& data);

}  // namespace dinomaly
