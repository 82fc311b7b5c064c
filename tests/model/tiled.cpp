// SPDX-License-Identifier: Apache-2.0
// Judging in tiles with a small model: equal to the plain form where both apply, a defect is found where it is, and the
// score of a defect does not depend on how large its picture is.
#define BOOST_TEST_MODULE model_tiled
#include "dinomaly/tiled.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <numeric>
#include <vector>

#include "dinomaly/evaluate.hpp"
#include "dinomaly/judge_files.hpp"
#include "dinomaly/predictor.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

const vision::Preprocess small_sizes{.size = {64, 48}, .crop = {56, 42}};
constexpr vision::PictureSize small_tile{64, 48};  // of as many pixels as the network gets

Predictor<D> predictor(vision::PictureSize tile = small_tile) {
    ModelInfo info;
    info.sizes = small_sizes;
    info.tile = tile;
    return {std::make_shared<const FrozenDinomaly<D>>(small_model<D>()), info};
}

/// Noise, and where it is asked for a white square of 12 pixels.
vision::Image draw(int width, int height, int left = -1, int top = -1) {
    vision::Image image = vision::make_image(width, height, 3);
    std::uint32_t state = 1;
    for (std::uint8_t& value : image.pixels)
        value = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 25);
    for (int y = top; left >= 0 && y < top + 12; ++y) std::fill_n(image.row(y) + 3 * left, 3 * 12, std::uint8_t{255});
    return image;
}

/// A judge whose maps are the crops' first channel, brought to 8 x 8 cells: it shows what the network would see.
struct Mirror {
    vision::Preprocess seen = small_sizes;
    vision::PictureSize tiles = small_tile;
    mutable std::vector<std::int64_t> counts;

    vision::Preprocess sizes() const { return seen; }
    vision::PictureSize tile() const { return tiles; }
    std::vector<Prediction> judge(std::span<const float> pixels, std::int64_t count) const {
        counts.push_back(count);
        std::vector<Prediction> all;
        for (std::int64_t i = 0; i < count; ++i) {
            const std::span<const float> plane =
                pixels.subspan(static_cast<std::size_t>(i) * seen.count(), seen.count() / 3);
            Prediction one;
            one.map_width = seen.crop.width;
            one.map_height = seen.crop.height;
            one.map.assign(plane.begin(), plane.end());
            one.score = dinomaly::detail::mean_of_largest_values(one.map, one.map.size() / 100);
            all.push_back(std::move(one));
        }
        return all;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_picture_of_one_tile_is_judged_as_without_tiles) {
    const Predictor<D> tiled = predictor(), plain = predictor({});
    for (const vision::PictureSize size : {small_tile, vision::PictureSize{64, 20}, {30, 48}, {7, 5}}) {
        const vision::Image picture = draw(size.width, size.height);
        const Prediction found = tiled(picture), expected = plain(picture);
        BOOST_TEST(found.score == expected.score);
        BOOST_TEST(found.map == expected.map, boost::test_tools::per_element());
        BOOST_TEST(found.map_width == 256);
        BOOST_CHECK(tiled.map_sizes(size) == small_sizes);
        const Prediction prepared = std::move(plain.judge(vision::to_input(picture, small_sizes), 1).front());
        BOOST_TEST(expected.score == prepared.score);
    }
}

BOOST_AUTO_TEST_CASE(a_window_that_is_alone_at_a_place_gives_its_own_map_there) {
    // 100 x 40: the windows' seen parts are 56 x 42. Near the left border the first window is alone.
    const Predictor<D> judge = predictor();
    const vision::Image picture = draw(100, 40);
    const vision::Tiling tiling({100, 40}, small_sizes, small_tile);
    BOOST_TEST(tiling.count() == 2U);
    const Prediction all = judge(picture);
    const Prediction first =
        std::move(judge.judge(vision::to_input(vision::cut(picture, tiling.window(0)), small_sizes), 1).front());
    BOOST_TEST(all.map_width == 457);  // 256 a window: 100 / 56 of it
    BOOST_TEST(all.map_height == 244);
    for (int x = 0; x < 200; ++x) {  // the second window's begins at 44 of 100 pixels
        const auto column = static_cast<std::size_t>(x);
        const float expected = first.map[128 * 256 + column], found = all.map[122 * 457 + column];
        BOOST_REQUIRE(std::abs(found - expected) < 0.02F * expected);
    }
    BOOST_CHECK((judge.map_sizes({100, 40}) == vision::Preprocess{.size = {56, 42}, .crop = {56, 42}}));
}

BOOST_AUTO_TEST_CASE(what_the_windows_see_is_the_picture) {
    const Mirror judge;
    const vision::Image picture = draw(301, 200);
    const Prediction all = judge_tiled(judge, picture, small_tile);
    BOOST_TEST(all.map_width == 301);  // a crop of 56 is 56 pixels
    BOOST_TEST(all.map_height == 200);
    float worst = 0;
    for (int y = 0; y < 200; ++y)
        for (int x = 0; x < 301; ++x) {
            const float expected =
                (static_cast<float>(picture.row(y)[3 * x]) / 255 - vision::pixel_mean[0]) / vision::pixel_deviation[0];
            worst = std::max(worst, std::abs(all.map[static_cast<std::size_t>(301 * y + x)] - expected));
        }
    BOOST_TEST(worst < 1e-4);
    const std::int64_t windows = std::accumulate(judge.counts.begin(), judge.counts.end(), std::int64_t{0});
    BOOST_TEST(windows == static_cast<std::int64_t>(vision::Tiling({301, 200}, small_sizes, small_tile).count()));
    BOOST_TEST(*std::ranges::max_element(judge.counts) == 4);
}

BOOST_AUTO_TEST_CASE(a_defect_weighs_the_same_in_pictures_of_any_size) {
    const Mirror judge;
    const float small = judge_tiled(judge, draw(100, 90, 40, 40), small_tile).score;
    const float large = judge_tiled(judge, draw(900, 700, 500, 440), small_tile).score;
    const float none = judge_tiled(judge, draw(900, 700), small_tile).score;
    BOOST_TEST(small == large);
    BOOST_TEST(none < large - 1);
}

BOOST_AUTO_TEST_CASE(batches_of_windows_change_nothing) {
    const Predictor<D> judge = predictor();
    const vision::Image picture = draw(150, 100);
    const Prediction one = judge_tiled(judge, picture, small_tile, 1),
                     five = judge_tiled(judge, picture, small_tile, 5);
    BOOST_TEST(one.score == five.score);
    BOOST_TEST(one.map == five.map, boost::test_tools::per_element());
    BOOST_CHECK_THROW(judge_tiled(judge, picture, small_tile, 0), Error);
}

BOOST_AUTO_TEST_CASE(files_are_judged_as_pictures_are) {
    const Predictor<D> judge = predictor();
    const std::filesystem::path folder = scratch_dir("files");
    std::vector<std::filesystem::path> files;
    for (const vision::PictureSize size : {vision::PictureSize{150, 100}, {60, 40}, {70, 130}}) {
        files.push_back(folder / (std::to_string(files.size()) + ".png"));
        vision::write_png(files.back(), draw(size.width, size.height));
    }
    for (const std::size_t batch : {1U, 4U, 100U}) {
        std::size_t expected = 0;
        judge_files(judge, files, {.batch = batch, .decode_threads = 2},
                    [&](std::size_t i, const Prediction& found, const vision::Preprocess& map_sizes) {
                        BOOST_TEST(i == expected++);
                        const vision::Image picture = vision::read_picture(files[i]);
                        const Prediction direct = judge(picture);
                        BOOST_TEST(found.score == direct.score);
                        BOOST_TEST((found.map == direct.map));
                        BOOST_TEST(found.map_width == direct.map_width);
                        BOOST_CHECK(map_sizes == judge.map_sizes({picture.width, picture.height}));
                    });
        BOOST_TEST(expected == 3U);
    }
}

BOOST_AUTO_TEST_CASE(figures_of_tiled_pictures_are_those_of_the_whole_picture) {
    // The square lies at the border, where the plain form does not look. Its map is the picture itself.
    const std::filesystem::path folder = scratch_dir("evaluated");
    vision::ClassData data{.name = "noise", .train = {}, .test = {}, .pairings = {}};
    for (int i = 0; i < 2; ++i) {
        const bool bad = i == 1;
        const std::filesystem::path file = folder / (std::to_string(i) + ".png"), mask = folder / "mask.png";
        vision::write_png(file, bad ? draw(300, 200, 0, 90) : draw(300, 200));
        vision::Image truth = vision::make_image(300, 200, 1);
        for (int y = 90; y < 102; ++y) std::fill_n(truth.row(y), 12, std::uint8_t{255});
        vision::write_png(mask, truth);
        data.test.push_back({file, bad ? std::optional(mask) : std::nullopt, "noise", bad ? "spot" : "good", bad});
    }
    Mirror judge{.seen = {}, .tiles = {200, 150}, .counts = {}};
    EvaluateOptions keeping_maps;
    keeping_maps.keep_maps = true;
    const ClassReport tiled = evaluate_class(judge, data, folder, keeping_maps);
    BOOST_TEST(tiled.maps.size() == 2U * 256 * 256);
    BOOST_TEST(tiled.image.auroc == 1.0);
    BOOST_TEST(tiled.above_half.auroc > 0.999);
    BOOST_TEST(tiled.above_half.ap > 0.95);
    BOOST_TEST(tiled.pictures[1].score > tiled.pictures[0].score + 1);
    judge.tiles = {};
    BOOST_TEST(std::isnan(evaluate_class(judge, data, folder).above_half.ap));  // none of the square is seen
}

BOOST_AUTO_TEST_CASE(impossible_tiles_are_refused) {
    Predictor<D> judge = predictor();
    BOOST_CHECK_THROW(judge.set_tile({0, 5}), Error);
    BOOST_CHECK_THROW(judge.set_tile(100001), Error);
    judge.set_tile({});
    BOOST_CHECK(judge.map_sizes({1000, 1000}) == small_sizes);
    BOOST_CHECK_THROW(judge_tiled(judge, draw(400, 400), 1), Error);
}
