// SPDX-License-Identifier: Apache-2.0
// The figures as tables for others to read: CSV with everything, Markdown in the paper's order of columns.
#pragma once

#include <string>
#include <vector>

#include "dinomaly/evaluate.hpp"

namespace dinomaly {

/// One row a class and one for their mean: numbers of pictures, thresholds of the best F1, all figures of both mask
/// rules, 0 .. 1, in full precision; a figure that is not defined is empty. RFC 4180.
std::string csv_table(const std::vector<ClassReport>& reports);

/// Per cent in the paper's order of columns: image AUROC, AP, F1; pixel AUROC, AP, F1, AUPRO; the mean below. Where
/// the classes are those of a published benchmark, what the paper states for it stands beneath, with ours less theirs.
/// `architecture` is "small", "base" or "large"; anything else has no published figures.
std::string markdown_table(const std::vector<ClassReport>& reports, const std::string& architecture);

}  // namespace dinomaly
