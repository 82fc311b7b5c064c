// SPDX-License-Identifier: Apache-2.0
// Charts as inline SVG. Colours come from the page's style sheet, so that they follow its light and dark.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dinomaly/anomaly/curves.hpp"

namespace dinomaly::page {

/// Values over the iterations; with has_mean each faintly and their running mean on top. `what` is said to those who
/// cannot see it. The axis is logarithmic where the values allow it and span a factor of 4. Empty where fewer than two
/// values are finite.
std::string value_curve(std::span<const double> iterations, std::span<const double> values, const char* what,
                        bool has_mean = true);

/// Scores in equal steps: good ones upwards, bad ones downwards, with the threshold where it is finite.
std::string score_histogram(std::span<const double> good, std::span<const double> bad, double threshold);

/// One line of a curve_chart; kind is "image" or "pixel".
struct CurveLine {
    const char* kind;
    std::span<const anomaly::CurvePoint> points;
};

/// Curves in the square 0 .. x_limit by 0 .. 1. Empty where no line has points.
std::string curve_chart(const char* title, const char* x_label, const char* y_label, double x_limit,
                        const std::vector<CurveLine>& lines);

}  // namespace dinomaly::page
