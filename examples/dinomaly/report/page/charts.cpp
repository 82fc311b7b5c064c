// SPDX-License-Identifier: Apache-2.0
#include "report/page/charts.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <sstream>
#include <utility>
#include <vector>

#include "report/page/html.hpp"

namespace dinomaly::page {

namespace {

/// Values from low to high are drawn from begin to end.
struct Axis {
    double low, high, begin, end;

    double operator()(double value) const { return begin + (value - low) / (high - low) * (end - begin); }
};

/// The range of the finite values; one unit wide where they are all the same or there are none.
Axis axis_of(std::span<const double> values, double begin, double end) {
    double low = INFINITY;
    double high = -INFINITY;
    for (const double value : values) {
        if (!std::isfinite(value)) continue;
        low = std::min(low, value);
        high = std::max(high, value);
    }
    if (low > high) low = high = 0;
    if (low == high) low -= 0.5, high += 0.5;
    return {low, high, begin, end};
}

std::string svg(int width, int height, const char* kind, const char* description, const std::string& content) {
    std::ostringstream out;
    out << "<svg class=\"" << kind << "\" viewBox=\"0 0 " << width << ' ' << height << "\" role=\"img\" aria-label=\""
        << description << "\">" << content << "</svg>\n";
    return out.str();
}

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
    return "<line class=\"" + std::string(kind) + "\" x1=\"" + number(x1, 1) + "\" y1=\"" + number(y1, 1) + "\" x2=\"" +
           number(x2, 1) + "\" y2=\"" + number(y2, 1) + "\"/>";
}

std::string label(double x, double y, const char* anchor, const std::string& text) {
    return "<text x=\"" + number(x, 1) + "\" y=\"" + number(y, 1) + "\" text-anchor=\"" + anchor + "\">" +
           escaped(text) + "</text>";
}

struct Point {
    double x, y;
};

std::string polyline(const std::vector<Point>& points, const char* kind) {
    std::string out = "<polyline class=\"" + std::string(kind) + "\" points=\"";
    for (const Point& point : points) out += number(point.x, 1) + ',' + number(point.y, 1) + ' ';
    return out + "\"/>";
}

/// Enough decimals for two significant digits of a number above 0.
int decimals_of(double value) {
    return std::clamp(1 - static_cast<int>(std::floor(std::log10(std::max(std::abs(value), 1e-12)))), 0, 8);
}

/// A curve looks the same with more points, and the page stays small.
constexpr std::size_t most_points = 500;

/// The mean over up to `reach` values on each side.
std::vector<double> running_mean(std::span<const double> values, std::size_t reach) {
    std::vector<double> sums{0};
    for (const double value : values) sums.push_back(sums.back() + value);
    std::vector<double> means;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t begin = i - std::min(i, reach);
        const std::size_t end = std::min(i + reach + 1, values.size());
        means.push_back((sums[end] - sums[begin]) / static_cast<double>(end - begin));
    }
    return means;
}

/// Counts of scores in equal steps.
struct Histogram {
    std::vector<std::size_t> good, bad;
    std::size_t most = 1;

    Histogram(std::span<const double> good_scores, std::span<const double> bad_scores, const Axis& axis,
              std::size_t steps)
        : good(steps), bad(steps) {
        const auto count = [&](std::span<const double> scores, std::vector<std::size_t>& counts) {
            for (const double score : scores) {
                if (!std::isfinite(score)) continue;
                const double part = (score - axis.low) / (axis.high - axis.low);
                const auto step = static_cast<std::size_t>(part * static_cast<double>(steps));
                most = std::max(most, ++counts[std::min(step, steps - 1)]);
            }
        };
        count(good_scores, good);
        count(bad_scores, bad);
    }
};

std::string bar(double x, double y, double width, double height, const char* kind, const std::string& title) {
    return "<rect class=\"" + std::string(kind) + "\" x=\"" + number(x, 1) + "\" y=\"" + number(y, 1) + "\" width=\"" +
           number(width, 1) + "\" height=\"" + number(height, 1) + "\"><title>" + escaped(title) + "</title></rect>";
}

}  // namespace

std::string value_curve(std::span<const double> iterations, std::span<const double> values, const char* what,
                        bool has_mean) {
    std::vector<double> at, finite;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) continue;
        at.push_back(iterations[i]);
        finite.push_back(values[i]);
    }
    if (finite.size() < 2) return {};

    const auto [least, most] = std::ranges::minmax(finite);
    const bool is_log = least > 0 && most > 4 * least;
    std::vector<double> heights;
    for (const double value : finite) heights.push_back(is_log ? std::log10(value) : value);

    constexpr int width = 720;
    constexpr int height = 240;
    const Axis across{0, std::max(at.back(), 1.0), 76, width - 12};
    const Axis up = axis_of(heights, height - 30, 14);

    const std::vector<double> means = running_mean(heights, has_mean ? finite.size() / 50 : 0);
    const std::size_t stride = std::max<std::size_t>(1, finite.size() / most_points);
    std::vector<Point> faint, curve;
    for (std::size_t i = 0; i < finite.size(); i += stride) {
        faint.push_back({across(at[i]), up(heights[i])});
        curve.push_back({across(at[i]), up(means[i])});
    }

    std::string content;
    constexpr int ticks = 4;
    for (int i = 0; i <= ticks; ++i) {
        const double part = static_cast<double>(i) / ticks;
        const double level = up.low + part * (up.high - up.low);
        const double value = is_log ? std::pow(10, level) : level;
        content += line(across.begin, up(level), across.end, up(level), "grid");
        content += label(across.begin - 8, up(level) + 4, "end", value == 0 ? "0" : number(value, decimals_of(value)));
        const double iteration = std::round(part * across.high);
        content += label(across(iteration), height - 8, i == ticks ? "end" : "middle", number(iteration, 0));
    }
    if (has_mean) content += polyline(faint, "faint");
    content += polyline(curve, "curve");
    return svg(width, height, "run", what, content);
}

std::string score_histogram(std::span<const double> good, std::span<const double> bad, double threshold) {
    std::vector<double> all(good.begin(), good.end());
    all.insert(all.end(), bad.begin(), bad.end());
    all.push_back(threshold);
    constexpr int width = 720;
    constexpr double middle = 108, reach = 78;  // of the longest bar
    constexpr int height = 244;
    constexpr std::size_t steps = 48;
    Axis across = axis_of(all, 12, width - 12);
    const double margin = (across.high - across.low) / 60;  // no bar is cut by the picture's edge
    across.low -= margin;
    across.high += margin;
    const Histogram counts(good, bad, across, steps);

    const double range = across.high - across.low, step = range / steps;
    const double bar_width = (across.end - across.begin) / steps - 1.5;
    const int decimals = decimals_of(range) + 1;
    std::string content;
    for (std::size_t i = 0; i < steps; ++i) {
        const double low = across.low + static_cast<double>(i) * step;
        const std::string place = ", score " + number(low, decimals) + " to " + number(low + step, decimals);
        const auto length = [&](std::size_t count) {
            return std::max(3.0, reach * static_cast<double>(count) / static_cast<double>(counts.most));
        };
        if (counts.good[i] > 0) {
            const double high = length(counts.good[i]);
            content += bar(across(low), middle - 1 - high, bar_width, high, "good",
                           std::to_string(counts.good[i]) + " good" + place);
        }
        if (counts.bad[i] > 0)
            content += bar(across(low), middle + 1, bar_width, length(counts.bad[i]), "bad",
                           std::to_string(counts.bad[i]) + " bad" + place);
    }
    content += line(across.begin, middle, across.end, middle, "axis");
    content += label(across.begin, height - 8, "start", number(across.low, decimals));
    content += label(across.end, height - 8, "end", "score " + number(across.high, decimals));
    // The words stand on the side that the threshold leaves free.
    const bool is_right = std::isfinite(threshold) && across(threshold) > width / 2.0;
    const double words_at = is_right ? across.begin : across.end;
    const char* anchor = is_right ? "start" : "end";
    const auto words = [&](double y, const char* kind, const std::vector<std::size_t>& in_bars) {
        content += label(words_at, y, anchor, kind + std::to_string(std::ranges::max(in_bars)) + " in a bar");
    };
    words(18, "good parts, at most ", counts.good);
    if (!bad.empty()) words(206, "bad parts, at most ", counts.bad);
    if (std::isfinite(threshold)) {
        const double x = across(threshold);
        content += line(x, 6, x, height - 26, "threshold");
        content +=
            label(x + (is_right ? -7 : 7), 18, is_right ? "end" : "start", "threshold " + number(threshold, decimals));
    }
    return svg(width, height, "scores", "How many good and bad parts have which score", content);
}

std::string curve_chart(const char* title, const char* x_label, const char* y_label, double x_limit,
                        const std::vector<CurveLine>& lines) {
    if (std::ranges::all_of(lines, [](const CurveLine& each) { return each.points.empty(); })) return {};
    constexpr int width = 320;
    constexpr int height = 300;
    const Axis across{0, x_limit, 46, width - 16}, up{0, 1, height - 46, 30};
    std::string content = label(across.begin, 16, "start", title);
    constexpr int ticks = 4;
    for (int i = 0; i <= ticks; ++i) {
        const double part = static_cast<double>(i) / ticks;
        const double x = across(part * x_limit), y = up(part);
        content += line(across.begin, y, across.end, y, "grid") + line(x, up.begin, x, up.end, "grid");
        content += label(across.begin - 6, y + 4, "end", number(100 * part, 0));
        content += label(x, up.begin + 17, "middle", number(100 * part * x_limit, x_limit < 1 && i % 2 != 0 ? 1 : 0));
    }
    content += label((across.begin + across.end) / 2, height - 8, "middle", x_label);
    content += "<text class=\"up\" text-anchor=\"middle\" transform=\"translate(13 " +
               number((up.begin + up.end) / 2, 1) + ") rotate(-90)\">" + escaped(y_label) + "</text>";
    for (const CurveLine& each : lines) {
        std::vector<Point> points;
        for (const anomaly::CurvePoint& point : each.points) points.push_back({across(point.x), up(point.y)});
        if (!points.empty()) content += polyline(points, each.kind);
    }
    return svg(width, height, "curves", title, content);
}

}  // namespace dinomaly::page
