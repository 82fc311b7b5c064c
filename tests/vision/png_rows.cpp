// SPDX-License-Identifier: Apache-2.0
// The short way through a PNG: all filters against the standard's formulas, files cut into many chunks, and files that
// are libpng's business.
#define BOOST_TEST_MODULE vision_png_rows

#include "dinomaly/vision/png_rows.hpp"

#include <zlib.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "dinomaly/vision/codec.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

using Bytes = std::vector<std::byte>;
using Values = std::vector<std::uint8_t>;

void append_big_endian(Bytes& file, std::size_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<std::byte>(value >> shift));
}

void append_chunk(Bytes& file, const std::string& type, const Values& contents) {
    append_big_endian(file, contents.size());
    const std::size_t begin = file.size();
    for (char letter : type) file.push_back(static_cast<std::byte>(letter));
    for (std::uint8_t value : contents) file.push_back(static_cast<std::byte>(value));
    append_big_endian(
        file, crc32(0, reinterpret_cast<const Bytef*>(file.data() + begin), static_cast<uInt>(file.size() - begin)));
}

Values deflated(const Values& rows) {
    uLongf size = compressBound(rows.size());
    Values stream(size);
    BOOST_REQUIRE(compress(stream.data(), &size, rows.data(), rows.size()) == Z_OK);
    stream.resize(size);
    return stream;
}

/// Rows of noise, each behind the number of its filter.
struct Rows {
    int width, height, bytes;  // bytes a pixel
    Values filtered;

    Rows(int w, int h, int b, int filters, unsigned seed) : width(w), height(h), bytes(b) {
        std::mt19937 random(seed);
        for (int y = 0; y < height; ++y) {
            filtered.push_back(static_cast<std::uint8_t>(y % filters));
            for (int x = 0; x < width * bytes; ++x)  // small steps, so that all of Paeth's cases occur
                filtered.push_back(static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 7 - 3));
        }
    }

    /// What the standard says they stand for.
    Values pixels() const {
        const auto step = static_cast<std::size_t>(bytes), stride = static_cast<std::size_t>(width) * step;
        Values out(stride * static_cast<std::size_t>(height));
        for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y)
            for (std::size_t x = 0; x < stride; ++x) {
                const std::uint8_t* now = out.data() + y * stride + x;
                const int a = x < step ? 0 : now[-bytes], b = y == 0 ? 0 : *(now - stride);
                const int c = x < step || y == 0 ? 0 : *(now - stride - step);
                const int p = a + b - c, pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
                const int predicted[] = {0, a, b, (a + b) / 2, pa <= pb && pa <= pc ? a : pb <= pc ? b : c};
                const std::uint8_t* row = filtered.data() + y * (stride + 1);
                out[y * stride + x] = static_cast<std::uint8_t>(row[1 + x] + predicted[row[0]]);
            }
        return out;
    }

    /// The file up to its image data.
    Bytes header() const {
        constexpr int colors[] = {0, 4, 2, 6};  // grey, grey and alpha, RGB, RGB and alpha
        Bytes file;
        for (char value : {'\x89', 'P', 'N', 'G', '\r', '\n', '\x1a', '\n'})
            file.push_back(static_cast<std::byte>(value));
        const auto low = [](int value) { return static_cast<std::uint8_t>(value); };
        append_chunk(file, "IHDR",
                     {0, 0, low(width >> 8), low(width), 0, 0, low(height >> 8), low(height), 8, low(colors[bytes - 1]),
                      0, 0, 0});
        return file;
    }

    Bytes file(std::size_t chunk = 1 << 20) const {
        Bytes out = header();
        const Values stream = deflated(filtered);
        for (std::size_t at = 0; at < stream.size(); at += chunk)
            append_chunk(out, "IDAT",
                         Values(stream.begin() + static_cast<std::ptrdiff_t>(at),
                                stream.begin() + static_cast<std::ptrdiff_t>(std::min(at + chunk, stream.size()))));
        append_chunk(out, "IEND", {});
        return out;
    }

    /// What the short way makes of a file of these rows.
    template <int Count> auto short_way(const Bytes& whole) const {
        return detail::ordinary_pixels<Count, Count>(std::span(whole).subspan(header().size()),
                                                     static_cast<std::size_t>(width), static_cast<std::size_t>(height));
    }
};

/// The message of the Error that decoding throws, "" when it throws none.
std::string error_of(const Bytes& file) {
    try {
        decode(file, "memory");
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(filters_are_undone_by_the_standards_formulas) {
    for (int width : {1, 2, 3, 17, 250}) {
        const auto check_bytes = [&]<int Count>() {
            const Rows rows(width, 20, Count, 5, static_cast<unsigned>(width));
            const auto found = rows.short_way<Count>(rows.file());
            BOOST_TEST_CONTEXT(width << " pixels of " << Count) {
                BOOST_REQUIRE(found && *found == rows.pixels());
            }
        };
        check_bytes.operator()<1>();
        check_bytes.operator()<2>();
        check_bytes.operator()<3>();
        check_bytes.operator()<4>();
    }
}

BOOST_AUTO_TEST_CASE(pictures_are_the_same_both_ways) {
    for (int bytes = 1; bytes <= 4; ++bytes) {
        const Rows rows(33, 25, bytes, 5, 7);
        const Values pixels = rows.pixels();
        Image expected = make_image(33, 25, bytes < 3 ? 1 : 3);
        for (std::size_t i = 0; i < 33 * 25; ++i)
            std::copy_n(pixels.begin() + static_cast<std::ptrdiff_t>(i * static_cast<std::size_t>(bytes)),
                        expected.channels,
                        expected.pixels.begin() + static_cast<std::ptrdiff_t>(i) * expected.channels);
        BOOST_CHECK(decode(rows.file(), "short") == expected);
        // A chunk after the image data whose checksum is wrong: harmless, but libpng's to say so.
        Bytes file = rows.file();
        file.erase(file.end() - 12, file.end());  // IEND
        append_chunk(file, "tEXt", {'a', 0, 'b'});
        file.back() ^= std::byte{1};
        append_chunk(file, "IEND", {});
        BOOST_CHECK(decode(file, "libpng") == expected);
    }
}

BOOST_AUTO_TEST_CASE(image_data_may_come_in_many_chunks) {
    const Rows rows(40, 30, 3, 5, 3);
    for (std::size_t chunk : {1U, 7U, 1000U}) {
        const auto found = rows.short_way<3>(rows.file(chunk));
        BOOST_REQUIRE(found && *found == rows.pixels());
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_sound_is_left_to_libpng) {
    const Rows rows(40, 30, 3, 5, 3);
    const Bytes whole = rows.file(200);
    const std::size_t begin = rows.header().size();
    for (std::size_t at = begin; at < whole.size();
         at += 3) {  // a byte of any chunk: its length, type, contents or sum
        Bytes damaged = whole;
        damaged[at] ^= std::byte{0x10};
        BOOST_REQUIRE(!rows.short_way<3>(damaged));
        BOOST_REQUIRE(!rows.short_way<3>(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at))));
    }
}

BOOST_AUTO_TEST_CASE(libpng_has_the_last_word) {
    BOOST_TEST(error_of(Rows(8, 12, 3, 6, 1).file()).find("bad adaptive filter value") != std::string::npos);

    const Rows rows(8, 6, 3, 5, 1);
    const Values stream = deflated(rows.filtered);
    const Values first(stream.begin(), stream.begin() + 20), second(stream.begin() + 20, stream.end());
    Bytes apart = rows.header();
    append_chunk(apart, "IDAT", first);
    append_chunk(apart, "tEXt", {'a', 0, 'b'});
    append_chunk(apart, "IDAT", second);
    append_chunk(apart, "IEND", {});
    BOOST_CHECK(!rows.short_way<3>(apart));
    BOOST_TEST(error_of(apart).find("not a sound PNG: Not enough image data") != std::string::npos, error_of(apart));

    Bytes critical = rows.header();
    append_chunk(critical, "IDAT", stream);
    append_chunk(critical, "ABCD", {1, 2, 3});
    append_chunk(critical, "IEND", {});
    BOOST_CHECK(!rows.short_way<3>(critical));
    BOOST_CHECK(decode(critical, "critical") == decode(rows.file(), "plain"));

    Rows more = rows;  // a row too many: libpng does not mind
    more.filtered.insert(more.filtered.end(), 25, std::uint8_t{0});
    BOOST_CHECK(!rows.short_way<3>(more.file()));
    BOOST_CHECK(decode(more.file(), "more") == decode(rows.file(), "exact"));
    Rows less = rows;
    less.filtered.resize(less.filtered.size() - 1);
    BOOST_TEST(error_of(less.file()).find("not a sound PNG: Not enough image data") != std::string::npos,
               error_of(less.file()));
}
