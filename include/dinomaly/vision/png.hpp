// SPDX-License-Identifier: Apache-2.0
// PNG through libpng: every depth, colour type and interlacing to an 8-bit Image, and back. The ordinary kind, 8 bits a
// sample without palette and interlacing, goes a shorter way once libpng has read the header: see png_rows.hpp.
//
// The values are those of Pillow's convert: alpha and tRNS are dropped, 1, 2 and 4 bit grey is stretched to 0..255, a
// palette is looked up (an index outside it is black), gamma and colour profiles are ignored. 16 bit: the high byte,
// but grey without alpha, which Pillow keeps as 16 bit, is clipped at 255.
#pragma once

#include <png.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "dinomaly/vision/guarded_call.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/png_rows.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

inline void png_raise(png_structp png, png_const_charp text) {
    static_cast<JumpGuard*>(png_get_error_ptr(png))->raise(text);
}
inline void png_ignore(png_structp, png_const_charp) {}

/// What decoding a PNG needs, and what it leaves behind.
struct PngReader : JumpGuard {
    png_structp png = nullptr;
    png_infop info = nullptr;
    std::span<const std::byte> rest;     ///< bytes not yet read
    std::vector<std::uint8_t> raw;       ///< rows as libpng delivers them
    std::array<png_color, 256> palette;  ///< black where the file has no entry
    png_uint_32 width = 0, height = 0;
    std::size_t row_bytes = 0;
    int color = 0, depth = 0, passes = 1;

    PngReader() : palette{} {
        png = png_create_read_struct(PNG_LIBPNG_VER_STRING, static_cast<JumpGuard*>(this), png_raise, png_ignore);
        if (png != nullptr) info = png_create_info_struct(png);
    }
    ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
    PngReader(const PngReader&) = delete;
    PngReader& operator=(const PngReader&) = delete;

    bool wide_grey() const { return color == PNG_COLOR_TYPE_GRAY && depth == 16; }

    static void read_bytes(png_structp png, png_bytep to, std::size_t count) {
        auto& self = *static_cast<PngReader*>(png_get_io_ptr(png));
        if (count > self.rest.size()) self.raise("the file is cut short");
        std::memcpy(to, self.rest.data(), count);
        self.rest = self.rest.subspan(count);
    }

    static void read_header(PngReader& self) {
        png_set_read_fn(self.png, &self, read_bytes);
        png_set_user_limits(self.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
        // Of other chunks only the length is read: texts and profiles may claim two gigabytes.
        png_set_keep_unknown_chunks(self.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
        png_read_info(self.png, self.info);
        self.width = png_get_image_width(self.png, self.info);
        self.height = png_get_image_height(self.png, self.info);
        self.color = png_get_color_type(self.png, self.info);
        self.depth = png_get_bit_depth(self.png, self.info);
        self.row_bytes = png_get_rowbytes(self.png, self.info);
    }

    /// Asks for whole bytes without alpha; libpng makes room for its rows here, so the sizes must have been checked.
    static void prepare_rows(PngReader& self) {
        if (self.color == PNG_COLOR_TYPE_GRAY && self.depth < 8) png_set_expand_gray_1_2_4_to_8(self.png);
        if (self.color == PNG_COLOR_TYPE_PALETTE) png_set_packing(self.png);
        if (self.depth == 16 && !self.wide_grey()) png_set_strip_16(self.png);
        if ((self.color & PNG_COLOR_MASK_ALPHA) != 0) png_set_strip_alpha(self.png);
        self.passes = png_set_interlace_handling(self.png);
        png_read_update_info(self.png, self.info);
        self.row_bytes = png_get_rowbytes(self.png, self.info);
        png_colorp entries = nullptr;
        int count = 0;
        if (png_get_PLTE(self.png, self.info, &entries, &count) != 0)
            std::copy_n(entries, std::min(count, 256), self.palette.begin());
    }

    static void read_rows(PngReader& self) {
        for (int pass = 0; pass < self.passes; ++pass)
            for (std::size_t y = 0; y < self.height; ++y)
                png_read_row(self.png, self.raw.data() + y * self.row_bytes, nullptr);
        png_read_end(self.png, nullptr);
    }

    /// The picture by the short way, where it is an ordinary and sound one. The header has been read, and with it the
    /// length and the type of the first chunk of image data.
    std::optional<Image> ordinary_image(std::span<const std::byte> file) const {
        if (depth != 8 || png_get_interlace_type(png, info) != PNG_INTERLACE_NONE) return std::nullopt;
        auto pixels = [&] {
            const auto chunks = file.last(rest.size() + 8);
            switch (color) {
                case PNG_COLOR_TYPE_GRAY: return ordinary_pixels<1, 1>(chunks, width, height);
                case PNG_COLOR_TYPE_GRAY_ALPHA: return ordinary_pixels<2, 1>(chunks, width, height);
                case PNG_COLOR_TYPE_RGB: return ordinary_pixels<3, 3>(chunks, width, height);
                case PNG_COLOR_TYPE_RGB_ALPHA: return ordinary_pixels<4, 3>(chunks, width, height);
                default: return std::optional<std::vector<std::uint8_t>>();
            }
        }();
        if (!pixels) return std::nullopt;
        return Image{static_cast<int>(width), static_cast<int>(height), (color & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1,
                     *std::move(pixels)};
    }

    /// The rows as grey or RGB.
    Image image() {
        Image out{static_cast<int>(width), static_cast<int>(height), 3, {}};
        if (color == PNG_COLOR_TYPE_PALETTE) {
            out.pixels.reserve(raw.size() * 3);
            for (std::uint8_t index : raw)
                for (std::uint8_t value : {palette[index].red, palette[index].green, palette[index].blue})
                    out.pixels.push_back(value);
            return out;
        }
        if ((color & PNG_COLOR_MASK_COLOR) == 0) out.channels = 1;
        if (wide_grey()) {
            for (std::size_t i = 0; i < raw.size() / 2; ++i) raw[i] = raw[2 * i] != 0 ? 255 : raw[2 * i + 1];
            raw.resize(raw.size() / 2);
        }
        out.pixels = std::move(raw);
        return out;
    }
};

/// What encoding needs besides the pixels: libpng and the growing file.
struct PngSink : JumpGuard {
    png_structp png = nullptr;
    png_infop info = nullptr;
    std::vector<std::byte> file;

    PngSink() {
        png = png_create_write_struct(PNG_LIBPNG_VER_STRING, static_cast<JumpGuard*>(this), png_raise, png_ignore);
        if (png != nullptr) info = png_create_info_struct(png);
    }
    ~PngSink() { png_destroy_write_struct(&png, &info); }
    PngSink(const PngSink&) = delete;
    PngSink& operator=(const PngSink&) = delete;

    /// Appends to the file; false when memory runs out, because no exception may pass through libpng.
    bool append(std::span<const std::byte> bytes) noexcept {
        try {
            file.insert(file.end(), bytes.begin(), bytes.end());
            return true;
        } catch (...) {
            return false;
        }
    }

    static void write_bytes(png_structp png, png_bytep from, std::size_t count) {
        auto& self = *static_cast<PngSink*>(png_get_io_ptr(png));
        if (!self.append({reinterpret_cast<const std::byte*>(from), count})) self.raise("out of memory");
    }
    static void flush(png_structp) {}

    /// Says what the rows will be: `color` is libpng's colour type.
    void describe(int width, int height, int depth, int color) {
        png_set_write_fn(png, this, write_bytes, flush);
        png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
        png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), depth, color,
                     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    }
};

/// Encodes a picture.
struct PngWriter : PngSink {
    const Image& picture;

    explicit PngWriter(const Image& image) : picture(image) {}

    static void write(PngWriter& self) {
        const Image& image = self.picture;
        self.describe(image.width, image.height, 8, image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB);
        png_write_info(self.png, self.info);
        for (int y = 0; y < image.height; ++y) png_write_row(self.png, image.row(y));
        png_write_end(self.png, self.info);
    }
};

}  // namespace detail

/// True when the bytes begin as a PNG file does.
inline bool is_png(std::span<const std::byte> file) {
    return file.size() >= 8 && png_sig_cmp(reinterpret_cast<png_const_bytep>(file.data()), 0, 8) == 0;
}

namespace detail {

/// Reads the header and checks the size.
inline PictureSize open_png(PngReader& reader, std::span<const std::byte> file, const std::string& name) {
    check(reader.info != nullptr, name.c_str(), "libpng could not start (out of memory)");
    reader.rest = file;
    if (!guarded_call(reader, PngReader::read_header)) fail(name, "not a sound PNG: ", reader.message.data());
    return check_size(name, reader.width, reader.height);
}

}  // namespace detail

/// The sides of a PNG, from its header alone.
inline PictureSize png_size(std::span<const std::byte> file, const std::string& name) {
    detail::PngReader reader;
    return detail::open_png(reader, file, name);
}

/// Decodes a whole PNG file to grey or RGB, as the file has it. Errors carry `name` and libpng's message.
inline Image decode_png(std::span<const std::byte> file, const std::string& name) {
    detail::PngReader reader;
    detail::open_png(reader, file, name);
    // Deflate shrinks at most 1032 times: a file too short for its own header is refused before it is given memory.
    check(reader.row_bytes * reader.height / 1032 <= file.size(), name.c_str(), "not a sound PNG: ", file.size(),
          " bytes cannot hold ", reader.width, "x", reader.height, " pixels");
    if (std::optional<Image> image = reader.ordinary_image(file)) return *std::move(image);
    if (!guarded_call(reader, detail::PngReader::prepare_rows)) fail(name, "not a sound PNG: ", reader.message.data());
    reader.raw.resize(reader.row_bytes * reader.height);
    if (!guarded_call(reader, detail::PngReader::read_rows)) fail(name, "not a sound PNG: ", reader.message.data());
    return reader.image();
}

/// The picture as a PNG file in memory, 8 bit grey or RGB.
inline std::vector<std::byte> encode_png(const Image& image) {
    check_image("encode_png", image);
    detail::PngWriter writer(image);
    check(writer.info != nullptr, "encode_png", "libpng could not start (out of memory)");
    if (!guarded_call(writer, detail::PngWriter::write)) fail("encode_png", writer.message.data());
    return std::move(writer.file);
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
