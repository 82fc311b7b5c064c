// SPDX-License-Identifier: Apache-2.0
// Pictures from and to files. PNG, JPEG and BMP are told apart by their first bytes, never by the file's name.
//
// read_rgb and read_grey give what Pillow's Image.open(path).convert("RGB") and .convert("L") give: alpha dropped,
// palettes looked up, orientation tags ignored. Where Pillow guesses at missing pixels of a damaged file, this throws.
#pragma once

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

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

[[noreturn]] inline void refuse(std::span<const std::byte> file, const std::string& name) {
    fail(name, file.empty() ? "the file is empty" : "not a picture", ", PNG, JPEG or BMP expected");
}

/// The whole file. Copied, not mapped: a camera may rewrite it meanwhile, which then is an ordinary decoding error.
inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
    std::error_code problem;
    check(std::filesystem::is_regular_file(path, problem), path.c_str(), "no such picture file");
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    check(stream.is_open(), path.c_str(), "cannot be opened: ", io::errno_text());
    std::vector<std::byte> bytes(static_cast<std::size_t>(stream.tellg()));
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
    detail::refuse(file, name);
}

/// The sides of a picture file held in memory, from its header alone.
inline PictureSize decode_size(std::span<const std::byte> file, const std::string& name) {
    if (is_png(file)) return png_size(file, name);
    if (is_jpeg(file)) return jpeg_size(file, name);
    if (is_bmp(file)) return bmp_size(file, name);
    detail::refuse(file, name);
}

/// Decodes a picture file, to grey or RGB as the file has it.
inline Image read_picture(const std::filesystem::path& path) {
    return decode(detail::read_bytes(path), path.string());
}

/// The sides of a picture file, from its header alone.
inline PictureSize read_size(const std::filesystem::path& path) {
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
