// SPDX-License-Identifier: Apache-2.0
#include "report/report.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "dinomaly/io/file.hpp"
#include "judging/verdicts.hpp"
#include "report/page/charts.hpp"
#include "report/page/class_section.hpp"
#include "report/page/html.hpp"
#include "report/page/script.hpp"
#include "report/page/style.hpp"

namespace dinomaly {

namespace {

using page::counted;
using page::escaped;

/// What the sentences and tiles at the top are made of.
struct Outcome {
    Verdicts verdicts;
    std::size_t judged = 0, learnt = 0;
    ClassReport mean;
    const ReportClass* hardest = nullptr;  ///< the class with most mistakes
};

Outcome outcome_of(const ReportData& data) {
    Outcome outcome;
    std::vector<ClassReport> reports;
    std::size_t most = 0;
    for (const ReportClass& item : data.classes) {
        outcome.learnt += item.learnt;
        if (item.shows_learnt) continue;
        outcome.judged += judged_objects(item.report).size();
        const Verdicts counts = count_verdicts(judged_objects(item.report), item.thresholds.image);
        outcome.verdicts += counts;
        if (counts.wrong() > most) most = counts.wrong(), outcome.hardest = &item;
        ClassReport& figures = reports.emplace_back();
        figures.image = item.report.image;
        figures.above_zero = item.report.above_zero;
        figures.above_half = item.report.above_half;
    }
    outcome.mean = mean_report(reports);
    return outcome;
}

/// "82 of 83 bad parts were found, 1 of 20 good parts was rejected."
std::string verdict_sentence(const Verdicts& counts) {
    std::ostringstream text;
    if (counts.bad() > 0)
        text << counts.found << " of " << counted(counts.bad(), "bad part", "bad parts")
             << (counts.found == 1 ? " was" : " were") << " found" << (counts.good() > 0 ? "; " : ".");
    if (counts.good() > 0)
        text << counts.rejected << " of " << counted(counts.good(), "good part", "good parts")
             << (counts.rejected == 1 ? " was" : " were") << " wrongly rejected.";
    return text.str();
}

void write_summary(std::ostream& out, const ReportData& data, const Outcome& outcome) {
    const auto paragraph = [&](const std::string& text) { out << "<p>" << escaped(text) << "</p>\n"; };
    out << "<h1>" << escaped(data.title) << "</h1>\n<div class=\"summary\">\n";
    const Verdicts& counts = outcome.verdicts;
    if (counts.all() > 0) out << "<p class=\"lead\">" << escaped(verdict_sentence(counts)) << "</p>\n";
    std::string what = "The model has seen good parts only";
    if (outcome.learnt > 0) what += ", " + std::to_string(outcome.learnt) + " of them";
    what += ". It gives each picture a score: the higher, the less the part looks like a good one. ";
    if (counts.all() > 0)
        what +=
            "From the threshold on, a part is judged bad and rejected. All figures are those of pictures that it "
            "had not seen before.";
    else if (outcome.judged == 0)
        what +=
            "There were no pictures to judge, so this page cannot tell how well it finds defects: it shows how the "
            "training went, and what the model sees in some of the good parts.";
    paragraph(what);
    if (!data.thresholds_from.empty()) paragraph(data.thresholds_from);
    if (outcome.hardest != nullptr && data.classes.size() > 1)
        paragraph("Most mistakes were made with " + outcome.hardest->report.name + ": " +
                  verdict_sentence(
                      count_verdicts(judged_objects(outcome.hardest->report), outcome.hardest->thresholds.image)));
    for (const std::string& note : data.notes) paragraph(note);
    out << "</div>\n";
}

void write_tiles(std::ostream& out, const Outcome& outcome) {
    const auto tile = [&](const std::string& value, const std::string& meaning) {
        out << "<div class=\"card tile\"><b>" << value << "</b><span>" << meaning << "</span></div>\n";
    };
    const auto figure = [&](double value, const char* meaning) {
        if (!std::isnan(value)) tile(page::percent(value), meaning);
    };
    const Verdicts& counts = outcome.verdicts;
    out << "<div class=\"tiles\">\n";
    const auto share = [](std::size_t part, std::size_t whole) {
        return std::to_string(part) + "<small> of " + std::to_string(whole) + "</small>";
    };
    if (counts.bad() > 0) tile(share(counts.found, counts.bad()), "bad parts found");
    if (counts.good() > 0) tile(share(counts.rejected, counts.good()), "good parts wrongly rejected");
    figure(outcome.mean.image.auroc, "image AUROC, %: how well good and bad pictures are told apart");
    figure(outcome.mean.above_zero.auroc, "pixel AUROC, %: how well the map tells defects from the rest");
    figure(outcome.mean.above_zero.aupro, "AUPRO, %: how much of each defect is covered");
    out << "</div>\n";
}

/// A column of a table that sorts.
void write_column(std::ostream& out, const char* name) {
    out << "<th scope=\"col\"><button type=\"button\">" << name << "</button></th>";
}
void write_number(std::ostream& out, double value, const std::string& text) {
    out << "<td data-value=\"" << (std::isfinite(value) ? page::number(value, 8) : "") << "\">" << text << "</td>";
}
void write_percent(std::ostream& out, double value) {
    write_number(out, value, page::percent(value));
}
void write_count(std::ostream& out, std::size_t value) {
    write_number(out, static_cast<double>(value), std::to_string(value));
}

void write_verdict_table(std::ostream& out, const ReportData& data, const Outcome& outcome) {
    if (outcome.verdicts.all() == 0) return;
    out << "<h2>Verdicts of each class</h2>\n<div class=\"card wide\"><table class=\"sortable\"><thead><tr>";
    for (const char* name : {"Class", "Bad parts", "found", "missed", "Good parts", "passed", "rejected", "Threshold"})
        write_column(out, name);
    out << "</tr></thead>\n<tbody>\n";
    const auto cells = [&](const Verdicts& counts) {
        for (const std::size_t count :
             {counts.bad(), counts.found, counts.missed, counts.good(), counts.passed, counts.rejected})
            write_count(out, count);
    };
    for (std::size_t i = 0; i < data.classes.size(); ++i) {
        const ReportClass& item = data.classes[i];
        if (item.shows_learnt) continue;
        out << "<tr><td><a href=\"#class-" << i << "\">" << escaped(item.report.name) << "</a></td>";
        cells(count_verdicts(judged_objects(item.report), item.thresholds.image));
        write_number(out, item.thresholds.image, page::number(item.thresholds.image, 4));
        out << "</tr>\n";
    }
    out << "</tbody>\n";
    if (data.classes.size() > 1) {
        out << "<tfoot><tr><td>all</td>";
        cells(outcome.verdicts);
        out << "<td></td></tr></tfoot>";
    }
    out << "</table></div>\n<p class=\"note\">A click on a column's title sorts by it.</p>\n";
}

void write_figures(std::ostream& out, const anomaly::ImageMetrics& image, const anomaly::PixelMetrics& pixel) {
    for (const double value : {image.auroc, image.ap, image.f1_max, pixel.auroc, pixel.ap, pixel.f1_max, pixel.aupro})
        write_percent(out, value);
}

void write_figure_table(std::ostream& out, const ReportData& data, const Outcome& outcome,
                        anomaly::PixelMetrics ClassReport::*rule) {
    out << "<div class=\"card wide\"><table class=\"sortable\"><thead>"
           "<tr><th></th><th colspan=\"3\">Image</th><th colspan=\"4\">Pixel</th></tr>\n<tr>";
    for (const char* name : {"Class", "AUROC", "AP", "F1", "AUROC", "AP", "F1", "AUPRO"}) write_column(out, name);
    out << "</tr></thead>\n<tbody>\n";
    for (const ReportClass& item : data.classes) {
        if (item.shows_learnt) continue;
        out << "<tr><td>" << escaped(item.report.name) << "</td>";
        write_figures(out, item.report.image, item.report.*rule);
        out << "</tr>\n";
    }
    out << "</tbody>\n";
    if (data.classes.size() > 1) {
        out << "<tfoot><tr><td>mean</td>";
        write_figures(out, outcome.mean.image, outcome.mean.*rule);
        out << "</tr></tfoot>";
    }
    out << "</table></div>\n";
}

void write_figure_tables(std::ostream& out, const ReportData& data, const Outcome& outcome) {
    if (outcome.judged == 0) return;
    out << "<h2>Figures of each class, in per cent</h2>\n";
    write_figure_table(out, data, outcome, &ClassReport::above_zero);
    out << "<details><summary>What do these words mean?</summary><dl class=\"words\">"
           "<dt>AUROC</dt><dd>The chance that a bad picture (or pixel) has a higher score than a good one. 100 is "
           "perfect, 50 is guessing.</dd>"
           "<dt>AP</dt><dd>Average precision: of what is called bad, how much truly is, averaged over all thresholds. "
           "It is strict where defects are small.</dd>"
           "<dt>F1</dt><dd>Balances finding what is bad with sparing what is good, at its best threshold.</dd>"
           "<dt>AUPRO</dt><dd>How much of each defect is covered, small and large ones counting the same, averaged up "
           "to 30 % of falsely marked good pixels.</dd>"
           "<dt>Threshold</dt><dd>The score from which a part counts as bad. A lower one finds more defects and "
           "rejects more good parts.</dd></dl></details>\n"
           "<details><summary>The pixel figures by another rule: a pixel is a defect where the resized mask exceeds "
           "0.5, not 0</summary>\n";
    write_figure_table(out, data, outcome, &ClassReport::above_half);
    out << "</details>\n";
}

void write_classes(std::ostream& out, const ReportData& data) {
    if (data.classes.empty()) return;
    out << "<h2>Scores, curves and pictures</h2>\n";
    if (data.classes.size() > 1) {
        out << "<nav class=\"classes\" aria-label=\"Classes\">";
        for (std::size_t i = 0; i < data.classes.size(); ++i) {
            const std::size_t wrong =
                count_verdicts(judged_objects(data.classes[i].report), data.classes[i].thresholds.image).wrong();
            out << "<a href=\"#class-" << i << "\">" << escaped(data.classes[i].report.name);
            if (wrong > 0) out << " <b>" << wrong << " wrong</b>";
            out << "</a>";
        }
        out << "</nav>\n";
    }
    out << "<p class=\"note\">For each part: the picture, its true defect in white, the heat map of what the model did "
           "not expect, and the map over the picture, with a line around what reaches the threshold. A click enlarges; "
           "arrow keys go on, Escape closes.</p>\n";
    for (std::size_t i = 0; i < data.classes.size(); ++i) page::write_class(out, data.classes[i], i);
}

void write_training(std::ostream& out, const std::vector<ReportStep>& steps) {
    std::vector<double> iterations;
    for (const ReportStep& step : steps) iterations.push_back(static_cast<double>(step.iteration) + 1);
    const auto curve = [&](double ReportStep::*value, const char* title, const char* note, bool has_mean) {
        std::vector<double> values;
        for (const ReportStep& step : steps) values.push_back(step.*value);
        const std::string drawn = page::value_curve(iterations, values, title, has_mean);
        if (!drawn.empty())
            out << "<div class=\"card\"><h3>" << title << "</h3>" << drawn << "<p class=\"note\">" << note
                << "</p></div>\n";
    };
    if (steps.size() < 2) return;
    out << "<h2>The training, over its iterations</h2>\n<div class=\"runs\">\n";
    curve(&ReportStep::loss, "Loss", "How far the reconstruction is from the features. It should fall and level off.",
          true);
    curve(&ReportStep::grad_norm, "Gradient norm", "Before it is clipped. Peaks that do not come back are a bad sign.",
          true);
    curve(&ReportStep::lr, "Learning rate", "It rises in the warm-up and falls along a cosine.", false);
    out << "</div>\n";
}

void write_settings(std::ostream& out, const ReportData& data) {
    if (data.settings.empty()) return;
    out << "<h2>Settings and hashes</h2>\n<dl class=\"card settings\">\n";
    for (const auto& [name, value] : data.settings)
        out << "<dt>" << escaped(name) << "</dt><dd>" << escaped(value) << "</dd>\n";
    out << "</dl>\n";
}

}  // namespace

std::string report_page(const ReportData& data) {
    const Outcome outcome = outcome_of(data);
    std::ostringstream out;
    out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"
        << escaped(data.title) << "</title>\n<style>" << page::style << "</style></head>\n<body><main>\n";
    write_summary(out, data, outcome);
    write_tiles(out, outcome);
    write_verdict_table(out, data, outcome);
    write_figure_tables(out, data, outcome);
    write_classes(out, data);
    write_training(out, data.steps);
    write_settings(out, data);
    out << "</main>\n" << page::viewer << "<script>" << page::script << "</script></body></html>\n";
    return out.str();
}

void write_report(const std::filesystem::path& path, const ReportData& data) {
    io::write_text(path, report_page(data));
}

}  // namespace dinomaly
