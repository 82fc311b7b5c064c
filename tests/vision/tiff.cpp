// SPDX-License-Identifier: Apache-2.0
// What TIFF files may not be, and that nothing of libtiff reaches the terminal. Their pixels are compared with Pillow's
// in codec.cpp.
#define BOOST_TEST_MODULE vision_tiff

#include "dinomaly/vision/tiff.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "dinomaly/vision/codec.hpp"
#include "tests/errors.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;

namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::byte>;

Bytes contents(const std::string& name) {
    return detail::read_bytes(dinomaly::test::source_dir() / "tests" / "vision" / "data" / (name + ".tif"));
}

void put(Bytes& file, std::size_t at, std::uint64_t value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) file.at(at + i) = static_cast<std::byte>(value >> (8 * i));
}

std::uint32_t number(const Bytes& file, std::size_t at, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = count; i > 0; --i) value = value << 8 | std::to_integer<std::uint32_t>(file.at(at + i - 1));
    return value;
}

/// Where a field of the first directory stands; little-endian files only.
std::size_t entry_of(const Bytes& file, std::uint32_t tag) {
    const std::size_t directory = number(file, 4, 4);
    for (std::size_t i = 0; i < number(file, directory, 2); ++i)
        if (const std::size_t at = directory + 2 + 12 * i; number(file, at, 2) == tag) return at;
    BOOST_FAIL("no field " << tag);
    return 0;
}

/// The file with another value in a field that holds one number.
Bytes changed(Bytes file, std::uint32_t tag, std::uint32_t value) {
    const std::size_t at = entry_of(file, tag);
    put(file, at + 8, value, number(file, at + 2, 2) == 3 ? 2 : 4);
    return file;
}

std::string error_of(const Bytes& file) {
    return dinomaly::test::error_of([&] { decode(file, "a.tif"); });
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Sends standard error to a file while it lives.
class CapturedStderr {
public:
    explicit CapturedStderr(fs::path file) : file_(std::move(file)), before_(::dup(2)) {
        const int to = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        ::dup2(to, 2);
        ::close(to);
    }
    CapturedStderr(const CapturedStderr&) = delete;
    CapturedStderr& operator=(const CapturedStderr&) = delete;
    ~CapturedStderr() {
        ::dup2(before_, 2);
        ::close(before_);
    }

    std::uintmax_t bytes() const { return fs::file_size(file_); }

private:
    fs::path file_;
    int before_;
};

enum Tag {
    width = 256,
    height = 257,
    bits = 258,
    compression = 259,
    photometric = 262,
    planes = 284,
    strip_bytes = 279,
    tile_width = 322,
    extra_samples = 338,
    sample_format = 339
};

}  // namespace

BOOST_AUTO_TEST_CASE(first_bytes_and_sizes) {
    BOOST_TEST(is_tiff(contents("tiff_grey8")));
    BOOST_TEST(is_tiff(contents("tiff_big_endian16")));
    BOOST_TEST(is_tiff(contents("tiff_bigtiff")));
    BOOST_TEST(!is_tiff(Bytes{std::byte{'I'}, std::byte{'I'}, std::byte{42}}));
    BOOST_CHECK(decode_size(contents("tiff_orientation6"), "a.tif") == PictureSize(9, 12));
    BOOST_CHECK(decode_size(contents("tiff_orientation3"), "a.tif") == PictureSize(12, 9));
    BOOST_TEST(decode(contents("tiff_grey16"), "a.tif").channels == 1);
    BOOST_TEST(decode(contents("tiff_palette8"), "a.tif").channels == 3);
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_is_an_error) {
    const CapturedStderr captured(dinomaly::test::scratch_dir("tiff_cut") / "stderr");
    for (const char* name : {"tiff_grey8", "tiff_rgb8_lzw", "tiff_rgb8_deflate", "tiff_rgb8_jpeg", "tiff_tiled_planar",
                             "tiff_grey8_packbits", "tiff_bilevel_g4", "tiff_bigtiff", "tiff_palette8"}) {
        const Bytes whole = contents(name);
        const Image image = decode(whole, "whole.tif");
        // What stands last may be a text field, or the remark that there is no second picture: without it all is there.
        for (std::size_t length = 0; length < whole.size(); ++length) {
            try {
                BOOST_REQUIRE(decode(std::span(whole).first(length), "cut.tif") == image);
            } catch (const Error& error) {
                BOOST_REQUIRE(contains(error.what(), "[cut.tif] "));
            }
        }
        BOOST_TEST(contains(error_of(Bytes(whole.begin(), whole.begin() + 40)), "[a.tif] not a sound TIFF: "));
    }
    BOOST_TEST(captured.bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(damaged_pixels_are_an_error) {
    for (const char* name : {"tiff_rgb8_lzw", "tiff_rgb8_deflate", "tiff_rgb8_jpeg"}) {
        Bytes file = contents(name);
        const Image image = decode(file, "whole.tif");
        // The pixels' bytes end early: the decoder runs out of them.
        const std::size_t at = entry_of(file, strip_bytes) + 8;
        put(file, at, number(file, at, 4) / 2, 4);
        BOOST_TEST(contains(error_of(file), "not a sound TIFF: "), name);
    }
}

BOOST_AUTO_TEST_CASE(hostile_sizes_are_refused_before_memory_is_taken) {
    const Bytes file = contents("tiff_fill_order");
    const auto refused = [&](std::uint32_t across, std::uint32_t down) {
        return error_of(changed(changed(file, width, across), height, down));
    };
    const Bytes grey = contents("tiff_grey4");
    BOOST_TEST(contains(error_of(changed(changed(grey, width, 60000), height, 60000)),
                        "60000x60000 is above the limit of 268435456 pixels"));
    BOOST_TEST(contains(error_of(changed(changed(grey, width, 16000), height, 16000)),
                        "bytes cannot hold 16000x16000 pixels"));
    BOOST_TEST(contains(refused(0, 5), "not a sound TIFF: "));
    BOOST_TEST(contains(error_of(changed(changed(contents("tiff_bilevel_g4"), width, 65535), height, 4000)),
                        "bytes cannot hold 65535x4000 pixels"));
    BOOST_TEST(
        contains(error_of(changed(contents("tiff_tiled"), tile_width, 0xfffffff0U)), "[a.tif] not a sound TIFF: "));
}

BOOST_AUTO_TEST_CASE(kinds_that_are_not_supported_are_refused_by_name) {
    const Bytes grey = contents("tiff_grey8"), rgb = contents("tiff_rgb8_lzw");
    BOOST_TEST(contains(error_of(changed(grey, bits, 32)), "a TIFF of 32 bits a value is not supported"));
    BOOST_TEST(contains(error_of(changed(grey, bits, 12)), "12 bits a value"));
    BOOST_TEST(contains(error_of(changed(grey, compression, 6)), "compression 6 is not supported"));
    BOOST_TEST(contains(error_of(changed(grey, compression, 34676)), "compression 34676 is not supported"));
    BOOST_TEST(contains(error_of(changed(grey, photometric, 8)), "photometric interpretation 8 is not supported"));
    BOOST_TEST(contains(error_of(changed(grey, photometric, 2)), "1 values of 8 bits a pixel for 3 colours"));
    BOOST_TEST(contains(error_of(changed(contents("tiff_grey4"), photometric, 3)),
                        "[a.tif] not a sound TIFF: "));  // no palette
    BOOST_TEST(contains(error_of(changed(rgb, photometric, 6)), "with JPEG compression only"));
    // "Channels stand together", which is also what counts without that field, becomes "floating point".
    Bytes format = grey;
    put(format, entry_of(format, planes), sample_format, 2);
    BOOST_TEST(contains(error_of(changed(format, sample_format, 3)), "floating-point values of 8 bits"));
    BOOST_TEST(contains(error_of(changed(contents("tiff_grey_alpha"), extra_samples, 1)), "multiplied by its alpha"));
    // The field that says what values mean, turned into one that nobody knows.
    Bytes silent = grey;
    put(silent, entry_of(silent, photometric), 300, 2);
    BOOST_TEST(contains(error_of(silent), "[a.tif] not a sound TIFF: "));
}

BOOST_AUTO_TEST_CASE(damage_never_crashes_nor_prints) {
    const CapturedStderr captured(dinomaly::test::scratch_dir("tiff_fuzz") / "stderr");
    std::mt19937_64 engine(11);
    std::size_t decoded = 0, refused = 0;
    for (const char* name : {"tiff_rgb8_lzw", "tiff_rgb8_jpeg", "tiff_tiled", "tiff_planar_strips", "tiff_bilevel_g4",
                             "tiff_grey8_packbits", "tiff_orientation5", "tiff_palette8", "tiff_cmyk"}) {
        const Bytes whole = contents(name);
        for (int round = 0; round < 400; ++round) {
            Bytes file = whole;
            const std::size_t directory = number(file, 4, 4);  // damage mostly goes to the fields, where it tells
            for (std::uint64_t flips = 1 + engine() % 3; flips > 0; --flips) {
                const std::size_t at = round % 4 == 0 ? engine() % file.size() : directory + engine() % 150;
                if (at < file.size()) file[at] = static_cast<std::byte>(engine());
            }
            try {
                check_image("fuzz", decode(file, "fuzz.tif"));
                ++decoded;
            } catch (const Error&) {
                ++refused;
            }
        }
    }
    BOOST_TEST(decoded > 300U);
    BOOST_TEST(refused > 300U);
    BOOST_TEST(captured.bytes() == 0U);
}
