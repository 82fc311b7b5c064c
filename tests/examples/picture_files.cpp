// SPDX-License-Identifier: Apache-2.0
// What predict writes for a picture: its files, and the numbers of its defects.
#define BOOST_TEST_MODULE examples_picture_files

#include "examples/dinomaly/judging/picture_files.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <string>
#include <vector>

#include "dinomaly/vision/codec.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::program;
namespace fs = std::filesystem;

namespace {

const vision::Preprocess sizes{.size = 56, .crop = 42};

/// 0.05 everywhere but for a square of map pixels, 0.4.
std::vector<float> map_with_square() {
    std::vector<float> map(256 * 256, 0.05F);
    for (std::size_t y = 64; y < 96; ++y)
        for (std::size_t x = 128; x < 192; ++x) map[y * 256 + x] = 0.4F;
    return map;
}

/// That map over a picture of 640x480, or of 64x48.
vision::PictureMap over(int width, int height) {
    return {map_with_square(), 256, 256, {width, height}, sizes};
}

vision::Image grey_picture(int width, int height) {
    vision::Image picture = vision::make_image(width, height, 1);
    picture.pixels.assign(picture.pixels.size(), 128);
    return picture;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_line_tells_of_defects_in_the_pictures_pixels) {
    // The crop is 800 .. 5600 x 600 .. 4200 less a bit of rounding: a map pixel is 18.75 x 14.06 pixels.
    const nlohmann::ordered_json line = write_picture_outputs({}, "a", grey_picture(640, 480), over(640, 480), 0.2F);
    BOOST_TEST(line.at("width") == 640);
    BOOST_TEST(line.at("height") == 480);
    BOOST_TEST(line.at("covered") == nlohmann::ordered_json({80, 60, 480, 360}));
    BOOST_TEST(line.at("pixel_threshold").get<float>() == 0.2F);
    BOOST_REQUIRE_EQUAL(line.at("defects").size(), 1);
    const nlohmann::ordered_json& defect = line.at("defects").front();
    BOOST_TEST(defect.at("box") == nlohmann::ordered_json({320, 150, 120, 45}));
    BOOST_TEST(defect.at("area") == 120 * 45);
    BOOST_TEST(defect.at("peak").get<float>() == 0.4F);
    BOOST_TEST(defect.at("peak_at").size() == 2);
    BOOST_TEST(!line.contains("overlay"));
    BOOST_TEST(!line.contains("map"));
    BOOST_TEST(write_picture_outputs({}, "a", grey_picture(640, 480), over(640, 480), 0.5F).at("defects").empty());
    PictureOutput large;
    large.min_area = 120 * 45 + 1;
    BOOST_TEST(write_picture_outputs(large, "a", grey_picture(640, 480), over(640, 480), 0.2F).at("defects").empty());
}

BOOST_AUTO_TEST_CASE(without_a_threshold_nothing_is_called_a_defect) {
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    const auto line = write_picture_outputs({}, "a", grey_picture(64, 48), over(64, 48), none);
    BOOST_TEST(line.at("pixel_threshold").is_null());
    BOOST_TEST(line.at("defects").is_null());
}

BOOST_AUTO_TEST_CASE(files_stand_in_their_folders) {
    const fs::path folder = test::scratch_dir("files");
    PictureOutput output{.overlays = folder / "a" / "heat", .maps = folder / "raw"};
    make_output_folders(output);
    const vision::Image picture = grey_picture(640, 480);
    for (const auto& [name, format] : map_formats()) {
        output.format = format;
        const auto line = write_picture_outputs(output, "p", picture, over(640, 480), 0.2F);
        BOOST_TEST(line.at("map").get<std::string>() == (folder / "raw" / ("p-map." + name)).string());
        BOOST_TEST(fs::file_size(folder / "raw" / ("p-map." + name)) > 100);
    }
    const vision::Image drawn = vision::read_picture(output.overlays / "p-overlay.png");
    BOOST_TEST(drawn.width > 640);
    BOOST_TEST(drawn.height == 480);
    const auto channel = [&](int x, int y, int c) { return int{drawn.row(y)[3 * x + c]}; };
    BOOST_TEST(channel(380, 170, 0) > channel(380, 170, 2));   // hot
    BOOST_TEST(channel(200, 300, 0) <= channel(200, 300, 2));  // cold
    int brightest = 0;
    for (int x = 310; x < 330; ++x) brightest = std::max(brightest, channel(x, 170, 2));
    BOOST_TEST(brightest > 200);  // the outline
}

BOOST_AUTO_TEST_CASE(a_range_replaces_the_scale) {
    const fs::path folder = test::scratch_dir("range");
    PictureOutput output;
    output.overlays = folder;
    const auto draw = [&](float threshold) {
        write_picture_outputs(output, "p", grey_picture(64, 48), over(64, 48), threshold);
        return vision::read_picture(folder / "p-overlay.png");
    };
    constexpr float none = std::numeric_limits<float>::quiet_NaN();
    const vision::Image by_threshold = draw(0.2F), by_default = draw(none);
    BOOST_CHECK(by_threshold != by_default);
    output.range = {0.0F, 0.6F};  // 0.3 in the middle is the scale where nothing is known
    BOOST_CHECK(draw(none) == by_default);
    output.range = {0.0F, 0.4F};
    BOOST_CHECK(draw(none) != by_default);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made) {
    const fs::path folder = test::scratch_dir("no_folder");
    io::write_text(folder / "file", "x");
    PictureOutput output;
    output.maps = folder / "file" / "raw";
    BOOST_CHECK_EXCEPTION(make_output_folders(output), Error, [&](const Error& error) {
        return std::string(error.what()) == "[" + output.maps.string() + "] the folder cannot be made: Not a directory";
    });
}
