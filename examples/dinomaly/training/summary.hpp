// SPDX-License-Identifier: Apache-2.0
// Figures of several runs put together: classes that were trained alone, seeds that are compared. What is read and
// written is metrics.json (dinomaly/evaluate.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "dinomaly/evaluate.hpp"

namespace dinomaly::program {

/// The figures of each class in a metrics.json, without the pictures; null becomes NaN. Throws Error for other files.
std::vector<ClassReport> read_reports(const nlohmann::json& metrics, const std::filesystem::path& file);

/// The metrics.json of all classes, from those of classes that were judged alone: the mean is taken anew.
nlohmann::json joined_metrics(const std::vector<nlohmann::json>& parts, const std::vector<ClassReport>& reports);

/// The figures of one row, a class or the mean of classes, in several runs.
struct SeedRow {
    std::string name;
    ClassReport mean, deviation;  ///< deviation: of the sample, divided by n - 1; NaN for one run
};

/// The rows of the classes and, last, of their mean. All runs have the same classes.
std::vector<SeedRow> seed_rows(const std::vector<std::vector<ClassReport>>& runs);

/// {"classes", "mean": the means over the seeds, "deviation": {"classes", "mean"}, "seeds": {N: the mean of classes}}.
nlohmann::json seed_metrics(const std::vector<std::uint64_t>& seeds, const std::vector<std::vector<ClassReport>>& runs);

/// A Markdown table in per cent, "99.60 ± 0.03", in the paper's order of columns.
std::string seed_table(const std::vector<SeedRow>& rows, std::size_t seeds);

}  // namespace dinomaly::program
