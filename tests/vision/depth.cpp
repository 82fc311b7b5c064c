// SPDX-License-Identifier: Apache-2.0
// Depths: TIFFs of floating-point values, holes filled, and their picture beside the oracle's.
#define BOOST_TEST_MODULE vision_depth

#include "dinomaly/vision/depth.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <vector>

#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/depth_writer.hpp"
#include "dinomaly/vision/loader.hpp"
#include "dinomaly/vision/source.hpp"
#include "tests/errors.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::test::expect_error;
using dinomaly::test::scratch_dir;

namespace fs = std::filesystem;

namespace {

std::uint32_t checksum(const Image& image) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i) sum += static_cast<std::uint32_t>(i + 1) * image.pixels[i];
    return sum;
}

template <class Value> DepthMap make_depth(int width, int height, const Value& value) {
    DepthMap depth{width, height, {}};
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) depth.values.push_back(static_cast<float>(value(x, y)));
    return depth;
}

void write(const fs::path& path, const std::vector<std::byte>& bytes) {
    fs::create_directories(path.parent_path());
    dinomaly::io::write_atomically(path, [&](dinomaly::io::OutputFile& out) { out.write(bytes); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(pictures_of_depths_are_the_oracles) {
    DepthMap depth =
        make_depth(7, 6, [](int x, int y) { return (x + y) % 5 != 0 ? (y * 7 + x) * 37 % 101 / 100.0 : 0.0; });
    depth.values[3 * 7 + 3] = -0.5F;
    const Image picture = depth_picture(depth);
    BOOST_TEST(checksum(picture) == 830766U);
    const std::vector<std::uint8_t> start{0, 0, 0, 255, 200, 0, 255, 8, 0, 255, 255, 170, 255, 148, 0};
    BOOST_TEST(std::vector<std::uint8_t>(picture.pixels.begin(), picture.pixels.begin() + 15) == start,
               boost::test_tools::per_element());
    const DepthMap large = make_depth(
        40, 30, [](int x, int y) { return x * y % 3 != 0 ? (y * 40 + x) * 7919 % 10007 / 10007.0 * 0.3 + 0.4 : 0.0; });
    BOOST_TEST(checksum(depth_picture(large)) == 385230118U);
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_colours) {
    BOOST_CHECK((hot_color(0) == Color{0, 0, 0}));
    BOOST_CHECK((hot_color(1) == Color{2, 0, 0}));
    BOOST_CHECK((hot_color(99) == Color{248, 0, 0}));
    BOOST_CHECK((hot_color(190) == Color{255, 220, 0}));
    BOOST_CHECK((hot_color(255) == Color{255, 255, 255}));
}

BOOST_AUTO_TEST_CASE(depths_of_nothing_and_of_one_plane) {
    const Image none = depth_picture(make_depth(3, 2, [](int, int) { return 0; }));
    BOOST_TEST(std::ranges::max(none.pixels) == 0);
    const Image flat = depth_picture(make_depth(3, 2, [](int x, int) { return x > 0 ? 0.5 : 0; }));
    BOOST_TEST(static_cast<int>(flat.pixels[0]) == 0);
    BOOST_TEST(static_cast<int>(flat.pixels[5]) == 255);
    DepthMap broken = make_depth(2, 1, [](int, int) { return 1; });
    broken.values[0] = std::numeric_limits<float>::quiet_NaN();
    BOOST_TEST(static_cast<int>(depth_picture(broken).pixels[0]) == 0);
}

BOOST_AUTO_TEST_CASE(holes_are_filled_in_three_passes) {
    DepthMap depth = make_depth(9, 5, [](int, int) { return 0; });
    depth.values[0] = 1, depth.values[10] = 2, depth.values[18] = -1, depth.values[44] = 8;
    const std::vector<float> expected{1, 1.5F, 2, 2, 2, 0, 0, 0, 0, 1.5F, 2, 2, 2, 2, 8, 8, 8, 8, -1, 2, 2, 2, 2,
                                      8, 8,    8, 8, 2, 2, 2, 2, 2, 8,    8, 8, 8, 2, 2, 2, 2, 2, 8,  8, 8, 8};
    BOOST_TEST(filled_depth(depth).values == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(files_of_depths_and_of_places) {
    const DepthMap depth = make_depth(5, 4, [](int x, int y) { return x * 0.25 + y; });
    const DepthMap read = decode_depth(encode_float_tiff(depth.values, 5, 4), "z");
    BOOST_TEST((read.width == 5 && read.height == 4));
    BOOST_TEST(read.values == depth.values, boost::test_tools::per_element());
    std::vector<float> places;
    for (const float z : depth.values) places.insert(places.end(), {7, -7, z});
    BOOST_TEST(decode_depth(encode_float_tiff(places, 5, 4, 3), "xyz").values == filled_depth(depth).values,
               boost::test_tools::per_element());
    BOOST_CHECK_THROW(encode_float_tiff(places, 5, 4), dinomaly::Error);
}

BOOST_AUTO_TEST_CASE(other_files_are_refused) {
    std::vector<std::byte> file = encode_float_tiff(std::vector<float>(20, 1.0F), 5, 4);
    std::vector<std::byte> cut(file.begin(), file.end() - 8);
    expect_error([&] { decode_depth(cut, "z.tiff"); }, {"z.tiff] not a sound TIFF"});
    std::vector<std::byte> whole = file;
    whole[8 + 2 + 9 * 12 + 8] = std::byte{1};  // the format: whole numbers
    expect_error([&] { decode_depth(whole, "z.tiff"); },
                 {"a TIFF of 1 whole values of 32 bits a pixel, 1 depth or 3 coordinates of 32 bits in floating point "
                  "expected"});
    file.resize(3);
    expect_error([&] { decode_depth(file, "z.tiff"); }, {"z.tiff] not a sound TIFF"});
}

BOOST_AUTO_TEST_CASE(a_source_with_depths_makes_two_pictures) {
    const fs::path folder = scratch_dir("pictures_with_depths");
    Image rgb = make_image(30, 20, 3);
    for (std::size_t i = 0; i < rgb.pixels.size(); ++i) rgb.pixels[i] = static_cast<std::uint8_t>(i * 7 + 1);
    const DepthMap depth = make_depth(30, 20, [](int x, int y) { return x > 14 ? y + 1 : 0; });
    write_png(folder / "rgb.png", rgb);
    write(folder / "z.tiff", encode_float_tiff(depth.values, 30, 20));
    const Source source{folder / "rgb.png", std::nullopt, folder / "z.tiff"};
    BOOST_TEST(source.pictures() == 2U);
    const std::vector<Image> pictures = SourceReader(1).read_all(source);
    BOOST_REQUIRE(pictures.size() == 2U);
    Image black = rgb;
    blacken_without_depth(black, depth, "");
    BOOST_CHECK(pictures[0] == black);
    BOOST_CHECK(pictures[0] != rgb);
    BOOST_TEST(static_cast<int>(pictures[0].pixels[3 * 14]) == 0);
    BOOST_TEST(pictures[0].pixels[3 * 15] == rgb.pixels[3 * 15]);
    BOOST_CHECK(pictures[1] == depth_picture(depth));

    const Preprocess sizes{.size = 16, .crop = 14};
    Loader loader({source, source}, {{0, 1}}, sizes);
    const std::vector<float> pixels = loader.next()->pixels;
    BOOST_REQUIRE(pixels.size() == 2 * 2 * sizes.count());
    for (std::size_t i = 0; i < 4; ++i) {
        const std::vector<float> expected = to_input(pictures[i % 2], sizes);
        BOOST_CHECK(std::equal(expected.begin(), expected.end(),
                               pixels.begin() + static_cast<std::ptrdiff_t>(i * expected.size())));
    }
    expect_error(
        [&] {
            Loader({source, {folder / "rgb.png", std::nullopt}}, {{0}}, sizes);
        },
        {"rgb.png] depths of some pictures, but not of all"});
    write_png(folder / "other.png", make_image(29, 20, 3));
    expect_error(
        [&] {
            SourceReader(1).read_all({folder / "other.png", std::nullopt, folder / "z.tiff"});
        },
        {"z.tiff] depths of 30x20 for a picture of 29x20, the same expected"});
}
