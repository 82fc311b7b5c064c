// SPDX-License-Identifier: Apache-2.0
// Pictures from and to files. PNG, JPEG, BMP and TIFF are told apart by their first bytes, never by the file's name.
//
// read_rgb and read_grey give what Pillow's Image.open(path).convert("RGB") and .convert("L") give: alpha dropped,
// palettes looked up, orientation tags ignored (but TIFF's). Where Pillow guesses at missing pixels of a damaged file,
// this throws.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/bmp.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/jpeg.hpp"
#include "dinomaly/vision/png.hpp"
#include "dinomaly/vision/tiff.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

[[noreturn]] inline void refuse(std::span<const std::byte> file, const std::string& name) {
    fail(name, file.empty() ? "the file is empty" : "not a picture", ", PNG, JPEG, BMP or TIFF expected");
}

/// The file, or its first `most` bytes where it is longer. Copied, not mapped: a camera may rewrite it meanwhile, which
/// then is an ordinary decoding error.
inline std::vector<std::byte> read_bytes(const std::filesystem::path& path, std::size_t most = SIZE_MAX) {
    std::error_code problem;
    check(std::filesystem::is_regular_file(path, problem), path.c_str(), "no such picture file");
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    check(stream.is_open(), path.c_str(), "cannot be opened: ", io::errno_text());
    std::vector<std::byte> bytes(std::min(static_cast<std::size_t>(stream.tellg()), most));
    stream.seekg(0);
    stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    check(stream.good(), path.c_str(), "cannot be read: ", io::errno_text());
    return bytes;
}

}  // namespace detail

/// Decodes a picture file held in memory, to grey or RGB as the file has it. `name` goes into error messages.
inline Image decode(std::span<const std::byte> file, const std::string& name) {
    if (is_png(file)) return decode_png(file, name);
    if (is_jpeg(file)) return decode_jpeg(file, name);
    if (is_bmp(file)) return decode_bmp(file, name);
    if (is_tiff(file)) return decode_tiff(file, name);
    detail::refuse(file, name);
}

/// The sides of a picture file held in memory, from its header alone.
inline PictureSize decode_size(std::span<const std::byte> file, const std::string& name) {
    if (is_png(file)) return png_size(file, name);
    if (is_jpeg(file)) return jpeg_size(file, name);
    if (is_bmp(file)) return bmp_size(file, name);
    if (is_tiff(file)) return tiff_size(file, name);
    detail::refuse(file, name);
}

/// Decodes a picture file, to grey or RGB as the file has it.
inline Image read_picture(const std::filesystem::path& path) {
    return decode(detail::read_bytes(path), path.string());
}

/// The sides of a picture file, from its header alone: as a rule the first bytes tell, and no more is read.
inline PictureSize read_size(const std::filesystem::path& path) {
    for (const std::size_t most : {std::size_t{1} << 12, std::size_t{1} << 16}) {
        const std::vector<std::byte> head = detail::read_bytes(path, most);
        if (head.size() < most) return decode_size(head, path.string());
        try {
            return decode_size(head, path.string());
        } catch (const Error&) {  // the header is longer, or its fields stand at the end of the file
        }
    }
    return decode_size(detail::read_bytes(path), path.string());
}

/// The picture as 3 channels. Throws when it cannot be opened, is no picture, is cut short or damaged, or too large.
inline Image read_rgb(const std::filesystem::path& path) {
    return to_rgb(read_picture(path));
}

/// The picture as 1 channel, luma where the file has colours. Errors as for read_rgb.
inline Image read_grey(const std::filesystem::path& path) {
    return to_grey(read_picture(path));
}

/// Writes an 8-bit grey or RGB PNG; the file appears whole or not at all.
inline void write_png(const std::filesystem::path& path, const Image& image) {
    const std::vector<std::byte> file = encode_png(image);
    io::write_atomically(path, [&](io::OutputFile& out) { out.write(file); });
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
