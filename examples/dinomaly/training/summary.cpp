// SPDX-License-Identifier: Apache-2.0
#include "training/summary.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <sstream>

#include "console.hpp"

namespace dinomaly::program {

namespace {

using anomaly::ImageMetrics, anomaly::PixelMetrics;
using nlohmann::json;

/// A figure's place in metrics.json and in a report: one of pictures, or one of pixels under a rule for masks.
struct Figure {
    const char *group, *name;
    double ImageMetrics::*image;
    PixelMetrics ClassReport::*rule;
    double PixelMetrics::*pixel;

    template <class Report> auto& in(Report& report) const {
        return image != nullptr ? report.image.*image : report.*rule.*pixel;
    }
};

constexpr Figure figures[] = {
    {"image", "auroc", &ImageMetrics::auroc, nullptr, nullptr},
    {"image", "ap", &ImageMetrics::ap, nullptr, nullptr},
    {"image", "f1_max", &ImageMetrics::f1_max, nullptr, nullptr},
    {"pixel gt>0", "auroc", nullptr, &ClassReport::above_zero, &PixelMetrics::auroc},
    {"pixel gt>0", "ap", nullptr, &ClassReport::above_zero, &PixelMetrics::ap},
    {"pixel gt>0", "f1_max", nullptr, &ClassReport::above_zero, &PixelMetrics::f1_max},
    {"pixel gt>0", "aupro", nullptr, &ClassReport::above_zero, &PixelMetrics::aupro},
    {"pixel gt>0", "aupro_exact", nullptr, &ClassReport::above_zero, &PixelMetrics::aupro_exact},
    {"pixel gt>0.5", "auroc", nullptr, &ClassReport::above_half, &PixelMetrics::auroc},
    {"pixel gt>0.5", "ap", nullptr, &ClassReport::above_half, &PixelMetrics::ap},
    {"pixel gt>0.5", "f1_max", nullptr, &ClassReport::above_half, &PixelMetrics::f1_max},
    {"pixel gt>0.5", "aupro", nullptr, &ClassReport::above_half, &PixelMetrics::aupro},
    {"pixel gt>0.5", "aupro_exact", nullptr, &ClassReport::above_half, &PixelMetrics::aupro_exact},
};
constexpr std::size_t columns_of_the_paper = 7;  // the first ones

json figures_json(const ClassReport& report) {
    json object;
    for (const Figure& figure : figures) {
        const double value = figure.in(report);
        object[figure.group][figure.name] = std::isfinite(value) ? json(value) : json(nullptr);
    }
    return object;
}

/// Mean and sample deviation of a figure over the runs that have it.
void add_statistics(const Figure& figure, const std::vector<const ClassReport*>& reports, SeedRow& row) {
    std::vector<double> values;
    for (const ClassReport* report : reports)
        if (const double value = figure.in(*report); !std::isnan(value)) values.push_back(value);
    const auto n = static_cast<double>(values.size());
    double sum = 0, squares = 0;
    for (const double value : values) sum += value;
    const double mean = n > 0 ? sum / n : anomaly::undefined_metric;
    for (const double value : values) squares += (value - mean) * (value - mean);
    figure.in(row.mean) = mean;
    figure.in(row.deviation) = n > 1 ? std::sqrt(squares / (n - 1)) : anomaly::undefined_metric;
}

SeedRow make_row(const std::string& name, const std::vector<const ClassReport*>& reports) {
    SeedRow row{name, {}, {}};
    for (const Figure& figure : figures) add_statistics(figure, reports, row);
    return row;
}

}  // namespace

std::vector<ClassReport> read_reports(const json& metrics, const std::filesystem::path& file) {
    std::vector<ClassReport> reports;
    try {
        for (const auto& [name, object] : metrics.at("classes").items()) {
            ClassReport& report = reports.emplace_back();
            report.name = name;
            for (const Figure& figure : figures) {
                const json& value = object.at(figure.group).at(figure.name);
                figure.in(report) = value.is_null() ? anomaly::undefined_metric : value.get<double>();
            }
        }
    } catch (const json::exception& error) {
        fail(file.string(), "not the figures of a run: ", error.what());
    }
    return reports;
}

json joined_metrics(const std::vector<json>& parts, const std::vector<ClassReport>& reports) {
    json all = {{"classes", json::object()}, {"mean", figures_json(mean_report(reports))}, {"pictures", json::array()}};
    for (const json& part : parts) {
        all["classes"].update(part.at("classes"));
        if (const auto pictures = part.find("pictures"); pictures != part.end())
            for (const json& picture : *pictures) all["pictures"].push_back(picture);
    }
    return all;
}

std::vector<SeedRow> seed_rows(const std::vector<std::vector<ClassReport>>& runs) {
    std::vector<ClassReport> means;
    for (const auto& run : runs) means.push_back(mean_report(run));
    std::vector<SeedRow> rows;
    for (std::size_t i = 0; i < runs.front().size(); ++i) {
        std::vector<const ClassReport*> reports;
        for (const auto& run : runs) reports.push_back(&run.at(i));
        rows.push_back(make_row(runs.front()[i].name, reports));
    }
    std::vector<const ClassReport*> reports;
    for (const ClassReport& mean : means) reports.push_back(&mean);
    rows.push_back(make_row("mean", reports));
    return rows;
}

json seed_metrics(const std::vector<std::uint64_t>& seeds, const std::vector<std::vector<ClassReport>>& runs) {
    json all = {{"classes", json::object()}, {"deviation", {{"classes", json::object()}}}, {"seeds", json::object()}};
    std::vector<SeedRow> rows = seed_rows(runs);
    all["mean"] = figures_json(rows.back().mean);
    all["deviation"]["mean"] = figures_json(rows.back().deviation);
    rows.pop_back();
    for (const SeedRow& row : rows) {
        all["classes"][row.name] = figures_json(row.mean);
        all["deviation"]["classes"][row.name] = figures_json(row.deviation);
    }
    for (std::size_t i = 0; i < seeds.size(); ++i)
        all["seeds"][std::to_string(seeds[i])] = figures_json(mean_report(runs[i]));
    return all;
}

std::string seed_table(const std::vector<SeedRow>& rows, std::size_t seeds) {
    std::ostringstream out;
    out << "Mean ± sample deviation over " << seeds << " seeds, %; a pixel is bad where its mask is above 0.\n\n"
        << "| class | I-AUROC | I-AP | I-F1 | P-AUROC | P-AP | P-F1 | AUPRO |\n|---|---|---|---|---|---|---|---|\n";
    for (const SeedRow& row : rows) {
        if (rows.size() == 2 && &row == &rows.back()) break;  // one class is its own mean
        out << "| " << row.name;
        for (const Figure& figure : std::span(figures).first<columns_of_the_paper>())
            out << " | " << percent(figure.in(row.mean)) << " ± " << percent(figure.in(row.deviation));
        out << " |\n";
    }
    return out.str();
}

}  // namespace dinomaly::program
