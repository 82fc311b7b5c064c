// SPDX-License-Identifier: Apache-2.0
// Writes zip archives, pickles and .pth files byte by byte, so that the tests can make those no library would write.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "dinomaly/io/file.hpp"

namespace dinomaly::test {

/// The text's bytes, owned.
inline io::SharedBytes bytes_of(std::string_view text) {
    const auto view = std::as_bytes(std::span(text));
    return io::SharedBytes::own({view.begin(), view.end()});
}

/// The number's bytes, little endian.
template <class T> std::string raw(T number) {
    std::string out(sizeof number, '\0');
    std::memcpy(out.data(), &number, sizeof number);
    return out;
}

/// Overwrites bytes with a number.
template <class T> void patch(std::string& text, std::size_t offset, T number) {
    text.replace(offset, sizeof number, raw(number));
}

// --- zip

struct ZipEntry {
    std::string name;
    std::string data;
    bool deflated = false;
    bool is_zip64 = false;  ///< sizes and offset in the zip64 field
};

inline std::string deflate(const std::string& data) {
    z_stream stream{};
    if (::deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::runtime_error("deflateInit2");
    }
    std::string out(::deflateBound(&stream, data.size()), '\0');
    std::string input = data;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    ::deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    return out;
}

inline std::uint32_t crc32(const std::string& data) {
    return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

inline std::string zip(const std::vector<ZipEntry>& entries, const std::string& comment = "") {
    std::string out, directory;
    for (const ZipEntry& entry : entries) {
        const std::string packed = entry.deflated ? deflate(entry.data) : entry.data;
        const auto size = static_cast<std::uint32_t>(entry.data.size());
        const auto packed_size = static_cast<std::uint32_t>(packed.size());
        const auto offset = static_cast<std::uint32_t>(out.size());
        const auto name_size = static_cast<std::uint16_t>(entry.name.size());
        const std::uint16_t method = entry.deflated ? 8 : 0;
        const std::uint16_t version = 20, flags = 0, none = 0;
        const std::uint32_t time = 0, see_zip64 = 0xffffffff;
        const std::string common = raw(flags) + raw(method) + raw(time) + raw(crc32(entry.data));

        out += raw(std::uint32_t{0x04034b50}) + raw(version) + common + raw(packed_size) + raw(size) + raw(name_size) +
               raw(none) + entry.name + packed;
        const std::string extra = entry.is_zip64
                                      ? raw(std::uint16_t{1}) + raw(std::uint16_t{24}) + raw(std::uint64_t{size}) +
                                            raw(std::uint64_t{packed_size}) + raw(std::uint64_t{offset})
                                      : "";
        directory += raw(std::uint32_t{0x02014b50}) + raw(version) + raw(version) + common +
                     raw(entry.is_zip64 ? see_zip64 : packed_size) + raw(entry.is_zip64 ? see_zip64 : size) +
                     raw(name_size) + raw(static_cast<std::uint16_t>(extra.size())) + raw(none) + raw(none) +
                     raw(none) + raw(std::uint32_t{0}) + raw(entry.is_zip64 ? see_zip64 : offset) + entry.name + extra;
    }
    const auto count = static_cast<std::uint16_t>(entries.size());
    const auto directory_offset = static_cast<std::uint32_t>(out.size());
    return out + directory + raw(std::uint32_t{0x06054b50}) + raw(std::uint32_t{0}) + raw(count) + raw(count) +
           raw(static_cast<std::uint32_t>(directory.size())) + raw(directory_offset) +
           raw(static_cast<std::uint16_t>(comment.size())) + comment;
}

// --- pickle: each function gives the opcodes that push one value

namespace pickled {

inline std::string document(const std::string& value) {
    return "\x80\x02" + value + ".";
}
inline std::string text(const std::string& value) {
    return 'X' + raw(static_cast<std::uint32_t>(value.size())) + value;
}
inline std::string integer(std::int64_t value) {
    return std::string("\x8a\x08") + raw(value);
}
inline std::string tuple(const std::string& values) {
    return '(' + values + 't';
}
inline std::string dict(const std::string& keys_and_values) {
    return "}(" + keys_and_values + 'u';
}
inline std::string global(const std::string& module, const std::string& name) {
    return 'c' + module + '\n' + name + '\n';
}
inline std::string call(const std::string& callee, const std::string& arguments) {
    return callee + tuple(arguments) + 'R';
}
inline std::string integers(const std::vector<std::int64_t>& values) {
    std::string out;
    for (const std::int64_t value : values) out += integer(value);
    return tuple(out);
}

struct Tensor {
    std::string key = "0";
    std::string storage = "FloatStorage";
    std::int64_t count = 6;
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes = {2, 3};
    std::vector<std::int64_t> strides = {3, 1};
};

inline std::string tensor(const Tensor& t = {}) {
    const std::string storage =
        tuple(text("storage") + global("torch", t.storage) + text(t.key) + text("cpu") + integer(t.count)) + 'Q';
    return call(global("torch._utils", "_rebuild_tensor_v2"), storage + integer(t.offset) + integers(t.sizes) +
                                                                  integers(t.strides) + "\x89" +
                                                                  call(global("collections", "OrderedDict"), ""));
}

}  // namespace pickled

/// The floats 0, 1, 2 ... as a storage.
inline std::string float_storage(int count = 6) {
    std::string out;
    for (int i = 0; i < count; ++i) out += raw(static_cast<float>(i));
    return out;
}

/// A .pth file around the opcodes of one value and one storage "0".
inline std::string pth(const std::string& value, const std::string& storage = float_storage()) {
    return zip(
        {{"model/data.pkl", pickled::document(value)}, {"model/byteorder", "little"}, {"model/data/0", storage}});
}

/// Whether the call throws a dinomaly::Error whose message has `part` in it.
template <class Call> bool is_refused(Call&& call, std::string_view part) {
    try {
        call();
    } catch (const Error& error) {
        if (std::string_view(error.what()).find(part) != std::string_view::npos) return true;
        throw std::runtime_error("refused for another reason: " + std::string(error.what()));
    }
    return false;
}

}  // namespace dinomaly::test
