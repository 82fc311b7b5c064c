// SPDX-License-Identifier: Apache-2.0
// Decoding against Pillow's values for every kind of file, encoding, and files that are not what they should be.
// data/<name>.<ext> goes with data/<name>.expected.png, which is Pillow 13's convert("RGB") of it.
#define BOOST_TEST_MODULE vision_codec

#include "dinomaly/vision/codec.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "dinomaly/vision/jpeg_writer.hpp"
#include "tests/errors.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;
using dinomaly::test::error_of;

namespace fs = std::filesystem;

namespace {

const fs::path data = dinomaly::test::source_dir() / "tests" / "vision" / "data";

using Bytes = std::vector<std::byte>;

Bytes contents(const std::string& name) {
    return detail::read_bytes(data / name);
}

fs::path write_file(const fs::path& path, std::span<const std::byte> bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

Image gradient(int width, int height, int channels) {
    Image image = make_image(width, height, channels);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
    return image;
}

/// Overwrites four bytes with a number, most significant byte first.
void put_big(Bytes& file, std::size_t offset, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) file.at(offset + i) = static_cast<std::byte>(value >> (24 - 8 * i));
}

/// Makes the checksum of a PNG header fit its contents again.
void seal_png_header(Bytes& file) {
    std::uint32_t sum = 0xffffffffU;
    for (std::size_t i = 12; i < 29; ++i) {
        sum ^= std::to_integer<std::uint32_t>(file[i]);
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1U) != 0 ? 0xedb88320U : 0U);
    }
    put_big(file, 29, ~sum);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_kind_of_file_has_pillows_pixels) {
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(data)) {
        const std::string name = entry.path().filename().string();
        const fs::path expected = data / (entry.path().stem().string() + ".expected.png");
        if (contains(name, ".expected.") || !fs::exists(expected)) continue;
        BOOST_TEST_CONTEXT(name) {
            const Image image = read_rgb(entry.path());
            BOOST_CHECK(image == read_rgb(expected));
            BOOST_CHECK(read_grey(entry.path()) == to_grey(image));
            BOOST_CHECK(read_size(entry.path()) == (PictureSize{image.width, image.height}));
        }
        ++files;
    }
    BOOST_TEST(files == 69U);
}

BOOST_AUTO_TEST_CASE(some_values_by_number) {
    // 16-bit grey is clipped, not scaled; 16-bit RGB gives its high byte.
    BOOST_TEST(read_grey(data / "grey16.png").pixels.at(1) == 255);
    BOOST_TEST(read_picture(data / "grey16.png").channels == 1);
    BOOST_TEST(read_picture(data / "grey_alpha8.png").channels == 1);
    BOOST_TEST(read_picture(data / "palette1.png").channels == 3);
    for (std::uint8_t value : read_grey(data / "grey2.png").pixels) BOOST_TEST(value % 85 == 0);
}

BOOST_AUTO_TEST_CASE(the_name_of_a_file_does_not_matter) {
    const fs::path folder = dinomaly::test::scratch_dir("names");
    const fs::path renamed = folder / "picture.bmp";
    fs::copy_file(data / "jpeg_411.jpg", renamed);
    BOOST_CHECK(read_rgb(renamed) == read_rgb(data / "jpeg_411.jpg"));
}

BOOST_AUTO_TEST_CASE(png_round_trip) {
    const fs::path folder = dinomaly::test::scratch_dir("round_trip");
    for (int channels : {1, 3})
        for (int width : {1, 7, 64}) {
            const Image image = gradient(width, 5, channels);
            BOOST_CHECK(decode(encode_png(image), "memory") == image);
            write_png(folder / "picture.png", image);
            BOOST_CHECK(read_picture(folder / "picture.png") == image);
        }
    BOOST_TEST(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
    BOOST_CHECK_THROW(write_png(folder / "none" / "picture.png", gradient(2, 2, 3)), Error);
    BOOST_CHECK_THROW(encode_png(Image{2, 2, 3, {}}), Error);
}

BOOST_AUTO_TEST_CASE(jpeg_round_trip) {
    for (const int channels : {1, 3}) {
        Image image = make_image(41, 23, channels);  // smooth, as JPEG likes it
        for (int y = 0; y < 23; ++y)
            for (std::size_t i = 0; i < image.stride(); ++i)
                image.row(y)[i] = static_cast<std::uint8_t>(40 + 5 * y + static_cast<int>(i) / channels);
        const Bytes fine = encode_jpeg(image, 95), coarse = encode_jpeg(image, 20);
        BOOST_CHECK_LT(coarse.size(), fine.size());
        const Image back = decode(fine, "fine");
        BOOST_REQUIRE(back.width == 41 && back.height == 23 && back.channels == channels);
        for (std::size_t i = 0; i < image.pixels.size(); ++i)
            BOOST_REQUIRE_LE(std::abs(back.pixels[i] - image.pixels[i]), 4);
    }
    const Image wide = make_image(70'000, 1, 1);
    BOOST_CHECK(contains(error_of([&] { encode_jpeg(wide, 90); }), "[encode_jpeg] Maximum supported image dimension"));
    BOOST_CHECK(contains(error_of([&] { encode_jpeg(wide, 0); }), "[encode_jpeg] quality 0, 1 .. 100 expected"));
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_is_an_error_that_names_it) {
    const fs::path folder = dinomaly::test::scratch_dir("cut");
    for (const char* name : {"rgb8.png", "rgb8_interlaced.png", "palette4.png", "jpeg_440.jpg", "jpeg_arith.jpg",
                             "jpeg_cmyk.jpg", "bmp24.bmp", "bmp4.bmp"}) {
        const Bytes whole = contents(name);
        for (std::size_t length = 0; length < whole.size(); ++length)
            BOOST_REQUIRE_THROW(decode(std::span(whole).first(length), "cut"), Error);
        const fs::path path = write_file(folder / name, std::span(whole).first(whole.size() / 2));
        const std::string error = error_of([&] { read_rgb(path); });
        BOOST_TEST(contains(error, path.string()), error);
        BOOST_TEST(contains(error, "not a sound"), error);
    }
}

BOOST_AUTO_TEST_CASE(a_jpeg_with_rows_missing_before_its_end_marker_is_an_error) {
    Bytes file = contents("jpeg_440.jpg");
    file.erase(file.end() - 120, file.end() - 2);
    const std::string error = error_of([&] { decode(file, "holed.jpg"); });
    BOOST_TEST(contains(error, "[holed.jpg] not a sound JPEG: "), error);
}

BOOST_AUTO_TEST_CASE(what_is_no_picture) {
    const fs::path folder = dinomaly::test::scratch_dir("no_picture");
    std::ofstream(folder / "text.png") << "just some words";
    std::ofstream(folder / "empty.png").flush();
    BOOST_TEST(
        contains(error_of([&] { read_rgb(folder / "text.png"); }), "text.png] not a picture, PNG, JPEG, BMP or TIFF"));
    BOOST_TEST(contains(error_of([&] { read_rgb(folder / "empty.png"); }), "the file is empty"));
    BOOST_TEST(contains(error_of([&] { read_rgb(folder / "absent.png"); }), "absent.png] no such picture file"));
    BOOST_TEST(contains(error_of([&] { read_rgb(folder); }), "no such picture file"));
}

BOOST_AUTO_TEST_CASE(hostile_sizes_are_refused_before_memory_is_taken) {
    Bytes png = contents("rgb8.png");
    put_big(png, 16, 60000);
    put_big(png, 20, 60000);
    seal_png_header(png);
    BOOST_TEST(
        contains(error_of([&] { decode(png, "big.png"); }), "60000x60000 is above the limit of 268435456 pixels"));
    put_big(png, 16, 16000);
    put_big(png, 20, 16000);
    seal_png_header(png);
    BOOST_TEST(contains(error_of([&] { decode(png, "thin.png"); }), "bytes cannot hold 16000x16000 pixels"));

    Bytes bmp = contents("bmp24.bmp");
    put_big(bmp, 18, 0xffffff7fU);
    put_big(bmp, 22, 0xffffff7fU);
    BOOST_TEST(contains(error_of([&] { decode(bmp, "big.bmp"); }), "is above the limit"));
    put_big(bmp, 18, 0xffffffffU);
    BOOST_TEST(contains(error_of([&] { decode(bmp, "negative.bmp"); }), "at least 1x1 expected"));

    Bytes jpeg = contents("jpeg_440.jpg");
    const std::array marker{std::byte{0xff}, std::byte{0xc0}};
    const auto frame = std::ranges::search(jpeg, marker).begin();
    std::fill(frame + 5, frame + 9, std::byte{0xff});
    BOOST_TEST(contains(error_of([&] { decode(jpeg, "big.jpg"); }), "not a sound JPEG"));
    std::fill(frame + 5, frame + 9, std::byte{0xf0});
    BOOST_TEST(contains(error_of([&] { decode(jpeg, "big.jpg"); }), "61680x61680 is above the limit"));
}

BOOST_AUTO_TEST_CASE(bitmaps_beyond_the_reader_are_refused_by_name) {
    Bytes file = contents("bmp4.bmp");
    file[30] = std::byte{2};
    BOOST_TEST(contains(error_of([&] { decode(file, "a.bmp"); }), "a compressed BMP (method 2)"));
    file = contents("bmp24.bmp");
    file[28] = std::byte{23};
    BOOST_TEST(contains(error_of([&] { decode(file, "a.bmp"); }), "23 bits a pixel"));
    file = contents("bmp24.bmp");
    file[14] = std::byte{41};
    BOOST_TEST(contains(error_of([&] { decode(file, "a.bmp"); }), "header of 41 bytes"));
    file = contents("bmp24.bmp");
    file[10] = std::byte{20};
    BOOST_TEST(contains(error_of([&] { decode(file, "a.bmp"); }), "inside the header"));
    file = contents("bmp16_565.bmp");
    file[55] = std::byte{0xfa};
    BOOST_TEST(contains(error_of([&] { decode(file, "a.bmp"); }), "is not supported, 5, 6 or 8 adjacent bits"));
}
