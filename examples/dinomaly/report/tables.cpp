// SPDX-License-Identifier: Apache-2.0
#include "report/tables.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string_view>

#include "dinomaly/vision/class_names.hpp"
#include "report/page/html.hpp"

namespace dinomaly {

namespace {

constexpr double unknown = anomaly::undefined_metric;

/// Image AUROC, AP, F1; pixel AUROC, AP, F1, AUPRO.
using Figures = std::array<double, 7>;

Figures figures_of(const ClassReport& report) {
    const anomaly::PixelMetrics& pixel = report.above_zero;
    return {report.image.auroc, report.image.ap, report.image.f1_max, pixel.auroc, pixel.ap, pixel.f1_max, pixel.aupro};
}

// --- CSV

/// A text as a field: quoted where it has to be.
std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

/// The shortest text that reads back as the same number; empty where it is not finite.
std::string full(double value) {
    if (!std::isfinite(value)) return "";
    std::array<char, 40> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    return {text.data(), end};
}

void write_row(std::ostream& out, const ClassReport& report, std::size_t good, std::size_t bad) {
    out << field(report.name) << ',' << good << ',' << bad;
    const anomaly::ImageMetrics& image = report.image;
    for (const double value : {image.auroc, image.ap, image.f1_max, image.f1_threshold}) out << ',' << full(value);
    for (const anomaly::PixelMetrics* pixel : {&report.above_zero, &report.above_half})
        for (const double value : {pixel->auroc, pixel->ap, pixel->f1_max, pixel->aupro, pixel->aupro_exact})
            out << ',' << full(value);
    out << "\r\n";
}

// --- what the paper states

/// Means over a benchmark's classes, in per cent, of one model for all classes (Guo et al., CVPR 2025).
struct Published {
    vision::DataSetKind benchmark;
    std::string_view architecture, encoder;
    Figures figures;
};
constexpr std::array<Published, 5> published{{
    {vision::DataSetKind::mvtec, "small", "ViT-S/14", {99.26, unknown, unknown, unknown, 68.29, unknown, 94.36}},
    {vision::DataSetKind::mvtec, "base", "ViT-B/14", {99.6, 99.8, 99.0, 98.4, 69.3, 69.2, 94.8}},
    {vision::DataSetKind::mvtec, "large", "ViT-L/14", {99.77, unknown, unknown, unknown, 70.53, unknown, 95.09}},
    {vision::DataSetKind::visa, "base", "ViT-B/14", {98.7, 98.9, 96.2, 98.7, 53.2, 55.7, 94.5}},
    {vision::DataSetKind::realiad, "base", "ViT-B/14", {89.3, 86.8, 80.2, 98.8, 42.8, 47.1, 93.9}},
}};

const Published* find_published(const std::vector<ClassReport>& reports, const std::string& architecture) {
    std::vector<std::string> names;
    for (const ClassReport& report : reports) names.push_back(report.name);
    std::ranges::sort(names);
    for (const Published& each : published) {
        const auto classes = vision::published_classes(each.benchmark);
        if (each.architecture == architecture &&
            std::ranges::equal(names, classes, {}, {}, &vision::PublishedClass::name))
            return &each;
    }
    return nullptr;
}

// --- Markdown

/// A name that cannot end its cell.
std::string cell(const std::string& name) {
    std::string out;
    for (const char c : name) out += c == '|' ? "\\|" : std::string(1, c == '\n' || c == '\r' ? ' ' : c);
    return out;
}

void write_line(std::ostream& out, const std::string& name, const Figures& per_cent, bool has_sign = false) {
    out << "| " << name << " |";
    for (const double value : per_cent)
        out << ' ' << (has_sign && value >= 0 ? "+" : "") << page::number(value, 2) << " |";
    out << '\n';
}

Figures in_per_cent(Figures figures) {
    for (double& value : figures) value *= 100;
    return figures;
}

}  // namespace

std::string csv_table(const std::vector<ClassReport>& reports) {
    std::ostringstream out;
    out << "class,good,bad,image_auroc,image_ap,image_f1_max,image_f1_threshold";
    for (const char* rule : {"pixel_gt0", "pixel_gt0.5"})
        for (const char* figure : {"auroc", "ap", "f1_max", "aupro", "aupro_exact"})
            out << ',' << rule << '_' << figure;
    out << "\r\n";
    std::size_t all_good = 0, all_bad = 0;
    for (const ClassReport& report : reports) {
        const std::vector<PictureResult>& judged = judged_objects(report);
        const auto bad = static_cast<std::size_t>(std::ranges::count(judged, true, &PictureResult::anomalous));
        const std::size_t good = judged.size() - bad;
        write_row(out, report, good, bad);
        all_good += good, all_bad += bad;
    }
    write_row(out, mean_report(reports), all_good, all_bad);
    return out.str();
}

std::string markdown_table(const std::vector<ClassReport>& reports, const std::string& architecture) {
    std::ostringstream out;
    out << "| class | I-AUROC | I-AP | I-F1 | P-AUROC | P-AP | P-F1 | P-AUPRO |\n"
           "|:--|--:|--:|--:|--:|--:|--:|--:|\n";
    for (const ClassReport& report : reports) write_line(out, cell(report.name), in_per_cent(figures_of(report)));
    const Figures mean = in_per_cent(figures_of(mean_report(reports)));
    write_line(out, "**mean**", mean);
    const Published* stated = find_published(reports, architecture);
    if (stated == nullptr) return out.str();
    std::ostringstream name;
    name << "published, " << vision::data_set_name(stated->benchmark) << ", " << stated->encoder;
    write_line(out, name.str(), stated->figures);
    Figures less{};
    for (std::size_t i = 0; i < less.size(); ++i) less[i] = mean[i] - stated->figures[i];
    write_line(out, "ours less published", less, true);
    out << "\nPublished: Guo et al., CVPR 2025, one model for all classes, pictures of 448 cut to 392.\n";
    return out.str();
}

}  // namespace dinomaly
