// SPDX-License-Identifier: Apache-2.0
// Bilinear resize, byte for byte that of Pillow 13: a triangle filter that widens with the reduction (antialiased).
//
// Output pixel i of m looks at the n input pixels around c = (i + 1/2) n/m: w(j) = 1 - |j + 1/2 - c| / s where that is
// positive, s = max(n/m, 1). The weights are divided by their sum in double, then rounded to 22-bit fixed point. Rows
// and columns are done one after the other with an 8-bit picture between them, so their order shows in the result; a
// side that keeps its size is not touched. Of a result that is cropped only the crop is computed.
//
// Both passes work on 32-bit lanes that hold four bytes of a picture each, and take one byte after the other out of
// them: across a column's rows the lanes lie along the row; along a row they are the same place of several rows.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dinomaly/core/native.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// A rectangle of a picture, in pixels.
struct Window {
    int left = 0;
    int top = 0;
    int width = 0;
    int height = 0;
};

namespace detail {

static_assert(std::endian::native == std::endian::little, "a lane's first byte is its lowest");

/// Four bytes of a picture a lane.
using Words = native::Words;
inline constexpr std::size_t word_lanes = sizeof(Words) / sizeof(std::int32_t);

inline constexpr int weight_bits = 22;

/// The k-th byte of each lane.
inline Words byte_of(Words words, int k) {
    return (words >> (8 * k)) & 255;
}

/// Fixed-point sums, begun at a half, as pixels; the rounded weights of a wide filter may add up to a little more than
/// one.
inline Words sums_of_half() {
    return Words{} + (std::int32_t{1} << (weight_bits - 1));
}
inline Words to_pixels(Words sums) {
    const Words pixels = sums >> weight_bits, white = Words{} + 255;
    return pixels > white ? white : pixels;
}

/// Pixels somewhere in a picture.
struct PixelView {
    const std::uint8_t* first;
    std::size_t stride;  ///< bytes from row to row
    int width;
    int height;
    int channels;

    explicit PixelView(const Image& image)
        : first(image.pixels.data()),
          stride(image.stride()),
          width(image.width),
          height(image.height),
          channels(image.channels) {}
    PixelView(const Image& image, const Window& part) : PixelView(image) {
        first = image.row(part.top) + static_cast<std::size_t>(part.left) * static_cast<std::size_t>(channels);
        width = part.width;
        height = part.height;
    }

    const std::uint8_t* row(int y) const { return first + static_cast<std::size_t>(y) * stride; }
    std::size_t row_bytes() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels); }
};

/// How one side goes from `from` to `to` pixels, for the outputs begin .. begin + count - 1 of the `to`: output i is
/// the sum of weights[at + j] * input[first + spans[i].first + j], j < spans[i].count.
struct ResizeAxis {
    struct Span {
        int first;
        int count;
        std::size_t at;
    };
    std::vector<Span> spans;
    std::vector<std::int32_t> weights;
    int first = 0;   ///< the first input that is used
    int inputs = 0;  ///< how many are used from there on
    bool untouched;  ///< the side keeps its size

    ResizeAxis(int from, int to, int begin, int count) : untouched(from == to) {
        const double scale = static_cast<double>(from) / to;
        const double support = std::max(scale, 1.0);
        const double slope = 1.0 / support;
        std::vector<double> triangle;
        for (int i = begin; i < begin + count; ++i) {
            const double center = (i + 0.5) * scale;
            const int low = std::max(static_cast<int>(center - support + 0.5), 0);
            const int high = std::min(static_cast<int>(center + support + 0.5), from);
            if (i == begin) first = low;
            inputs = high - first;
            triangle.clear();
            double sum = 0;
            for (int j = low; j < high; ++j) {
                triangle.push_back(std::max(0.0, 1.0 - std::abs((j - center + 0.5) * slope)));
                sum += triangle.back();
            }
            spans.push_back({low - first, high - low, weights.size()});
            for (double weight : triangle)
                weights.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << weight_bits)));
        }
        if (untouched) inputs = count;
    }
};

/// Several rows as lanes: word i of the block holds bytes 4i .. 4i + 3 of each row.
class RowBlock {
public:
    explicit RowBlock(std::size_t row_bytes) : row_bytes_(row_bytes), words_((row_bytes + 3) / 4) {}

    Words& operator[](std::size_t word) { return words_[word]; }
    const Words& operator[](std::size_t word) const { return words_[word]; }

    /// Takes rows y .. y + word_lanes - 1; past the picture's end its last row is taken again.
    void read(const PixelView& from, int y) {
        std::array<const std::uint8_t*, word_lanes> rows;
        for (std::size_t r = 0; r < word_lanes; ++r)
            rows[r] = from.row(std::min(y + static_cast<int>(r), from.height - 1));
        const std::size_t whole = row_bytes_ / 4;
        auto* to = reinterpret_cast<std::uint8_t*>(words_.data());
        for (std::size_t i = 0; i < whole; ++i)
            for (std::size_t r = 0; r < word_lanes; ++r, to += 4) std::memcpy(to, rows[r] + 4 * i, 4);
        if (whole == words_.size()) return;
        for (std::size_t r = 0; r < word_lanes; ++r, to += 4) std::memcpy(to, rows[r] + 4 * whole, row_bytes_ % 4);
    }

    /// Writes the first `rows` rows to row y of the picture and those below.
    void write(Image& to, int y, std::size_t rows) const {
        const auto* from = reinterpret_cast<const std::uint8_t*>(words_.data());
        for (std::size_t r = 0; r < rows; ++r) {
            std::uint8_t* row = to.row(y + static_cast<int>(r));
            const std::size_t whole = row_bytes_ / 4;
            for (std::size_t i = 0; i < whole; ++i) std::memcpy(row + 4 * i, from + 4 * (i * word_lanes + r), 4);
            if (whole < words_.size())
                std::memcpy(row + 4 * whole, from + 4 * (whole * word_lanes + r), row_bytes_ % 4);
        }
    }

private:
    std::size_t row_bytes_;
    std::vector<Words> words_;
};

/// Resizes a block of rows along x.
template <int Channels> void resize_block(const RowBlock& from, const ResizeAxis& columns, RowBlock& to) {
    Words four{};
    std::size_t byte = 0;  // of the output row
    for (const ResizeAxis::Span& span : columns.spans) {
        const std::int32_t* weight = columns.weights.data() + span.at;
        for (int c = 0; c < Channels; ++c, ++byte) {
            Words sums = sums_of_half();
            auto at = static_cast<std::size_t>(span.first) * Channels + static_cast<std::size_t>(c);
            for (int j = 0; j < span.count; ++j, at += Channels)
                sums += byte_of(from[at / 4], static_cast<int>(at % 4)) * weight[j];
            four |= to_pixels(sums) << static_cast<int>(8 * (byte % 4));
            to[byte / 4] = four;
            if (byte % 4 == 3) four = Words{};
        }
    }
}

inline Image resize_width(const PixelView& from, const ResizeAxis& columns) {
    Image out = make_image(static_cast<int>(columns.spans.size()), from.height, from.channels);
    RowBlock wide(from.row_bytes()), narrow(out.stride());
    constexpr int rows = word_lanes;
    for (int y = 0; y < from.height; y += rows) {
        wide.read(from, y);
        (from.channels == 3 ? resize_block<3> : resize_block<1>)(wide, columns, narrow);
        narrow.write(out, y, static_cast<std::size_t>(std::min(rows, from.height - y)));
    }
    return out;
}

/// Up to sizeof(Words) bytes of a row, from its byte x on, summed over the rows of one span.
inline Words resize_bytes(const PixelView& from, const ResizeAxis& rows, const ResizeAxis::Span& span, std::size_t x,
                          std::size_t bytes) {
    std::array<Words, 4> sums;
    sums.fill(sums_of_half());
    for (int j = 0; j < span.count; ++j) {
        const std::uint8_t* row = from.row(span.first + j) + x;
        Words words{};
        if (bytes == sizeof words)
            std::memcpy(&words, row, sizeof words);
        else
            std::memcpy(&words, row, bytes);
        const std::int32_t weight = rows.weights[span.at + static_cast<std::size_t>(j)];
        for (int k = 0; k < 4; ++k) sums[static_cast<std::size_t>(k)] += byte_of(words, k) * weight;
    }
    return to_pixels(sums[0]) | to_pixels(sums[1]) << 8 | to_pixels(sums[2]) << 16 | to_pixels(sums[3]) << 24;
}

inline Image resize_height(const PixelView& from, const ResizeAxis& rows) {
    Image out = make_image(from.width, static_cast<int>(rows.spans.size()), from.channels);
    for (int y = 0; y < out.height; ++y)
        for (std::size_t x = 0; x < out.stride(); x += sizeof(Words)) {
            const std::size_t bytes = std::min(sizeof(Words), out.stride() - x);
            const Words words = resize_bytes(from, rows, rows.spans[static_cast<std::size_t>(y)], x, bytes);
            std::memcpy(out.row(y) + x, &words, bytes);
        }
    return out;
}

inline Image copy(const PixelView& from) {
    Image out = make_image(from.width, from.height, from.channels);
    for (int y = 0; y < out.height; ++y) std::copy_n(from.row(y), out.stride(), out.row(y));
    return out;
}

}  // namespace detail

/// A part of the picture at another size, both sides at least 1; the ratio of the sides is not kept. Throws unless the
/// part lies in width x height.
inline Image resize(const Image& image, int width, int height, const Window& part) {
    check_image("resize", image);
    check_size("resize", width, height);
    check(part.left >= 0 && part.top >= 0 && part.width > 0 && part.height > 0 && part.width <= width - part.left &&
              part.height <= height - part.top,
          "resize", "a part of ", part.width, "x", part.height, " at ", part.left, ",", part.top, " of ", width, "x",
          height);
    const detail::ResizeAxis columns(image.width, width, part.left, part.width);
    const detail::ResizeAxis rows(image.height, height, part.top, part.height);
    const detail::PixelView from(image, {columns.first, rows.first, columns.inputs, rows.inputs});
    if (columns.untouched && rows.untouched) return detail::copy(from);
    if (columns.untouched) return detail::resize_height(from, rows);
    if (rows.untouched) return detail::resize_width(from, columns);
    // Pillow 13 does columns first where they shrink by more than twice as many pixels as the rows do.
    const std::int64_t saved_rows = image.height - height;
    const std::int64_t saved_columns = image.width - width;
    if (saved_rows > 0 && saved_rows > 2 * saved_columns)
        return detail::resize_width(detail::PixelView(detail::resize_height(from, rows)), columns);
    return detail::resize_height(detail::PixelView(detail::resize_width(from, columns)), rows);
}

/// The picture at another size, both at least 1; the ratio of the sides is not kept.
inline Image resize(const Image& image, int width, int height) {
    return resize(image, width, height, {0, 0, width, height});
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
