// SPDX-License-Identifier: Apache-2.0
#include "charts.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <sstream>
#include <vector>

#include "html.hpp"

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
constexpr std::size_t most_points = 700;

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

}  // namespace

std::string loss_curve(std::span<const double> losses) {
    std::vector<double> finite;
    for (const double loss : losses)
        if (std::isfinite(loss)) finite.push_back(loss);
    if (finite.size() < 2) return {};

    const bool is_log = std::ranges::min(finite) > 0;
    const auto shown = [is_log](double loss) { return is_log ? std::log10(loss) : loss; };
    std::vector<double> heights;
    for (const double loss : finite) heights.push_back(shown(loss));

    constexpr int width = 720;
    constexpr int height = 240;
    const Axis across{0, static_cast<double>(finite.size()), 70, width - 12};
    const Axis up = axis_of(heights, height - 30, 14);

    const std::vector<double> means = running_mean(heights, finite.size() / 50 + 1);
    const std::size_t stride = std::max<std::size_t>(1, finite.size() / most_points);
    std::vector<Point> faint;
    std::vector<Point> curve;
    for (std::size_t i = 0; i < finite.size(); i += stride) {
        const double x = across(static_cast<double>(i + 1));
        faint.push_back({x, up(heights[i])});
        curve.push_back({x, up(means[i])});
    }

    std::string content;
    constexpr int ticks = 4;
    for (int i = 0; i <= ticks; ++i) {
        const double part = static_cast<double>(i) / ticks;
        const double level = up.low + part * (up.high - up.low);
        const double loss = is_log ? std::pow(10, level) : level;
        content += line(across.begin, up(level), across.end, up(level), "grid");
        content += label(across.begin - 8, up(level) + 4, "end", number(loss, decimals_of(loss)));
        const double iteration = std::round(part * across.high);
        content += label(across(iteration), height - 8, i == ticks ? "end" : "middle", number(iteration, 0));
    }
    content += polyline(faint, "faint") + polyline(curve, "curve");
    return svg(width, height, "loss", "Loss over the iterations", content);
}

std::string score_line(std::span<const double> good, std::span<const double> bad, double threshold) {
    std::vector<double> all(good.begin(), good.end());
    all.insert(all.end(), bad.begin(), bad.end());
    all.push_back(threshold);
    constexpr int width = 720;
    constexpr int height = 74;
    constexpr double middle = 30;
    const Axis across = axis_of(all, 12, width - 12);

    std::string content = line(across.begin, middle, across.end, middle, "grid");
    const auto dots = [&](std::span<const double> scores, double y, const char* kind) {
        for (const double score : scores)
            if (std::isfinite(score))
                content += "<circle class=\"" + std::string(kind) + "\" cx=\"" + number(across(score), 1) + "\" cy=\"" +
                           number(y, 1) + "\" r=\"5\"/>";
    };
    dots(good, middle - 11, "good");
    dots(bad, middle + 11, "bad");
    const double range = across.high - across.low;
    content += label(across.begin, height - 6, "start", number(across.low, decimals_of(range) + 1));
    content += label(across.end, height - 6, "end", number(across.high, decimals_of(range) + 1));
    if (std::isfinite(threshold)) {
        const double x = across(threshold);
        content += line(x, 4, x, 56, "threshold");
        content += label(std::clamp(x, 150.0, width - 150.0), height - 6, "middle",
                         "threshold " + number(threshold, decimals_of(range) + 1));
    }
    return svg(width, height, "scores", "Scores of the test pictures", content);
}

}  // namespace dinomaly::page
