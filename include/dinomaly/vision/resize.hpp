// SPDX-License-Identifier: Apache-2.0
// Bilinear resize, byte for byte that of Pillow 13: a triangle filter that widens with the reduction (antialiased).
//
// Output pixel i of m looks at the n input pixels around c = (i + 1/2) n/m: w(j) = 1 - |j + 1/2 - c| / s where that is
// positive, s = max(n/m, 1). The weights are divided by their sum in double, then rounded to 22-bit fixed point. Rows
// and columns are done one after the other with an 8-bit picture between them, so their order shows in the result; a
// side that keeps its size is not touched.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::inline DINOMALY_ABI::vision {

namespace detail {

inline constexpr int weight_bits = 22;
inline constexpr std::int32_t weight_half = 1 << (weight_bits - 1);

/// The fixed-point sum as a pixel; the rounded weights of a wide filter may add up to a little more than one.
inline std::uint8_t to_pixel(std::int32_t sum) {
    return static_cast<std::uint8_t>(std::min(sum >> weight_bits, 255));
}

/// The weights of one axis: output i is the sum of weights[begin + j] * input[first + j], j < count.
struct ResizeWeights {
    struct Span {
        int first;
        int count;
        std::size_t begin;
    };
    std::vector<Span> spans;
    std::vector<std::int32_t> weights;

    ResizeWeights(int from, int to) {
        const double scale = static_cast<double>(from) / to;
        const double support = std::max(scale, 1.0);
        const double slope = 1.0 / support;
        std::vector<double> triangle;
        for (int i = 0; i < to; ++i) {
            const double center = (i + 0.5) * scale;
            const int first = std::max(static_cast<int>(center - support + 0.5), 0);
            const int count = std::min(static_cast<int>(center + support + 0.5), from) - first;
            triangle.clear();
            double sum = 0;
            for (int j = 0; j < count; ++j) {
                triangle.push_back(std::max(0.0, 1.0 - std::abs((j + first - center + 0.5) * slope)));
                sum += triangle.back();
            }
            spans.push_back({first, count, weights.size()});
            for (double weight : triangle)
                weights.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << weight_bits)));
        }
    }
};

/// One row of the picture, [width, Channels], resized along x.
template <int Channels> void resize_row(const std::uint8_t* from, const ResizeWeights& plan, std::uint8_t* to) {
    for (const ResizeWeights::Span& span : plan.spans) {
        std::int32_t sums[Channels];
        std::fill_n(sums, Channels, weight_half);
        const std::uint8_t* pixel = from + static_cast<std::ptrdiff_t>(span.first) * Channels;
        const std::int32_t* weight = plan.weights.data() + span.begin;
        for (int j = 0; j < span.count; ++j, pixel += Channels)
            for (int c = 0; c < Channels; ++c) sums[c] += pixel[c] * weight[j];
        for (int c = 0; c < Channels; ++c) *to++ = to_pixel(sums[c]);
    }
}

inline Image resize_width(const Image& image, int width) {
    Image out = make_image(width, image.height, image.channels);
    const ResizeWeights plan(image.width, width);
    const auto one_row = image.channels == 3 ? resize_row<3> : resize_row<1>;
    for (int y = 0; y < image.height; ++y) one_row(image.row(y), plan, out.row(y));
    return out;
}

inline Image resize_height(const Image& image, int height) {
    Image out = make_image(image.width, height, image.channels);
    const ResizeWeights plan(image.height, height);
    const std::size_t stride = image.stride();
    std::vector<std::int32_t> sums(stride);
    for (int y = 0; y < height; ++y) {
        const ResizeWeights::Span& span = plan.spans[static_cast<std::size_t>(y)];
        std::ranges::fill(sums, weight_half);
        for (int j = 0; j < span.count; ++j) {
            const std::int32_t weight = plan.weights[span.begin + static_cast<std::size_t>(j)];
            const std::uint8_t* row = image.row(span.first + j);
            for (std::size_t x = 0; x < stride; ++x) sums[x] += row[x] * weight;
        }
        std::ranges::transform(sums, out.row(y), to_pixel);
    }
    return out;
}

}  // namespace detail

/// The picture at another size, both at least 1; the ratio of the sides is not kept.
inline Image resize(Image image, int width, int height) {
    check_image("resize", image);
    check_size("resize", width, height);
    // Pillow 13 does columns first where they shrink by more than twice as many pixels as the rows do.
    const std::int64_t saved_rows = image.height - height;
    const std::int64_t saved_columns = image.width - width;
    const bool height_first = saved_rows > 0 && saved_rows > 2 * saved_columns;
    if (height_first) image = detail::resize_height(image, height);
    if (image.width != width) image = detail::resize_width(image, width);
    if (image.height != height) image = detail::resize_height(image, height);
    return image;
}

}  // namespace dinomaly::inline DINOMALY_ABI::vision
