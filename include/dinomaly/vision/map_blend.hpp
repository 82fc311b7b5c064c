// SPDX-License-Identifier: Apache-2.0
// MapBlend: the maps of a picture's windows as one map over the whole picture.
//
// Along what a window sees the map has as many values as the window's own (fewer where the whole would hold more than
// max_values). A value is the mean of the windows that see its place, each read bilinearly between its values' middles
// and weighted by sin^2(pi u) along either axis, u from 0 to 1 along what the window sees: no window's border shows.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/vision/tiling.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// How the values of one axis of a blended map are read from the windows.
class BlendAxis {
public:
    /// A value of a window's map: two neighbours, the share of the second, and the weight of this window among all.
    struct Read {
        std::size_t first, second;
        float part, weight;
    };
    /// The values `begin` .. of the whole map that one window is seen at.
    struct Stretch {
        std::size_t begin = 0;
        std::vector<Read> reads;
    };

    /// For a map of `length` values over the axis and windows' maps of `window_length`.
    BlendAxis(const TileAxis& axis, std::size_t length, int window_length) : stretches_(axis.first.size()) {
        std::vector<double> totals(length, 0.0);
        const auto place = [&](std::size_t window, std::size_t i) {  // along what the window sees, 0 .. 1
            const double pixel = (static_cast<double>(i) + 0.5) * axis.pixels / static_cast<double>(length);
            return (pixel - axis.first[window] - axis.margin) / axis.seen;
        };
        const auto value_at = [&](double pixel) {  // the value that a pixel belongs to
            const double value = std::floor(pixel / axis.pixels * static_cast<double>(length));
            return static_cast<std::size_t>(std::clamp(value, 0.0, static_cast<double>(length - 1)));
        };
        const auto begin = [&](std::size_t window) { return value_at(axis.first[window] + axis.margin); };
        const auto last = [&](std::size_t window) { return value_at(axis.first[window] + axis.margin + axis.seen); };
        for (std::size_t window = 0; window < stretches_.size(); ++window)
            for (std::size_t i = begin(window); i <= last(window); ++i)
                if (const double u = place(window, i); u >= 0 && u <= 1) totals[i] += weight(u);
        for (std::size_t window = 0; window < stretches_.size(); ++window) {
            Stretch& stretch = stretches_[window];
            for (std::size_t i = begin(window); i <= last(window); ++i) {
                const double u = place(window, i);
                if (u < 0 || u > 1) continue;
                if (stretch.reads.empty()) stretch.begin = i;
                const double at = std::clamp(u * window_length - 0.5, 0.0, window_length - 1.0);
                const auto first = static_cast<std::size_t>(at);
                const std::size_t second = std::min(first + 1, static_cast<std::size_t>(window_length) - 1);
                stretch.reads.push_back({first, second, static_cast<float>(at - static_cast<double>(first)),
                                         static_cast<float>(weight(u) / totals[i])});
            }
        }
    }

    const Stretch& operator[](std::size_t window) const { return stretches_[window]; }

private:
    /// Above 0 at the ends too, where a window may be the only one.
    static double weight(double u) {
        const double s = std::sin(std::numbers::pi * u);
        return std::max(s * s, 1e-6);
    }

    std::vector<Stretch> stretches_;
};

/// The matrix of a resize along one axis by a triangle filter that widens with the reduction, row by row.
struct FilterRow {
    std::size_t first;
    std::vector<double> weights;
};
inline std::vector<FilterRow> filter_rows(int from, int to) {
    const double scale = static_cast<double>(from) / to, support = std::max(scale, 1.0);
    std::vector<FilterRow> rows;
    for (int i = 0; i < to; ++i) {
        const double center = (i + 0.5) * scale;
        const int first = std::max(static_cast<int>(center - support + 0.5), 0);
        const int end = std::min(static_cast<int>(center + support + 0.5), from);
        FilterRow& row = rows.emplace_back(FilterRow{static_cast<std::size_t>(first), {}});
        double sum = 0;
        for (int j = first; j < end; ++j) {
            row.weights.push_back(std::max(0.0, 1 - std::abs((j + 0.5 - center) / support)));
            sum += row.weights.back();
        }
        for (double& weight : row.weights) weight /= sum;
    }
    return rows;
}

}  // namespace detail

/// The map of a picture that was cut into windows. Add each window's map once, in any order.
class MapBlend {
public:
    /// The most values of a map.
    static constexpr double max_values = 1 << 24;

    /// For windows whose maps have the sides `window_map`.
    MapBlend(const Tiling& tiling, PictureSize window_map)
        : tiling_(tiling),
          window_map_(window_map),
          size_(map_size(tiling, window_map)),
          columns_(tiling.columns(), static_cast<std::size_t>(size_.width), window_map.width),
          rows_(tiling.rows(), static_cast<std::size_t>(size_.height), window_map.height),
          map_(static_cast<std::size_t>(size_.pixels()), 0.0F) {}

    /// Sides of the whole map.
    PictureSize size() const { return size_; }

    /// Values of the whole map that lie on one window's seen part.
    double values_of_window() const {
        const auto along = [](int length, const TileAxis& axis) { return length * axis.seen / axis.pixels; };
        return along(size_.width, tiling_.columns()) * along(size_.height, tiling_.rows());
    }

    /// Adds the map [height, width] of window i.
    void add(std::size_t i, std::span<const float> map) {
        check(i < tiling_.count() && static_cast<std::int64_t>(map.size()) == window_map_.pixels(), "map blend",
              "window ", i, " of ", tiling_.count(), " with ", map.size(), " values, ", window_map_, " expected");
        const auto& columns = columns_[tiling_.column(i)];
        const auto& rows = rows_[tiling_.row(i)];
        const auto stride = static_cast<std::size_t>(window_map_.width);
        for (std::size_t y = 0; y < rows.reads.size(); ++y) {
            const auto& row = rows.reads[y];
            const float* upper = map.data() + row.first * stride;
            const float* lower = map.data() + row.second * stride;
            float* to = map_.data() + (rows.begin + y) * static_cast<std::size_t>(size_.width) + columns.begin;
            for (const auto& column : columns.reads) {
                const float left = std::lerp(upper[column.first], lower[column.first], row.part);
                const float right = std::lerp(upper[column.second], lower[column.second], row.part);
                *to++ += row.weight * column.weight * std::lerp(left, right, column.part);
            }
        }
    }

    /// The map [size().height, size().width]; it is handed over.
    std::vector<float> take() { return std::move(map_); }

private:
    static PictureSize map_size(const Tiling& tiling, PictureSize window_map) {
        check(window_map.width > 0 && window_map.height > 0, "map blend", "maps of ", window_map);
        const double width = tiling.columns().pixels / tiling.columns().seen * window_map.width;
        const double height = tiling.rows().pixels / tiling.rows().seen * window_map.height;
        const double scale = std::min(1.0, std::sqrt(max_values / (width * height)));
        const auto side = [&](double length) { return std::max(1, static_cast<int>(std::lround(scale * length))); };
        return {side(width), side(height)};
    }

    Tiling tiling_;
    PictureSize window_map_, size_;
    detail::BlendAxis columns_, rows_;
    std::vector<float> map_;
};

/// A map [from.height, from.width] at another size, [to.height, to.width], by the filter that resizes pictures: where
/// it shrinks, a value is the weighted mean of those it stands for.
inline std::vector<float> resize_map(std::span<const float> map, PictureSize from, PictureSize to) {
    check(static_cast<std::int64_t>(map.size()) == from.pixels() && from.width > 0 && to.width > 0 && to.height > 0,
          "resize_map", "a map of ", map.size(), " values from ", from, " to ", to);
    if (from == to) return {map.begin(), map.end()};
    const auto columns = detail::filter_rows(from.width, to.width), rows = detail::filter_rows(from.height, to.height);
    std::vector<double> narrow;  // [from.height, to.width]
    narrow.reserve(static_cast<std::size_t>(from.height) * columns.size());
    for (std::size_t y = 0; y < static_cast<std::size_t>(from.height); ++y)
        for (const detail::FilterRow& column : columns) {
            const float* at = map.data() + y * static_cast<std::size_t>(from.width) + column.first;
            double sum = 0;
            for (const double weight : column.weights) sum += weight * static_cast<double>(*at++);
            narrow.push_back(sum);
        }
    std::vector<float> out;
    out.reserve(static_cast<std::size_t>(to.pixels()));
    for (const detail::FilterRow& row : rows)
        for (std::size_t x = 0; x < columns.size(); ++x) {
            double sum = 0;
            for (std::size_t j = 0; j < row.weights.size(); ++j)
                sum += row.weights[j] * narrow[(row.first + j) * columns.size() + x];
            out.push_back(static_cast<float>(sum));
        }
    return out;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
