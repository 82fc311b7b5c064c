// SPDX-License-Identifier: Apache-2.0
// Pictures to JPEG through libjpeg-turbo, for pages and previews: what is measured is never stored so.
#pragma once

// jpeglib.h uses FILE and size_t without including what defines them, so these two come before it.
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>

#include <cstdlib>
#include <span>
#include <vector>

#include "dinomaly/vision/guarded_call.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// What encoding a JPEG needs, and the file that libjpeg fills.
struct JpegWriter : JumpGuard {
    jpeg_compress_struct codec{};
    jpeg_error_mgr errors{};
    const Image& picture;
    int quality;
    unsigned char* file = nullptr;
    unsigned long size = 0;

    JpegWriter(const Image& image, int wanted) : picture(image), quality(wanted) {
        codec.err = jpeg_std_error(&errors);
        codec.client_data = static_cast<JumpGuard*>(this);
        errors.error_exit = [](j_common_ptr self) {
            char text[JMSG_LENGTH_MAX];
            self->err->format_message(self, text);
            static_cast<JumpGuard*>(self->client_data)->raise(text);
        };
    }
    ~JpegWriter() {
        jpeg_destroy_compress(&codec);
        std::free(file);
    }
    JpegWriter(const JpegWriter&) = delete;
    JpegWriter& operator=(const JpegWriter&) = delete;

    static void write(JpegWriter& self) {
        jpeg_create_compress(&self.codec);
        jpeg_mem_dest(&self.codec, &self.file, &self.size);
        self.codec.image_width = static_cast<JDIMENSION>(self.picture.width);
        self.codec.image_height = static_cast<JDIMENSION>(self.picture.height);
        self.codec.input_components = self.picture.channels;
        self.codec.in_color_space = self.picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
        jpeg_set_defaults(&self.codec);
        jpeg_set_quality(&self.codec, self.quality, TRUE);
        jpeg_start_compress(&self.codec, TRUE);
        while (self.codec.next_scanline < self.codec.image_height) {
            auto* row = const_cast<JSAMPROW>(self.picture.row(static_cast<int>(self.codec.next_scanline)));
            jpeg_write_scanlines(&self.codec, &row, 1);
        }
        jpeg_finish_compress(&self.codec);
    }
};

}  // namespace detail

/// A grey or RGB picture as a JPEG file in memory; quality 1 .. 100. Throws when it has a side above 65,500.
inline std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
    check_image("encode_jpeg", image);
    check(quality >= 1 && quality <= 100, "encode_jpeg", "quality ", quality, ", 1 .. 100 expected");
    detail::JpegWriter writer(image, quality);
    check(guarded_call(writer, detail::JpegWriter::write), "encode_jpeg", writer.message.data());
    const auto bytes = std::as_bytes(std::span(writer.file, writer.size));
    return {bytes.begin(), bytes.end()};
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
