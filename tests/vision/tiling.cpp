// SPDX-License-Identifier: Apache-2.0
// Tiles: every pixel is seen, the weights of the windows sum to one, their maps make one map.
#define BOOST_TEST_MODULE vision_tiling

#include "dinomaly/vision/tiling.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "dinomaly/vision/map_blend.hpp"
#include "dinomaly/vision/source.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;

namespace {

const Preprocess sizes{};  // 448, middle 392
const Preprocess oblong{.size = {224, 112}, .crop = {196, 84}};

std::string text_of_error(const auto& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool says(const std::string& text, const std::string& words) {
    if (text.find(words) != std::string::npos) return true;
    BOOST_TEST_MESSAGE(text);
    return false;
}

/// A map of a window that holds slope_x * x + slope_y * y of the picture's pixels.
std::vector<float> ramp(const Tiling& tiling, std::size_t i, int side, double slope_x, double slope_y) {
    const Window window = tiling.window(i);
    std::vector<float> map;
    for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x) {
            const double px = window.left + tiling.columns().margin + (x + 0.5) / side * tiling.columns().seen;
            const double py = window.top + tiling.rows().margin + (y + 0.5) / side * tiling.rows().seen;
            map.push_back(static_cast<float>(slope_x * px + slope_y * py));
        }
    return map;
}

std::vector<float> blended(const Tiling& tiling, MapBlend& blend, int side, double slope_x, double slope_y) {
    for (std::size_t i = tiling.count(); i-- > 0;) blend.add(i, ramp(tiling, i, side, slope_x, slope_y));
    return blend.take();
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_pixel_is_seen_and_neighbours_overlap) {
    for (const Preprocess& used : {sizes, oblong})
        for (const PictureSize tile : {PictureSize{100, 100}, {97, 203}, {448, 448}})
            for (const int width : {1, 50, 99, 100, 101, 150, 449, 1000, 1777})
                for (const int height : {1, 88, 210, 500, 2000}) {
                    const Tiling tiling({width, height}, used, tile);
                    if (tiling.is_whole()) {
                        BOOST_REQUIRE(width <= tile.width && height <= tile.height);
                        continue;
                    }
                    BOOST_REQUIRE(width > tile.width || height > tile.height);
                    for (const TileAxis* axis : {&tiling.columns(), &tiling.rows()}) {
                        const auto begin = [&](std::size_t i) { return axis->first[i] + axis->margin; };
                        BOOST_REQUIRE(begin(0) <= 0);
                        BOOST_REQUIRE(begin(axis->first.size() - 1) + axis->seen >= axis->pixels);
                        for (std::size_t i = 1; i < axis->first.size(); ++i)
                            BOOST_REQUIRE(begin(i) - begin(i - 1) <= axis->seen * 7 / 8 + 1);
                        // No window is there that could be missed: one fewer would not overlap by an eighth.
                        if (axis->first.size() > 2)
                            BOOST_REQUIRE(static_cast<double>(axis->first.size() - 2) * std::floor(axis->seen * 7 / 8) <
                                          axis->first.back() - axis->first.front());
                    }
                    BOOST_REQUIRE(tiling.window(tiling.count() - 1).left == tiling.columns().first.back());
                    BOOST_REQUIRE(tiling.window(tiling.count() - 1).width == tile.width);
                }
}

BOOST_AUTO_TEST_CASE(windows_stand_where_they_are_documented_to) {
    // A tile of 448 pixels shows 392 of them after 28: steps of at most 343 from -28 to 1000 - 28 - 392.
    const Tiling tiling({1000, 300}, sizes, 448);
    BOOST_TEST(tiling.count() == 3U);
    for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(tiling.window(i).left == (std::vector{-28, 276, 580}[i]));
    BOOST_TEST(tiling.window(0).top == -74);  // of an axis that one window sees it stands in the middle
    BOOST_TEST(tiling.window(2).height == 448);
    BOOST_CHECK((tiling.map_sizes() == Preprocess{.size = 392, .crop = 392}));
    const Tiling small({448, 448}, sizes, 448);
    BOOST_TEST(small.is_whole());
    BOOST_TEST(small.count() == 1U);
    BOOST_CHECK(small.map_sizes() == sizes);
    BOOST_TEST(Tiling({5000, 4000}, sizes, {}).is_whole());
    BOOST_TEST(!Tiling({449, 448}, sizes, 448).is_whole());
}

BOOST_AUTO_TEST_CASE(beyond_the_border_the_picture_is_mirrored) {
    Image image = make_image(5, 3, 1);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i);
    const auto at = [&](int x, int y) { return image.row(y)[x]; };
    const Image out = cut(image, {-2, -1, 9, 6});
    const std::vector<int> columns{2, 1, 0, 1, 2, 3, 4, 3, 2}, rows{1, 0, 1, 2, 1, 0};
    for (int y = 0; y < 6; ++y)
        for (int x = 0; x < 9; ++x)
            BOOST_TEST(out.row(y)[x] == at(columns[static_cast<std::size_t>(x)], rows[static_cast<std::size_t>(y)]));
    BOOST_CHECK(cut(image, {0, 0, 5, 3}) == image);
    for (int i = -40; i < 40; ++i) BOOST_TEST(mirrored(i, 1) == 0);
    BOOST_TEST(mirrored(-9, 5) == 1);  // mirrored twice

    Image colours = make_image(4, 4, 3);
    for (std::size_t i = 0; i < colours.pixels.size(); ++i) colours.pixels[i] = static_cast<std::uint8_t>(5 * i);
    const Image far = cut(colours, {6, 1, 3, 2});  // wholly outside: columns 6, 7, 8 are 0, 1, 2
    for (int c = 0; c < 3; ++c) {
        BOOST_TEST(far.row(0)[c] == colours.row(1)[c]);
        BOOST_TEST(far.row(1)[6 + c] == colours.row(2)[6 + c]);
    }
}

BOOST_AUTO_TEST_CASE(weights_sum_to_one) {
    for (const Preprocess& used : {sizes, oblong})
        for (const PictureSize picture : {PictureSize{1000, 300}, {101, 5}, {333, 999}, {4000, 101}}) {
            const Tiling tiling(picture, used, 100);
            MapBlend blend(tiling, 16);
            const std::vector<float> ones(16 * 16, 1.0F);
            for (std::size_t i = 0; i < tiling.count(); ++i) blend.add(i, ones);
            const PictureSize size = blend.size();
            const std::vector<float> map = blend.take();
            BOOST_REQUIRE(static_cast<std::int64_t>(map.size()) == size.pixels());
            for (const float value : map) BOOST_REQUIRE(std::abs(value - 1) < 1e-5);
        }
}

BOOST_AUTO_TEST_CASE(a_ramp_stays_a_ramp) {
    for (const Preprocess& used : {sizes, oblong}) {
        const PictureSize picture{1500, 700};
        const Tiling tiling(picture, used, {300, 260});
        MapBlend blend(tiling, 256);
        const PictureSize size = blend.size();
        const std::vector<float> map = blended(tiling, blend, 256, 0.4 / picture.width, 0.6 / picture.height);
        double worst = 0;
        for (int y = 0; y < size.height; ++y)
            for (int x = 0; x < size.width; ++x) {
                const double expected = 0.4 * (x + 0.5) / size.width + 0.6 * (y + 0.5) / size.height;
                const float found = map[static_cast<std::size_t>(y) * static_cast<std::size_t>(size.width) +
                                        static_cast<std::size_t>(x)];
                worst = std::max(worst, std::abs(static_cast<double>(found) - expected));
            }
        BOOST_TEST(worst < 1e-3);
    }
}

BOOST_AUTO_TEST_CASE(a_windows_map_keeps_its_resolution) {
    const Tiling tiling({2000, 1000}, sizes, 448);
    const MapBlend blend(tiling, 256);
    BOOST_CHECK((blend.size() == PictureSize{1306, 653}));  // 256 / 392 of the picture's sides
    BOOST_TEST(std::abs(blend.values_of_window() / 65536 - 1) < 1e-3);
    const Tiling many({20000, 12000}, sizes, 448);
    const MapBlend capped(many, 256);
    BOOST_TEST(static_cast<double>(capped.size().pixels()) <= 1.001 * MapBlend::max_values);
    BOOST_TEST(std::abs(static_cast<double>(capped.size().width) / capped.size().height - 20.0 / 12) < 1e-3);
    BOOST_TEST(capped.values_of_window() < 65536);
}

BOOST_AUTO_TEST_CASE(maps_are_resized_by_means) {
    const std::vector<float> map{0, 1, 2, 3, 4, 5, 6, 7};  // 4 x 2
    BOOST_TEST(resize_map(map, {4, 2}, {4, 2}) == map, boost::test_tools::per_element());
    // A triangle of 2 pixels to either side: weights 1, 3, 3, 1 of 8, cut at the border.
    const std::vector<float> half = resize_map(map, {4, 2}, {2, 2});
    const float left = (0 * 3 + 1 * 3 + 2 * 1) / 7.0F, right = (1 * 1 + 2 * 3 + 3 * 3) / 7.0F;
    for (std::size_t i = 0; i < 4; ++i)
        BOOST_TEST(std::abs(half[i] - ((i % 2 == 0 ? left : right) + (i < 2 ? 0 : 4))) < 1e-6);
    std::vector<float> spot(1000 * 1000, 0.0F);
    spot[500 * 1000 + 300] = 1;
    double sum = 0;
    for (const float value : resize_map(spot, 1000, 250)) sum += static_cast<double>(value);
    BOOST_TEST(std::abs(sum * 16 - 1) < 1e-5);  // nothing is lost
}

BOOST_AUTO_TEST_CASE(windows_are_read_from_files_that_are_decoded_once) {
    const std::filesystem::path folder = dinomaly::test::scratch_dir("sources");
    Image image = make_image(60, 40, 3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 7);
    write_png(folder / "a.png", image);
    const std::vector<Source> sources = sources_of(folder / "a.png", oblong, 32);
    const Tiling tiling({60, 40}, oblong, 32);
    BOOST_TEST(sources.size() == tiling.count());
    BOOST_TEST(sources[0].place() == "@-2,-4");
    SourceReader reader(1);
    const Image first = reader.read(sources[0]);
    std::filesystem::remove(folder / "a.png");
    BOOST_CHECK(first == cut(image, tiling.window(0)));
    for (std::size_t i = 1; i < sources.size(); ++i)
        BOOST_CHECK(reader.read(sources[i]) == cut(image, tiling.window(i)));
    BOOST_CHECK_THROW(reader.read({folder / "b.png", Window{0, 0, 8, 8}}), Error);
    BOOST_CHECK_THROW(reader.read(sources[0]), Error);  // of one picture alone it is kept
    BOOST_CHECK_THROW(sources_of(folder / "a.png", oblong, 32), Error);
    BOOST_TEST(sources_of(folder / "a.png", oblong, {}).size() == 1U);  // without tiles the file is not looked at
}

BOOST_AUTO_TEST_CASE(impossible_tiles_are_refused) {
    BOOST_TEST(says(text_of_error([] { Tiling({500, 500}, sizes, {0, 448}); }), "[tile] 0x448: sides of 1 to 100000"));
    BOOST_TEST(says(text_of_error([] { Tiling({500, 500}, sizes, 100001); }), "100001x100001"));
    BOOST_TEST(says(text_of_error([] {
                        Tiling({500, 500}, sizes, 2);
                    }),
                    "a tile of 2x2 cuts a picture of 500x500 into"));
    BOOST_TEST(says(text_of_error([] { Tiling({500000, 10}, sizes, 10); }), "more than 10000 windows"));
    BOOST_TEST(says(text_of_error([] { Tiling({0, 10}, sizes, {}); }), "a picture of 0x10"));
    BOOST_TEST(says(text_of_error([] { Tiling({500, 500}, {.size = 10, .crop = 14}, 20); }), "larger than size"));
    MapBlend blend(Tiling({500, 500}, sizes, 448), 16);
    BOOST_TEST(says(text_of_error([&] { blend.add(0, std::vector<float>(5)); }), "5 values, 16x16 expected"));
    BOOST_TEST(says(text_of_error([&] { blend.add(4, std::vector<float>(256)); }), "window 4 of 4"));
    BOOST_TEST(says(text_of_error([&] { resize_map(std::vector<float>(5), 2, 3); }), "5 values from 2x2"));
}
