// SPDX-License-Identifier: Apache-2.0
#include "report/page/class_section.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "dinomaly/vision/colormap.hpp"
#include "judging/verdicts.hpp"
#include "report/page/charts.hpp"
#include "report/page/html.hpp"

namespace dinomaly::page {

namespace {

void write_heading(std::ostream& out, const ReportClass& item, std::size_t number) {
    const std::vector<PictureResult>& judged = judged_objects(item.report);
    const std::size_t all = judged.size();
    const auto bad = static_cast<std::size_t>(std::ranges::count(judged, true, &PictureResult::anomalous));
    out << "<h3 id=\"class-" << number << "\">" << escaped(item.report.name) << "</h3>\n<p class=\"note\">";
    if (item.learnt > 0) out << "It learnt from " << counted(item.learnt, "good part", "good parts") << ". ";
    if (item.shows_learnt)
        out << "There was nothing to judge. Shown are good parts that it learnt from: their maps should stay dark.";
    else
        out << "It judged " << counted(all - bad, "good part", "good parts") << " and "
            << counted(bad, "bad one", "bad ones") << ", none of which it had seen before.";
    if (!item.report.objects.empty())
        out << " Each is an object of several pictures, " << item.report.pictures.size()
            << " in all, which are judged together.";
    out << "</p>\n";
}

/// Which colour is which value of the map.
void write_colour_bar(std::ostream& out, const ReportClass& item) {
    const vision::OverlayStyle& style = item.style;
    out << "<p class=\"legend\"><span>heat map</span><span>" << number(style.low, 3)
        << "</span><span class=\"bar\" style=\"background:linear-gradient(90deg";
    constexpr int stops = 8;
    for (int i = 0; i <= stops; ++i) {
        const vision::Color color = vision::heat_color(static_cast<float>(i) / stops);
        out << ",rgb(" << int{color[0]} << ' ' << int{color[1]} << ' ' << int{color[2]} << ')';
    }
    out << ")\"></span><span>" << number(style.high, 3) << " and more</span>";
    if (std::isfinite(item.thresholds.pixel))
        out << "<span>a pixel counts as bad from " << number(item.thresholds.pixel, 3) << " on</span>";
    out << "</p>\n";
}

void write_scores(std::ostream& out, const ReportClass& item) {
    std::vector<double> good, bad;
    for (const PictureResult& picture : judged_objects(item.report))
        (picture.anomalous ? bad : good).push_back(picture.score);
    out << "<div class=\"scores-and-verdicts\">\n<div>"
        << score_histogram(good, bad, static_cast<double>(item.thresholds.image)) << "</div>\n";
    const Verdicts counts = count_verdicts(judged_objects(item.report), item.thresholds.image);
    if (counts.all() > 0) {
        const auto cell = [&](std::size_t count, bool right) {
            out << "<td class=\"" << (right ? "right" : count > 0 ? "mistake" : "none") << "\">" << count << "</td>";
        };
        out << "<table class=\"verdicts\"><caption>Verdicts at the threshold, "
            << page::number(item.thresholds.image, 4)
            << "</caption>\n<thead><tr><td></td><th scope=\"col\">judged good</th>"
               "<th scope=\"col\">judged bad</th></tr></thead>\n<tbody><tr><th scope=\"row\">good parts</th>";
        cell(counts.passed, true);
        cell(counts.rejected, false);
        out << "</tr>\n";
        if (counts.bad() > 0) {
            out << "<tr><th scope=\"row\">bad parts</th>";
            cell(counts.missed, false);
            cell(counts.found, true);
            out << "</tr>";
        }
        out << "</tbody></table>\n";
    }
    out << "</div>\n";
}

void write_curves(std::ostream& out, const ClassReport& report) {
    const auto lines = [&](std::vector<anomaly::CurvePoint> anomaly::Curves::*curve) {
        return std::vector<CurveLine>{{"pixel", report.pixel_curves.*curve}, {"image", report.image_curves.*curve}};
    };
    using anomaly::Curves;
    const std::string roc = curve_chart("ROC", "good ones called bad, %", "bad ones found, %", 1, lines(&Curves::roc));
    const std::string pr = curve_chart("Precision and recall", "bad ones found, %", "of those called bad, truly so, %",
                                       1, lines(&Curves::pr));
    const std::string pro = curve_chart("Overlap with each defect (PRO)", "good pixels called bad, %",
                                        "of a defect covered, %", anomaly::aupro_fpr_limit, lines(&Curves::pro));
    if (roc.empty() && pr.empty() && pro.empty()) return;
    out << "<div class=\"curve-row\">" << roc << pr << pro
        << "</div>\n<p class=\"legend\"><span><i class=\"line image\"></i>pictures</span>"
           "<span><i class=\"line pixel\"></i>pixels</span></p>\n";
}

void write_example(std::ostream& out, const ReportExample& example, double threshold) {
    const bool has_verdict = std::isfinite(threshold);
    const bool judged_bad = is_judged_bad(example.score, threshold);
    const bool is_wrong = has_verdict && judged_bad != example.is_bad;
    const std::string truth = example.is_bad ? "bad" : "good", verdict = judged_bad ? "bad" : "good";
    out << "<figure" << (is_wrong ? " class=\"wrong\"" : "") << "><div class=\"views\">\n";
    for (const ReportView& view : example.views)
        out << "<button type=\"button\" class=\"view\"><img alt=\"" << escaped(example.name + ", " + view.label)
            << "\" width=\"" << view.size.width << "\" height=\"" << view.size.height << "\" src=\""
            << data_address(view.type, view.file) << "\"><span>" << escaped(view.label) << "</span></button>\n";
    out << "</div><figcaption><span class=\"name\">" << escaped(example.name) << "</span><span class=\"score\">score "
        << number(example.score, 4) << "</span><span class=\"chip " << truth << "\">" << truth << " part</span>";
    if (has_verdict)
        out << "<span class=\"chip " << (is_wrong ? "mistake" : "right") << "\">"
            << (is_wrong ? "wrongly judged " : "judged ") << verdict << "</span>";
    out << "</figcaption></figure>\n";
}

void write_gallery(std::ostream& out, const ReportClass& item, Gallery kind, const char* title) {
    if (std::ranges::count(item.examples, kind, &ReportExample::gallery) == 0) return;
    out << "<h4>" << title << "</h4>\n<div class=\"examples\">\n";
    for (const ReportExample& example : item.examples)
        if (example.gallery == kind) write_example(out, example, item.thresholds.image);
    out << "</div>\n";
}

}  // namespace

std::string counted(std::size_t count, const char* one, const char* many) {
    return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

void write_class(std::ostream& out, const ReportClass& item, std::size_t number) {
    out << "<section class=\"card class\">";
    write_heading(out, item, number);
    if (!item.report.pictures.empty() && !item.shows_learnt) write_scores(out, item);
    write_curves(out, item.report);
    if (!item.examples.empty()) write_colour_bar(out, item);
    const bool has_verdict = std::isfinite(item.thresholds.image);
    write_gallery(out, item, Gallery::wrong, "Wrongly judged");
    write_gallery(out, item, Gallery::close, has_verdict ? "Right, but closest to the threshold" : "Highest scores");
    write_gallery(out, item, Gallery::clear,
                  has_verdict ? "Clearest: the worst bad parts and the best good ones" : "Lowest scores");
    out << "</section>\n";
}

}  // namespace dinomaly::page
