// SPDX-License-Identifier: Apache-2.0
// Raw maps come back from their files bit for bit, a PNG to half of its step.
#define BOOST_TEST_MODULE vision_map_file

#include "dinomaly/vision/map_file.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dinomaly/vision/codec.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;
namespace fs = std::filesystem;

namespace {

const Preprocess middle{.size = 56, .crop = 42};

std::vector<float> some_values(int count) {
    std::vector<float> values;
    for (int i = 0; i < count; ++i) values.push_back(static_cast<float>((i * 7919) % 1000) / 450);  // up to 2.2
    return values;
}

PictureMap some_map() {
    return PictureMap(some_values(8 * 6), 8, 6, {203, 117}, middle);
}

/// Equal bit by bit, but one NaN is as good as another.
void check_same(const std::vector<float>& found, const std::vector<float>& expected) {
    BOOST_REQUIRE_EQUAL(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        BOOST_REQUIRE((found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]))));
}

/// A 16 bit grey PNG as libpng reads it.
struct Png16 {
    PictureSize size;
    std::vector<unsigned> levels;
    std::map<std::string, std::string> texts;

    explicit Png16(const fs::path& path) {
        const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
        png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
        png_infop info = png_create_info_struct(png);
        png_init_io(png, file.get());
        png_read_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
        BOOST_REQUIRE_EQUAL(int{png_get_bit_depth(png, info)}, 16);
        BOOST_REQUIRE_EQUAL(int{png_get_color_type(png, info)}, PNG_COLOR_TYPE_GRAY);
        size = {static_cast<int>(png_get_image_width(png, info)), static_cast<int>(png_get_image_height(png, info))};
        for (int y = 0; y < size.height; ++y)
            for (int x = 0; x < size.width; ++x) {
                const png_bytep pixel = png_get_rows(png, info)[y] + 2 * x;
                levels.push_back(pixel[0] * 256U + pixel[1]);
            }
        png_textp text = nullptr;
        int count = 0;
        png_get_text(png, info, &text, &count);
        for (int i = 0; i < count; ++i) texts[text[i].key] = text[i].text;
        png_destroy_read_struct(&png, &info, nullptr);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(npy) {
    const PictureMap map = some_map();
    const fs::path path = dinomaly::test::scratch_dir("npy") / "a.npy";
    write_map(path, map, MapFormat::npy);
    const std::string file = dinomaly::io::read_text(path);
    BOOST_REQUIRE(file.size() > 128);
    BOOST_TEST(file.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
    const std::size_t header = static_cast<std::uint8_t>(file[8]) + 256U * static_cast<std::uint8_t>(file[9]);
    BOOST_TEST((10 + header) % 64 == 0);
    BOOST_TEST(file[9 + header] == '\n');
    const std::string words = "{'descr': '<f4', 'fortran_order': False, 'shape': (117, 203), }";
    BOOST_TEST(file.substr(10, words.size()) == words);
    std::vector<float> values(203 * 117);
    BOOST_REQUIRE_EQUAL(file.size(), 10 + header + values.size() * sizeof(float));
    std::memcpy(values.data(), file.data() + 10 + header, values.size() * sizeof(float));
    check_same(values, map.values());
}

BOOST_AUTO_TEST_CASE(tiff) {
    const PictureMap map = some_map();
    const fs::path path = dinomaly::test::scratch_dir("tiff") / "a.tiff";
    write_map(path, map, MapFormat::tiff);
    const std::unique_ptr<TIFF, void (*)(TIFF*)> file(TIFFOpen(path.c_str(), "r"), TIFFClose);
    BOOST_REQUIRE(file != nullptr);
    std::uint32_t width = 0, height = 0;
    std::uint16_t bits = 0, format = 0;
    TIFFGetField(file.get(), TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(file.get(), TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(file.get(), TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetField(file.get(), TIFFTAG_SAMPLEFORMAT, &format);
    BOOST_TEST(width == 203);
    BOOST_TEST(height == 117);
    BOOST_TEST(bits == 32);
    BOOST_TEST(format == SAMPLEFORMAT_IEEEFP);
    std::vector<float> values(203 * 117);
    for (std::uint32_t y = 0; y < height; ++y)
        BOOST_REQUIRE_EQUAL(TIFFReadScanline(file.get(), values.data() + y * 203, y, 0), 1);
    check_same(values, map.values());
}

BOOST_AUTO_TEST_CASE(png) {
    const PictureMap map = some_map();
    const fs::path path = dinomaly::test::scratch_dir("png") / "a.png";
    write_map(path, map, MapFormat::png);
    const Png16 file(path);
    BOOST_TEST(file.size == PictureSize(203, 117));
    const std::vector<float> values = map.values();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double expected = std::isnan(values[i]) ? 0 : std::min(2.0, static_cast<double>(values[i]));
        BOOST_REQUIRE_SMALL(file.levels[i] * 2.0 / 65535 - expected, 1.001 / 65535);
    }
    BOOST_TEST(*std::ranges::max_element(file.levels) == 65535);
    BOOST_TEST(file.texts.at("Scale") == "value = pixel * 2 / 65535");
    BOOST_TEST(file.texts.at("Covered") == "left 25, top 15, width 153, height 87");
    BOOST_CHECK((read_size(path) == file.size));
}

BOOST_AUTO_TEST_CASE(names_of_files) {
    BOOST_TEST(extension(MapFormat::png) == std::string(".png"));
    BOOST_TEST(extension(MapFormat::tiff) == std::string(".tiff"));
    BOOST_TEST(extension(MapFormat::npy) == std::string(".npy"));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_leaves_nothing) {
    const fs::path folder = dinomaly::test::scratch_dir("none");
    fs::create_directory(folder / "taken");
    for (const MapFormat format : {MapFormat::png, MapFormat::tiff, MapFormat::npy}) {
        BOOST_CHECK_THROW(write_map(folder / "absent" / "a", some_map(), format), Error);
        BOOST_CHECK_EXCEPTION(write_map(folder / "taken", some_map(), format), Error, [&](const Error& error) {
            return std::string(error.what()) ==
                   "[" + (folder / "taken").string() + "] cannot be written: it exists and is not a regular file";
        });
    }
    BOOST_TEST(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
}
