// SPDX-License-Identifier: Apache-2.0
// The short way to the pixels of an ordinary PNG: its image data inflated at once by libdeflate, which is twice as fast
// as zlib's piece by piece, and unfiltered with all bytes of a pixel in one vector.
//
// It takes nothing but sound files: whatever is unusual or wrong is left to libpng, which has the last word and the
// words for it. Every check that libpng makes of the image data and of the chunks after it is made here too.
#pragma once

#include <libdeflate.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI::detail {

/// Four bytes at any address, the most significant first.
inline std::uint32_t big_endian(const std::byte* from) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(from[i]);
    return value;
}

/// The joined contents of the IDAT chunks in `chunks`, which begins at the first of them and goes to the file's end.
/// Nothing where a chunk is cut short or its checksum is wrong, where a critical one does not belong or IEND is
/// missing.
inline std::optional<std::vector<std::byte>> image_data(std::span<const std::byte> chunks) {
    constexpr std::uint32_t idat = 0x49444154, iend = 0x49454e44, ancillary = 0x20000000;
    std::vector<std::byte> data;
    data.reserve(chunks.size());
    bool ended = false;
    while (chunks.size() >= 12) {
        const std::size_t length = big_endian(chunks.data());
        if (length > chunks.size() - 12) return std::nullopt;
        const std::uint32_t type = big_endian(chunks.data() + 4);
        const auto contents = chunks.subspan(8, length);
        if (libdeflate_crc32(0, chunks.data() + 4, length + 4) != big_endian(chunks.data() + 8 + length))
            return std::nullopt;
        if (type == iend) return data;
        if (type == idat && !ended)
            data.insert(data.end(), contents.begin(), contents.end());
        else if ((type & ancillary) != 0)
            ended = true;
        else
            return std::nullopt;
        chunks = chunks.subspan(length + 12);
    }
    return std::nullopt;
}

/// Inflates a zlib stream to exactly `size` bytes; null where it holds more, less, or something after its end.
inline std::unique_ptr<std::uint8_t[]> inflate(std::span<const std::byte> stream, std::size_t size) {
    struct Free {
        void operator()(libdeflate_decompressor* decompressor) const { libdeflate_free_decompressor(decompressor); }
    };
    const std::unique_ptr<libdeflate_decompressor, Free> decompressor(libdeflate_alloc_decompressor());
    if (!decompressor) return nullptr;
    auto bytes = std::make_unique_for_overwrite<std::uint8_t[]>(size);
    std::size_t used = 0;
    const libdeflate_result result = libdeflate_zlib_decompress_ex(decompressor.get(), stream.data(), stream.size(),
                                                                   bytes.get(), size, &used, nullptr);
    if (result != LIBDEFLATE_SUCCESS || used != stream.size()) return nullptr;
    return bytes;
}

/// The bytes of one pixel, in lanes wide enough for their sums.
typedef std::int16_t PixelLanes __attribute__((vector_size(8)));

template <int Bytes> PixelLanes load_pixel(const std::uint8_t* from) {
    typedef std::uint8_t EightBytes __attribute__((vector_size(8)));
    std::uint64_t bytes = 0;  // put together in a register: a word written in parts is slow to read
    for (int i = 0; i < Bytes; ++i) bytes |= std::uint64_t{from[i]} << (8 * i);
    return std::bit_cast<PixelLanes>(__builtin_shufflevector(std::bit_cast<EightBytes>(bytes), EightBytes{},  //
                                                             0, 8, 1, 9, 2, 10, 3, 11));
}

template <int Bytes> void store_pixel(std::uint8_t* to, PixelLanes pixel) {
    typedef std::uint8_t FourBytes __attribute__((vector_size(4)));
    const auto bytes = std::bit_cast<std::uint32_t>(__builtin_convertvector(pixel, FourBytes));
    for (int i = 0; i < Bytes; ++i) to[i] = static_cast<std::uint8_t>(bytes >> (8 * i));
}

/// Of the pixels to the left, above and above left the one nearest to left + above - corner.
///
/// With u = corner - low and v = high - corner, that is `low` (the pixel across from the corner) where 2v <= u, `high`
/// where 2u <= v and the corner between; 3 corner - left - above is corner + u - v.
inline PixelLanes paeth(PixelLanes left, PixelLanes above, PixelLanes corner) {
    const PixelLanes low = left < above ? left : above, high = left < above ? above : left;
    const PixelLanes bound = 3 * corner - above - left;
    const PixelLanes unless_high = bound >= high ? low : corner;
    return bound <= low ? high : unless_high;
}

/// Adds to each byte of the row what predict(left, above, corner) says of it.
template <int Bytes, class Predict>
void add_prediction(std::uint8_t* row, const std::uint8_t* above, std::size_t bytes, const Predict& predict) {
    PixelLanes left{}, corner{};
    for (std::size_t i = 0; i < bytes; i += Bytes) {
        const PixelLanes up = load_pixel<Bytes>(above + i);
        left = (load_pixel<Bytes>(row + i) + predict(left, up, corner)) & 255;
        store_pixel<Bytes>(row + i, left);
        corner = up;
    }
}

/// Undoes a row's filter in place; false where there is no such filter.
template <int Bytes>
bool unfilter(std::uint8_t filter, std::uint8_t* row, const std::uint8_t* above, std::size_t bytes) {
    using Lanes = PixelLanes;
    switch (filter) {
        case 0: return true;
        case 1: add_prediction<Bytes>(row, above, bytes, [](Lanes left, Lanes, Lanes) { return left; }); return true;
        case 2:
            for (std::size_t i = 0; i < bytes; ++i) row[i] = static_cast<std::uint8_t>(row[i] + above[i]);
            return true;
        case 3:
            add_prediction<Bytes>(row, above, bytes, [](Lanes left, Lanes up, Lanes) { return (left + up) >> 1; });
            return true;
        case 4: add_prediction<Bytes>(row, above, bytes, paeth); return true;
        default: return false;
    }
}

/// Undoes the filters of all rows, each of which stands behind its filter's number, and hands them to take(row) in
/// their order; false where a filter is unknown.
template <int Bytes, class Take>
bool unfilter_rows(std::uint8_t* rows, std::size_t row_bytes, std::size_t height, const Take& take) {
    const std::vector<std::uint8_t> black(row_bytes);
    const std::uint8_t* above = black.data();
    for (std::size_t y = 0; y < height; ++y, rows += row_bytes + 1) {
        if (!unfilter<Bytes>(rows[0], rows + 1, above, row_bytes)) return false;
        above = rows + 1;
        take(above);
    }
    return true;
}

/// Pixels [height, width] of `Bytes` samples of 8 bits, of which the first `Kept` are kept; nothing where the file is
/// for libpng. `chunks` as for image_data.
template <int Bytes, int Kept>
std::optional<std::vector<std::uint8_t>> ordinary_pixels(std::span<const std::byte> chunks, std::size_t width,
                                                         std::size_t height) {
    const std::size_t row_bytes = width * Bytes;
    const std::optional<std::vector<std::byte>> stream = image_data(chunks);
    if (!stream) return std::nullopt;
    const std::unique_ptr<std::uint8_t[]> rows = inflate(*stream, (row_bytes + 1) * height);
    if (!rows) return std::nullopt;
    std::vector<std::uint8_t> pixels;
    pixels.reserve(width * Kept * height);
    const bool sound = unfilter_rows<Bytes>(rows.get(), row_bytes, height, [&](const std::uint8_t* row) {
        if constexpr (Bytes == Kept) {
            pixels.insert(pixels.end(), row, row + row_bytes);
        } else {
            const std::size_t begin = pixels.size();
            pixels.resize(begin + width * Kept);
            for (std::size_t x = 0; x < width; ++x) std::copy_n(row + x * Bytes, Kept, &pixels[begin + x * Kept]);
        }
    });
    return sound ? std::optional(std::move(pixels)) : std::nullopt;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI::detail
