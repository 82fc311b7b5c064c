// SPDX-License-Identifier: Apache-2.0
// Raw maps in files: the values of a picture's pixels, for other programs. A file appears whole or not at all.
//
//   .npy   float32 [height, width], NaN outside the crop: numpy.load
//   .tiff  float32, one sample a pixel, NaN outside the crop, uncompressed: tifffile, OpenCV, ImageJ, HALCON, ...
//   .png   16 bit grey, 0 .. 65535 for 0 .. 2 (the range of a cosine distance), rounded; outside the crop 0. The scale
//          and the covered rectangle are in its tEXt chunks "Scale" and "Covered"
#pragma once

#include <png.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/guarded_call.hpp"
#include "dinomaly/vision/picture_map.hpp"
#include "dinomaly/vision/png.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Kinds of files for maps.
enum class MapFormat { png, tiff, npy };

/// The ending of such a file's name: ".png".
inline const char* extension(MapFormat format) {
    return format == MapFormat::png ? ".png" : format == MapFormat::tiff ? ".tiff" : ".npy";
}

/// The value that 65535 stands for in a PNG.
inline constexpr double png_map_limit = 2;

namespace detail {

static_assert(std::endian::native == std::endian::little, "rows of floats are written as they are in memory");

inline void write_npy(io::OutputFile& out, const PictureMap& map) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(map.height()) + ", " +
                         std::to_string(map.width()) + "), }";
    constexpr std::size_t before = 10;  // magic, version and length
    header.append(63 - (before + header.size()) % 64, ' ');
    header += '\n';
    std::string start("\x93NUMPY\x01\x00", 8);
    start += static_cast<char>(header.size() & 255);
    start += static_cast<char>(header.size() >> 8);
    out.write(start + header);
    std::vector<float> row(static_cast<std::size_t>(map.width()));
    for (int y = 0; y < map.height(); ++y) {
        map.read_row(y, row);
        out.write(std::as_bytes(std::span(row)));
    }
}

/// A file in memory as libtiff writes it, for it goes back to fill in what it left open.
struct TiffMemory {
    std::vector<std::byte> file;
    std::size_t place = 0;

    static TiffMemory& of(thandle_t handle) { return *static_cast<TiffMemory*>(handle); }

    static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
        TiffMemory& self = of(handle);
        const std::size_t there = self.file.size() - std::min(self.place, self.file.size());
        const std::size_t read = std::min(there, static_cast<std::size_t>(count));
        if (read > 0) std::memcpy(to, self.file.data() + self.place, read);
        self.place += read;
        return static_cast<tmsize_t>(read);
    }
    /// -1 when memory runs out, because no exception may pass through libtiff.
    static tmsize_t write(thandle_t handle, void* from, tmsize_t count) noexcept {
        TiffMemory& self = of(handle);
        const std::size_t end = self.place + static_cast<std::size_t>(count);
        try {
            if (end > self.file.size()) self.file.resize(end);
        } catch (...) {
            return -1;
        }
        std::memcpy(self.file.data() + self.place, from, static_cast<std::size_t>(count));
        self.place = end;
        return count;
    }
    static toff_t seek(thandle_t handle, toff_t offset, int from) {
        TiffMemory& self = of(handle);
        const toff_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? self.place : self.file.size();
        return self.place = base + offset;
    }
    static toff_t size(thandle_t handle) { return of(handle).file.size(); }
    static int close(thandle_t) { return 0; }
};

inline std::vector<std::byte> encode_tiff(const PictureMap& map) {
    TiffMemory memory;
    const std::size_t values = static_cast<std::size_t>(map.width()) * static_cast<std::size_t>(map.height());
    memory.file.reserve(values * sizeof(float) + 65536);
    const std::unique_ptr<TIFF, decltype(&TIFFClose)> tiff(
        TIFFClientOpen("map.tiff", "wl", &memory, TiffMemory::read, TiffMemory::write, TiffMemory::seek,
                       TiffMemory::close, TiffMemory::size, nullptr, nullptr),
        TIFFClose);
    check(tiff != nullptr, "encode_tiff", "libtiff could not start");
    TIFFSetField(tiff.get(), TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(map.width()));
    TIFFSetField(tiff.get(), TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(map.height()));
    TIFFSetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, 32);
    TIFFSetField(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff.get(), TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_IEEEFP);
    TIFFSetField(tiff.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff.get(), TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    TIFFSetField(tiff.get(), TIFFTAG_ROWSPERSTRIP, TIFFDefaultStripSize(tiff.get(), 0));
    TIFFSetField(tiff.get(), TIFFTAG_IMAGEDESCRIPTION, "anomaly map: cosine distances, 0 .. 2; NaN: not judged");
    std::vector<float> row(static_cast<std::size_t>(map.width()));
    bool written = true;
    for (int y = 0; y < map.height() && written; ++y) {
        map.read_row(y, row);
        written = TIFFWriteScanline(tiff.get(), row.data(), static_cast<std::uint32_t>(y), 0) == 1;
    }
    check(written && TIFFFlush(tiff.get()) == 1, "encode_tiff", "libtiff could not write the map (out of memory?)");
    return std::move(memory.file);
}

/// Encodes a map in 16 bits.
struct PngMapWriter : PngSink {
    const PictureMap& map;
    std::vector<float> values;
    std::vector<std::uint8_t> row;  ///< two bytes a pixel, the high one first
    std::string scale, covered;     ///< texts; libpng wants memory that it could change

    explicit PngMapWriter(const PictureMap& picture_map)
        : map(picture_map),
          values(static_cast<std::size_t>(map.width())),
          row(2 * values.size()),
          scale("value = pixel * 2 / 65535") {
        const Window& c = map.covered();
        std::ostringstream text;
        text << "left " << c.left << ", top " << c.top << ", width " << c.width << ", height " << c.height;
        covered = text.str();
    }

    void encode_row(int y) {
        map.read_row(y, values);
        for (std::size_t x = 0; x < values.size(); ++x) {
            const double value = std::isnan(values[x]) ? 0.0 : static_cast<double>(values[x]);
            const auto level = static_cast<unsigned>(std::lround(std::clamp(value / png_map_limit, 0.0, 1.0) * 65535));
            row[2 * x] = static_cast<std::uint8_t>(level >> 8);
            row[2 * x + 1] = static_cast<std::uint8_t>(level & 255);
        }
    }

    static void write(PngMapWriter& self) {
        self.describe(self.map.width(), self.map.height(), 16, PNG_COLOR_TYPE_GRAY);
        self.add_text("Scale", self.scale);
        self.add_text("Covered", self.covered);
        png_write_info(self.png, self.info);
        for (int y = 0; y < self.map.height(); ++y) {
            self.encode_row(y);
            png_write_row(self.png, self.row.data());
        }
        png_write_end(self.png, self.info);
    }

private:
    void add_text(const char* key, std::string& value) {
        std::array<char, 16> name{};
        std::snprintf(name.data(), name.size(), "%s", key);
        png_text text{};
        text.compression = PNG_TEXT_COMPRESSION_NONE;
        text.key = name.data();
        text.text = value.data();
        png_set_text(png, info, &text, 1);
    }
};

inline std::vector<std::byte> encode_map_png(const PictureMap& map) {
    PngMapWriter writer(map);
    check(writer.info != nullptr, "encode_map_png", "libpng could not start (out of memory)");
    if (!guarded_call(writer, PngMapWriter::write)) fail("encode_map_png", writer.message.data());
    return std::move(writer.file);
}

}  // namespace detail

/// Writes the map's values at the picture's pixels, [height, width]. An npy file is written row by row; the others are
/// put together in memory first. Throws Error when the file cannot be written.
inline void write_map(const std::filesystem::path& path, const PictureMap& map, MapFormat format) {
    if (format == MapFormat::npy) {
        io::write_atomically(path, [&](io::OutputFile& out) { detail::write_npy(out, map); });
        return;
    }
    const std::vector<std::byte> file =
        format == MapFormat::tiff ? detail::encode_tiff(map) : detail::encode_map_png(map);
    io::write_atomically(path, [&](io::OutputFile& out) { out.write(file); });
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
