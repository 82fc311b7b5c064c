// SPDX-License-Identifier: Apache-2.0
// The resize against Pillow 13, byte for byte: the golden set, and sizes around the rule for the order of the passes;
// and against a plain computation for sizes that leave lanes and words unfilled.
#define BOOST_TEST_MODULE vision_resize

#include "dinomaly/vision/resize.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "dinomaly/vision/codec.hpp"
#include "tests/plain_resize.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::test::plain_resize;

namespace {

/// Input data/resize_<from>.png and Pillow's result data/resize_<from>.to_<to>.png.
struct Case {
    std::string from;
    std::string to;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << c.from << " to " << c.to;
}

const Case cases[] = {{"30x60", "20x40"},  // rows saved = 2 * columns saved: rows first
                      {"30x61", "20x40"},  // one more: columns first
                      {"12x40", "30x20"}, {"40x12", "20x30"}, {"24x30", "24x17"}, {"30x24", "17x24"},
                      {"50x1", "7x3"},    {"1x50", "3x7"},    {"700x2", "3x2"}};

Image noise(int width, int height, int channels, std::mt19937& random) {
    Image image = make_image(width, height, channels);
    for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(random());
    return image;
}

Image cut(const Image& image, const Window& part) {
    Image out = make_image(part.width, part.height, image.channels);
    for (int y = 0; y < part.height; ++y)
        std::copy_n(image.row(part.top + y) + part.left * image.channels, out.stride(), out.row(y));
    return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(golden_pictures) {
    const std::filesystem::path folder = dinomaly::test::golden_dir() / "resize";
    const auto golden = nlohmann::json::parse(std::ifstream(folder / "cases.json"));
    for (const auto& entry : golden.at("cases")) {
        BOOST_TEST_CONTEXT(entry.at("name")) {
            const std::filesystem::path file = folder / entry.at("file").get<std::string>();
            const Image expected = read_picture(folder / entry.at("expected").get<std::string>());
            const Image image = expected.channels == 1 ? read_grey(file) : read_rgb(file);
            BOOST_TEST(image.width == entry.at("width").get<int>());
            BOOST_TEST(image.height == entry.at("height").get<int>());
            const int size = entry.at("size").get<int>();
            BOOST_CHECK(resize(image, size, size) == expected);
        }
    }
    BOOST_TEST(golden.at("cases").size() >= 1U);
}

BOOST_AUTO_TEST_CASE(order_of_passes_and_odd_sizes) {
    const std::filesystem::path folder = dinomaly::test::source_dir() / "tests" / "vision" / "data";
    for (const Case& c : cases) {
        BOOST_TEST_CONTEXT(c) {
            const Image expected = read_picture(folder / ("resize_" + c.from + ".to_" + c.to + ".png"));
            const Image image = read_picture(folder / ("resize_" + c.from + ".png"));
            BOOST_CHECK(resize(image, expected.width, expected.height) == expected);
        }
    }
}

BOOST_AUTO_TEST_CASE(random_sizes_agree_with_a_plain_computation) {
    std::mt19937 random(17);
    const auto below = [&](int bound) { return 1 + static_cast<int>(random() % static_cast<unsigned>(bound)); };
    for (int trial = 0; trial < 300; ++trial) {
        const Image image = noise(below(90), below(90), trial % 2 == 0 ? 3 : 1, random);
        const int width = trial % 5 == 0 ? image.width : below(80), height = trial % 7 == 0 ? image.height : below(80);
        BOOST_TEST_CONTEXT(image.width << "x" << image.height << "x" << image.channels << " to " << width << "x"
                                       << height) {
            const Image expected = plain_resize(image, width, height);
            BOOST_REQUIRE(resize(image, width, height) == expected);
            Window part{.width = below(width), .height = below(height)};
            part.left = below(width - part.width + 1) - 1;
            part.top = below(height - part.height + 1) - 1;
            BOOST_REQUIRE(resize(image, width, height, part) == cut(expected, part));
        }
    }
}

BOOST_AUTO_TEST_CASE(the_same_size_changes_nothing) {
    const Image image{2, 2, 1, {0, 255, 13, 200}};
    BOOST_CHECK(resize(image, 2, 2) == image);
}

BOOST_AUTO_TEST_CASE(a_plain_picture_stays_plain) {
    Image white = make_image(137, 61, 3);
    white.pixels.assign(white.pixels.size(), 255);
    for (std::uint8_t value : resize(white, 20, 300).pixels) BOOST_REQUIRE(value == 255);
}

BOOST_AUTO_TEST_CASE(impossible_sizes_are_refused) {
    const Image image{1, 1, 1, {5}};
    BOOST_CHECK_THROW(resize(image, 0, 3), dinomaly::Error);
    BOOST_CHECK_THROW(resize(image, 1 << 20, 1 << 20), dinomaly::Error);
    BOOST_CHECK_THROW(resize(Image{2, 2, 1, {5}}, 3, 3), dinomaly::Error);
    for (const Window& part : {Window{-1, 0, 2, 2}, Window{0, 3, 1, 2}, Window{0, 0, 0, 1}, Window{0, 0, 5, 4},
                               Window{2, 2, std::numeric_limits<int>::max(), 1}})
        BOOST_CHECK_THROW(resize(image, 4, 4, part), dinomaly::Error);
}
