// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <sstream>

#include "dinomaly/core/error.hpp"
#include "dinomaly/io/file.hpp"
#include "page/charts.hpp"
#include "page/html.hpp"
#include "page/style.hpp"

namespace dinomaly {

namespace {

using page::escaped;

void write_summary(std::ostream& out, const ReportData& data) {
    out << "<h1>" << escaped(data.title) << "</h1>\n<div class=\"summary\">\n";
    for (const std::string& paragraph : data.summary) out << "<p>" << escaped(paragraph) << "</p>\n";
    out << "</div>\n";
}

void write_tiles(std::ostream& out, const ReportFigures& mean) {
    const auto tile = [&](double value, const char* meaning) {
        out << "<div class=\"card tile\"><b>" << page::percent(value) << "</b><span>" << meaning << "</span></div>\n";
    };
    out << "<div class=\"tiles\">\n";
    tile(mean.image_auroc, "image AUROC: good and bad pictures told apart");
    tile(mean.image_f1, "image F1 at the best threshold");
    tile(mean.pixel_auroc, "pixel AUROC: defects found in the picture");
    tile(mean.aupro, "AUPRO: every defect counts the same");
    out << "</div>\n";
}

void write_row(std::ostream& out, const std::string& name, const ReportFigures& figures) {
    out << "<tr><td>" << escaped(name) << "</td>";
    for (const double value : {figures.image_auroc, figures.image_ap, figures.image_f1, figures.pixel_auroc,
                               figures.pixel_ap, figures.pixel_f1, figures.aupro})
        out << "<td>" << page::percent(value) << "</td>";
    out << "</tr>\n";
}

void write_table(std::ostream& out, const ReportData& data) {
    out << "<h2>Figures of each class</h2>\n<div class=\"card wide\"><table>\n"
           "<thead><tr><th></th><th colspan=\"3\">Image</th><th colspan=\"4\">Pixel</th></tr>\n"
           "<tr><th>Class</th><th>AUROC</th><th>AP</th><th>F1</th>"
           "<th>AUROC</th><th>AP</th><th>F1</th><th>AUPRO</th></tr></thead>\n<tbody>\n";
    for (const ReportClass& item : data.classes) write_row(out, item.name, item.figures);
    write_row(out, "mean", data.mean);
    out << "</tbody></table></div>\n<p class=\"note\">In per cent; 100 is perfect. AUROC: the chance that a bad "
           "picture "
           "(or pixel) scores above a good one. AP: average precision. F1: at its best threshold. AUPRO: the share of "
           "each defect that is covered, averaged up to 30 % of falsely marked good pixels.</p>\n";
}

void write_losses(std::ostream& out, const ReportData& data) {
    const std::string curve = page::loss_curve(data.losses);
    if (curve.empty()) return;
    out << "<h2>Training loss</h2>\n<div class=\"card\">" << curve
        << "</div>\n<p class=\"note\">Over the iterations: every value faintly, the running mean in front.</p>\n";
}

void write_chip(std::ostream& out, bool is_bad, const char* prefix) {
    const char* word = is_bad ? "bad" : "good";
    out << "<span class=\"chip " << word << "\">" << prefix << word << "</span>";
}

void write_example(std::ostream& out, const ReportExample& example, double threshold) {
    const bool has_verdict = std::isfinite(threshold);
    const bool judged_bad = example.score >= threshold;
    const bool is_wrong = has_verdict && judged_bad != example.is_bad;
    out << "<figure" << (is_wrong ? " class=\"wrong\"" : "") << "><div class=\"views\">"
        << page::picture(example.picture, example.name + ", the picture");
    if (example.mask.pixels.empty())
        out << "<i>no mask</i>";
    else
        out << page::picture(example.mask, example.name + ", the true defect");
    out << page::picture(example.overlay, example.name + ", the heat map")
        << "</div>\n<figcaption><span class=\"name\">" << escaped(example.name) << "</span><span class=\"score\">score "
        << page::number(example.score, 4) << "</span>";
    if (has_verdict)
        write_chip(out, judged_bad, is_wrong ? "wrongly judged " : "judged ");
    else
        write_chip(out, example.is_bad, "");
    out << "</figcaption></figure>\n";
}

void write_class(std::ostream& out, const ReportClass& item, const std::vector<ReportExample>& examples) {
    out << "<section class=\"card class\"><h3>" << escaped(item.name) << "</h3>\n";
    if (!item.good_scores.empty() || !item.bad_scores.empty())
        out << page::score_line(item.good_scores, item.bad_scores, item.threshold);
    out << "<div class=\"examples\">\n";
    for (const ReportExample& example : examples)
        if (example.class_name == item.name) write_example(out, example, item.threshold);
    out << "</div></section>\n";
}

void write_gallery(std::ostream& out, const ReportData& data) {
    out << "<h2>Pictures</h2>\n<p class=\"note\">For each part: the picture, its true defect (white), and the heat map "
           "of "
           "what the model did not expect. A picture counts as bad from the threshold on, which is the one with the "
           "best F1 of its class. Wrong verdicts are framed.</p>\n<div class=\"legend\"><span><span class=\"dot good\">"
           "</span>score of a good picture</span><span><span class=\"dot bad\"></span>score of a bad picture</span>"
           "</div>\n";
    for (const ReportClass& item : data.classes) write_class(out, item, data.examples);
}

void write_settings(std::ostream& out, const ReportData& data) {
    if (data.settings.empty()) return;
    out << "<h2>Settings</h2>\n<dl class=\"card\">\n";
    for (const auto& [name, value] : data.settings)
        out << "<dt>" << escaped(name) << "</dt><dd>" << escaped(value) << "</dd>\n";
    out << "</dl>\n";
}

}  // namespace

std::string report_page(const ReportData& data) {
    for (const ReportExample& example : data.examples)
        check(std::ranges::count(data.classes, example.class_name, &ReportClass::name) == 1, "report", "example \"",
              example.name, "\" belongs to class \"", example.class_name, "\", which the report does not have once");

    std::ostringstream out;
    out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"
        << escaped(data.title) << "</title>\n<style>" << page::style << "</style></head>\n<body><main>\n";
    write_summary(out, data);
    write_tiles(out, data.mean);
    write_table(out, data);
    write_losses(out, data);
    write_gallery(out, data);
    write_settings(out, data);
    out << "</main></body></html>\n";
    return out.str();
}

void write_report(const std::filesystem::path& path, const ReportData& data) {
    io::write_text(path, report_page(data));
}

}  // namespace dinomaly
