// SPDX-License-Identifier: Apache-2.0
// Two small charts as inline SVG. Colours come from the page's style sheet, so that they follow its light and dark.
#pragma once

#include <span>
#include <string>

namespace dinomaly::page {

/// The loss over the iterations: each value faintly, their running mean on top. The axis is logarithmic where the
/// values allow it. Empty where fewer than two values are finite.
std::string loss_curve(std::span<const double> losses);

/// Scores on a line, good ones above and bad ones below it, with the threshold where it is finite.
std::string score_line(std::span<const double> good, std::span<const double> bad, double threshold);

}  // namespace dinomaly::page
