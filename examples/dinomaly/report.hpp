// SPDX-License-Identifier: Apache-2.0
// The report: one HTML page that holds everything in itself, pictures included, and needs no network to be read.
// It shows what was done in plain words, the figures of each class, the loss curve, the scores on a line with the
// threshold, and examples with their heat maps. Light or dark as the reader's system; readable on a phone.
#pragma once

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/vision/image.hpp"

namespace dinomaly {

/// The figures of one class, 0..1; NaN is shown as "-".
struct ReportFigures {
    double image_auroc = std::numeric_limits<double>::quiet_NaN();
    double image_ap = std::numeric_limits<double>::quiet_NaN();
    double image_f1 = std::numeric_limits<double>::quiet_NaN();
    double pixel_auroc = std::numeric_limits<double>::quiet_NaN();
    double pixel_ap = std::numeric_limits<double>::quiet_NaN();
    double pixel_f1 = std::numeric_limits<double>::quiet_NaN();
    double aupro = std::numeric_limits<double>::quiet_NaN();
};

/// One class: its figures, the scores of its test pictures and the score from which a picture counts as bad.
struct ReportClass {
    std::string name;
    ReportFigures figures;
    double threshold = std::numeric_limits<double>::quiet_NaN();  ///< of the best image F1; NaN: no verdicts
    std::vector<double> good_scores;
    std::vector<double> bad_scores;
};

/// One judged picture. The mask may be empty where none exists.
struct ReportExample {
    std::string class_name;  ///< the name of a ReportClass
    std::string name;        ///< what to call it: a path or a kind of defect
    bool is_bad = false;     ///< the truth
    double score = 0;
    vision::Image picture;
    vision::Image mask;
    vision::Image overlay;  ///< the picture under its heat map
};

struct ReportData {
    std::string title;
    std::vector<std::string> summary;  ///< paragraphs in plain words
    std::vector<std::pair<std::string, std::string>> settings;
    std::vector<ReportClass> classes;
    ReportFigures mean;
    std::vector<double> losses;  ///< one an iteration; empty: no curve
    std::vector<ReportExample> examples;
};

/// The page as text. Every text of `data` is escaped. Throws Error when an example names no class.
std::string report_page(const ReportData& data);

/// Writes the page; the file appears whole or not at all.
void write_report(const std::filesystem::path& path, const ReportData& data);

}  // namespace dinomaly
