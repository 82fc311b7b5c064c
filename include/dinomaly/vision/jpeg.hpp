// SPDX-License-Identifier: Apache-2.0
// JPEG through libjpeg-turbo with its default settings: accurate integer DCT, smooth chroma upsampling, orientation
// tags ignored, so that the pixels are Pillow's.
//
// Grey stays grey. CMYK and YCCK are taken as inverted (Adobe's habit, and what Pillow assumes of every such file) and
// become RGB by R = K - C K / 255, all of the inverted values. libjpeg only warns of missing or damaged data and makes
// the rest up; here those warnings are errors.
#pragma once

// jpeglib.h uses FILE and size_t without including what defines them, so these two come before it.
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>

#include <jerror.h>

#include <algorithm>
#include <span>
#include <string>

#include "dinomaly/vision/guarded_call.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// What decoding a JPEG needs, and what it leaves behind.
struct JpegReader : JumpGuard {
    jpeg_decompress_struct codec{};
    jpeg_error_mgr errors{};
    std::span<const std::byte> file;
    std::vector<std::uint8_t> raw;

    explicit JpegReader(std::span<const std::byte> bytes) : file(bytes) {
        codec.err = jpeg_std_error(&errors);
        codec.client_data = static_cast<JumpGuard*>(this);
        errors.error_exit = on_error;
        errors.emit_message = on_message;
    }
    ~JpegReader() { jpeg_destroy_decompress(&codec); }
    JpegReader(const JpegReader&) = delete;
    JpegReader& operator=(const JpegReader&) = delete;

    std::size_t row_bytes() const {
        return std::size_t{codec.output_width} * static_cast<std::size_t>(codec.output_components);
    }

    static void on_error(j_common_ptr codec) {
        char text[JMSG_LENGTH_MAX];
        codec->err->format_message(codec, text);
        static_cast<JumpGuard*>(codec->client_data)->raise(text);
    }

    /// Level -1 is a warning. Those that mean lost pixels end the decoding, the others are of no consequence.
    static void on_message(j_common_ptr codec, int level) {
        if (level >= 0) return;
        switch (codec->err->msg_code) {
            case JWRN_JPEG_EOF:
            case JWRN_HIT_MARKER:
            case JWRN_HUFF_BAD_CODE:
            case JWRN_ARITH_BAD_CODE:
            case JWRN_MUST_RESYNC: on_error(codec);
        }
    }

    static void read_header(JpegReader& self) {
        jpeg_create_decompress(&self.codec);
        jpeg_mem_src(&self.codec, reinterpret_cast<const unsigned char*>(self.file.data()), self.file.size());
        jpeg_read_header(&self.codec, TRUE);
        if (self.codec.num_components == 4) self.codec.out_color_space = JCS_CMYK;
        jpeg_calc_output_dimensions(&self.codec);
    }

    /// The rows grow as they are decoded, and no more is reserved than a file of this length commonly holds: a hostile
    /// header takes no memory that its file does not fill.
    static void read_rows(JpegReader& self) {
        jpeg_start_decompress(&self.codec);
        self.raw.reserve(std::min(self.row_bytes() * self.codec.output_height, self.file.size() * 512));
        while (self.codec.output_scanline < self.codec.output_height) {
            const std::size_t begin = self.raw.size();
            self.raw.resize(begin + self.row_bytes());
            JSAMPROW row = self.raw.data() + begin;
            jpeg_read_scanlines(&self.codec, &row, 1);
        }
        jpeg_finish_decompress(&self.codec);
    }

    /// The rows as grey or RGB.
    Image image() {
        Image out{
            static_cast<int>(codec.output_width), static_cast<int>(codec.output_height), codec.output_components, {}};
        if (out.channels == 4) {
            out.channels = 3;
            cmyk_to_rgb();
        }
        out.pixels = std::move(raw);
        return out;
    }

    void cmyk_to_rgb() {
        std::uint8_t* to = raw.data();
        for (std::size_t i = 0; i < raw.size(); i += 4) {
            const unsigned black = raw[i + 3];
            for (std::size_t c = 0; c < 3; ++c) {
                const unsigned product = (255U - raw[i + c]) * black + 128U;
                *to++ = static_cast<std::uint8_t>(black - ((product + (product >> 8)) >> 8));
            }
        }
        raw.resize(raw.size() / 4 * 3);
    }
};

}  // namespace detail

/// True when the bytes begin as a JPEG file does.
inline bool is_jpeg(std::span<const std::byte> file) {
    return file.size() >= 3 && file[0] == std::byte{0xff} && file[1] == std::byte{0xd8} && file[2] == std::byte{0xff};
}

namespace detail {

/// Reads the header and checks the size.
inline PictureSize open_jpeg(JpegReader& reader, const std::string& name) {
    if (!guarded_call(reader, JpegReader::read_header)) fail(name, "not a sound JPEG: ", reader.message.data());
    return check_size(name, reader.codec.output_width, reader.codec.output_height);
}

}  // namespace detail

/// The sides of a JPEG, from its header alone.
inline PictureSize jpeg_size(std::span<const std::byte> file, const std::string& name) {
    detail::JpegReader reader(file);
    return detail::open_jpeg(reader, name);
}

/// Decodes a whole JPEG file to grey or RGB, as the file has it. Errors carry `name` and libjpeg's message.
inline Image decode_jpeg(std::span<const std::byte> file, const std::string& name) {
    detail::JpegReader reader(file);
    detail::open_jpeg(reader, name);
    const int channels = reader.codec.output_components;
    check(channels == 1 || channels == 3 || channels == 4, name.c_str(), "a JPEG of ", channels,
          " components, 1, 3 or 4 expected");
    if (!guarded_call(reader, detail::JpegReader::read_rows)) fail(name, "not a sound JPEG: ", reader.message.data());
    return reader.image();
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
