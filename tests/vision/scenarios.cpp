// SPDX-License-Identifier: Apache-2.0
// Data sets with objects of several pictures: which pictures, views, masks, depths and labels are found.
#define BOOST_TEST_MODULE vision_scenarios

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "dinomaly/evaluate.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/object_fusion.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/objects.hpp"
#include "tests/errors.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::fuse_scores;
using dinomaly::test::expect_error;
using dinomaly::test::scratch_dir;

namespace fs = std::filesystem;
namespace io = dinomaly::io;

namespace {

void draw(const fs::path& root, const std::vector<std::string>& names, int width = 4, int height = 4) {
    for (const std::string& name : names) {
        fs::create_directories((root / name).parent_path());
        write_png(root / name, make_image(width, height, 1));
    }
}

void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    io::write_text(file, text);
}

/// "picture:mask object part", a ! before what is bad itself, * before what has a bad object; separated by "; ".
std::string listing(const std::vector<Sample>& samples, const fs::path& root) {
    std::string text;
    for (const Sample& s : samples) {
        text += text.empty() ? "" : "; ";
        text += std::string(s.anomalous ? "!" : "") + (s.object_is_bad ? "*" : "");
        text += s.picture.lexically_relative(root).string() + source_of(s).place();
        if (s.mask) text += ':' + s.mask->lexically_relative(root).string();
        if (!s.depth.empty()) text += '^' + s.depth.lexically_relative(root).string();
        if (!s.object.empty()) text += ' ' + s.object + ' ' + s.part;
    }
    return text;
}

/// Values in 0 .. 1 + seed / 10 in no order, as the oracle was given them.
std::vector<float> noise_map(std::uint64_t seed) {
    std::vector<float> map;
    for (std::uint64_t i = 0; i < 65536; ++i) {
        const std::uint64_t word = (i * 2654435761U + seed * 40503U) % (std::uint64_t{1} << 32) >> 8;
        map.push_back(
            static_cast<float>(static_cast<double>(word) / 16777216.0 * (1 + static_cast<double>(seed) * 0.1)));
    }
    return map;
}

struct Judged {
    float score = 0;
    std::vector<float> map;
    int map_width = 256, map_height = 256;
};

/// Finds a picture as odd as its first pixel is bright: that in the corner of the map, where it is ten times as much.
struct BrightnessJudge {
    Preprocess size{.size = 28, .crop = 28};
    std::size_t pictures = 1;

    const Preprocess& sizes() const { return size; }
    std::vector<Judged> judge(std::span<const float> pixels, std::int64_t count) const {
        std::vector<Judged> judged;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            const float first = pixels[i * pictures * size.count()] * pixel_deviation[0] + pixel_mean[0];
            Judged& each = judged.emplace_back(Judged{first, std::vector<float>(65536, first / 10)});
            std::fill_n(each.map.begin(), 655, first);
        }
        return judged;
    }
};

void paint(const fs::path& file, int level, int width = 40, int height = 40) {
    fs::create_directories(file.parent_path());
    Image image = make_image(width, height, 1);
    image.pixels.assign(image.pixels.size(), static_cast<std::uint8_t>(level));
    write_png(file, image);
}

}  // namespace

BOOST_AUTO_TEST_CASE(scores_of_objects_are_the_oracles) {
    std::vector<float> maps, scores;
    for (std::uint64_t view = 0; view < 5; ++view) {
        const std::vector<float> map = noise_map(view);
        scores.push_back(fuse_scores(ScoreFusion::views, std::vector<float>{0}, map));
        maps.insert(maps.end(), map.begin(), map.end());
    }
    const std::vector<float> expected{0.99500227F, 1.09449613F, 1.19400716F, 1.29350019F, 1.39301348F};
    for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(scores[i] == expected[i], boost::test_tools::tolerance(1e-6F));
    BOOST_TEST(fuse_scores(ScoreFusion::views, scores, maps) == 1.36501753F, boost::test_tools::tolerance(1e-6F));
    BOOST_TEST(fuse_scores(ScoreFusion::sum, std::vector<float>{scores[0], scores[3]}, maps) == 2.28850245F,
               boost::test_tools::tolerance(1e-6F));
    BOOST_TEST(fuse_scores(ScoreFusion::single, std::vector<float>{0.5F}, maps) == 0.5F);
    expect_error([&] { fuse_scores(ScoreFusion::single, scores, maps); }, {"5 pictures of one object"});
    expect_error([&] { fuse_scores(ScoreFusion::sum, {}, {}); }, {"no pictures to judge it by"});
}

BOOST_AUTO_TEST_CASE(objects_are_met_in_order_and_kept_whole) {
    std::vector<Sample> samples(5);
    samples[0].object = samples[3].object = "a";
    samples[1].object = samples[4].object = "b";
    samples[4].anomalous = true;
    const std::vector<Members> objects = objects_of(samples);
    BOOST_CHECK((objects == std::vector<Members>{{0, 3}, {1, 4}, {2}}));
    BOOST_TEST(count_objects(samples).bad == 1U);
    BOOST_TEST(count_objects(samples).good == 2U);
    BOOST_TEST(some_objects(samples, 1).size() == 2U);
    BOOST_TEST(some_objects(samples, 2).size() == 5U);
    BOOST_TEST(some_objects(samples, 2, 2).size() == 4U);
}

BOOST_AUTO_TEST_CASE(manta_has_five_views_a_picture) {
    const fs::path root = scratch_dir("manta");
    draw(root,
         {"food/nut/train/good/1.png", "food/nut/test/good/2.png", "food/nut/test/bad/3.png",
          "food/nut/ground_truth/bad/3.png", "metal/nut/train/good/1.png", "metal/bolt/train/good/1.png"},
         1290, 64);
    const DataSet data = scan(root, ScanOptions{});
    BOOST_CHECK(data.kind == DataSetKind::manta);
    BOOST_TEST(data.reason == "there are classes in folders, with pictures of five views");
    BOOST_REQUIRE(data.classes.size() == 3U);
    BOOST_TEST(data.classes[0].name == "bolt");
    BOOST_TEST(data.classes[1].name == "food-nut");
    BOOST_TEST(data.classes[2].name == "metal-nut");
    const ClassData& nut = data.classes[1];
    BOOST_CHECK(nut.fusion == ScoreFusion::views);
    BOOST_TEST(nut.train.size() == 5U);
    BOOST_TEST(listing(nut.test, root / "food/nut/test") ==
               "!bad/3.png@0,0:../ground_truth/bad/3.png bad/3.png view 1; "
               "!bad/3.png@256,0:../ground_truth/bad/3.png bad/3.png view 2; "
               "!bad/3.png@512,0:../ground_truth/bad/3.png bad/3.png view 3; "
               "!bad/3.png@768,0:../ground_truth/bad/3.png bad/3.png view 4; "
               "!bad/3.png@1024,0:../ground_truth/bad/3.png bad/3.png view 5; "
               "good/2.png@0,0 good/2.png view 1; good/2.png@256,0 good/2.png view 2; "
               "good/2.png@512,0 good/2.png view 3; good/2.png@768,0 good/2.png view 4; "
               "good/2.png@1024,0 good/2.png view 5");
    BOOST_TEST(nut.test[0].is_labelled_by_mask);
    BOOST_TEST(!nut.test[5].is_labelled_by_mask);
    const Image last = SourceReader(1).read(source_of(nut.test[4])),
                third = SourceReader(1).read(source_of(nut.test[2]));
    BOOST_TEST((last.width == 266 && last.height == 64 && third.width == 256));
    BOOST_TEST(load_mask(nut.test[4], {.size = 28, .crop = 28}).size() == 28U * 28);
    expect_error([&] { sources_of(nut.test[4], {}, 512); },
                 {"3.png] views and pictures with depths are seen as a whole"});
    // A domain alone has to be named; pictures of another width are no views.
    BOOST_CHECK(scan(root / "food", ScanOptions{.dataset = DataSetKind::manta}).classes.at(0).fusion ==
                ScoreFusion::views);
    const fs::path other = scratch_dir("nested");
    draw(other, {"a/b/train/good/1.png"}, 256, 64);
    expect_error([&] { scan(other, ScanOptions{}); }, {"no pictures"});
    draw(other, {"c/train/good/1.png"}, 256, 64);
    const ClassData narrow = scan(other, ScanOptions{.dataset = DataSetKind::manta}).classes.at(0);
    expect_error([&] { SourceReader(1).read(source_of(narrow.train[1])); },
                 {"a/b/train/good/1.png] a picture of 256x64 has no part that begins at 256,0"});
}

BOOST_AUTO_TEST_CASE(realiad_as_views_of_objects) {
    const fs::path root = scratch_dir("realiad_views");
    write(root / "realiad_jsons/realiad_jsons/usb.json",
          R"({"meta": {"prefix": "usb/"}, "train": [
            {"image_path": "OK/S2/a.jpg", "mask_path": null, "anomaly_class": "OK"},
            {"image_path": "NG/S9/a.jpg", "mask_path": "NG/S9/a.png", "anomaly_class": "HS"}],
          "test": [
            {"image_path": "NG/S3/b.jpg", "mask_path": null, "anomaly_class": "HS"},
            {"image_path": "NG/S3/a.jpg", "mask_path": "NG/S3/a.png", "anomaly_class": "HS"},
            {"image_path": "OK/S1/a.jpg", "mask_path": null, "anomaly_class": "OK"},
            {"image_path": "NG/S4/a.jpg", "mask_path": null, "anomaly_class": "HS"},
            {"image_path": "OK/S1/b.jpg", "mask_path": null, "anomaly_class": "OK"}]})");
    draw(root, {"realiad_1024/usb/usb/OK/S2/a.jpg"});
    const fs::path pictures = root / "realiad_1024/usb/usb";
    const ClassData views = scan(root, ScanOptions{.multi_view = true}).classes.at(0);
    BOOST_CHECK(views.fusion == ScoreFusion::views);
    BOOST_TEST(listing(views.train, pictures) == "OK/S2/a.jpg OK/S2 a");
    BOOST_TEST(listing(views.test, pictures) ==
               "NG/S3/b.jpg NG/S3 b; !NG/S3/a.jpg:NG/S3/a.png NG/S3 a; NG/S4/a.jpg NG/S4 a; OK/S1/a.jpg OK/S1 a; "
               "OK/S1/b.jpg OK/S1 b");
    BOOST_TEST(count_objects(views.test).bad == 1U);
    BOOST_TEST(count_objects(views.test).good == 2U);
    const ClassData single = scan(root, ScanOptions{}).classes.at(0);
    BOOST_CHECK(single.fusion == ScoreFusion::single);
    BOOST_TEST(single.train.size() == 2U);
    BOOST_TEST(listing(single.test, pictures) ==
               "!NG/S3/b.jpg; !NG/S3/a.jpg:NG/S3/a.png; OK/S1/a.jpg; !NG/S4/a.jpg; OK/S1/b.jpg");
    const fs::path plain = scratch_dir("no_views");
    draw(plain, {"train/good/1.png"});
    expect_error([&] { scan(plain, ScanOptions{.multi_view = true}); },
                 {"--multi-view is for Real-IAD", "this is own folder"});
}

BOOST_AUTO_TEST_CASE(realiad_variety) {
    const fs::path root = scratch_dir("variety");
    write(
        root / "realiadvariety_jsons/pen.json",
        R"({"meta": {"prefix": "pen/"}, "train": [{"image_path": "OK/1/a.jpg", "mask_path": null, "anomaly_class": "OK"}],
          "test": []})");
    draw(root, {"realiadvariety_raw/pen/OK/1/a.jpg"});
    const DataSet data = scan(root, ScanOptions{.multi_view = true});
    BOOST_TEST(data.lists == "realiadvariety_jsons");
    BOOST_TEST(data.reason == "there is a folder realiadvariety_jsons");
    BOOST_TEST(listing(data.classes.at(0).train, root) == "realiadvariety_raw/pen/OK/1/a.jpg OK/1 a");
}

BOOST_AUTO_TEST_CASE(mulsen_has_pairs_in_the_order_of_their_numbers) {
    const fs::path root = scratch_dir("mulsen");
    for (const std::string side : {"RGB/", "Infrared/"})
        draw(root / "cube", {side + "train/10.png", side + "train/9.png", side + "test/good/0.png",
                             side + "test/dent/2.png", side + "test/dent/10.png", side + "test/dent/3.png"});
    draw(root / "cube", {"RGB/GT/dent/2.png", "Infrared/GT/dent/2.png", "Infrared/GT/dent/10.png"});
    const fs::path table = root / "cube/RGB/GT/dent/data.csv";
    write(table, "object,rgb,infrared,pointcloud\r\n2,1,1,1\r\n10, 0, 1, 0\r\n3,0,0,1\r\n\r\n");
    const DataSet data = scan(root, ScanOptions{});
    BOOST_CHECK(data.kind == DataSetKind::mulsen);
    BOOST_TEST(data.reason == "there are folders RGB and Infrared in cube");
    const ClassData& cube = data.classes.at(0);
    BOOST_CHECK(cube.fusion == ScoreFusion::sum);
    BOOST_TEST(listing(cube.train, root / "cube") ==
               "RGB/train/9.png good/9 rgb; Infrared/train/9.png good/9 infrared; RGB/train/10.png good/10 rgb; "
               "Infrared/train/10.png good/10 infrared");
    BOOST_TEST(
        listing(cube.test, root / "cube") ==
        "!*RGB/test/dent/2.png:RGB/GT/dent/2.png dent/2 rgb; !*Infrared/test/dent/2.png:Infrared/GT/dent/2.png dent/2 "
        "infrared; *RGB/test/dent/3.png dent/3 rgb; *Infrared/test/dent/3.png dent/3 infrared; "
        "*RGB/test/dent/10.png dent/10 rgb; !*Infrared/test/dent/10.png:Infrared/GT/dent/10.png dent/10 infrared; "
        "RGB/test/good/0.png good/0 rgb; Infrared/test/good/0.png good/0 infrared");
    BOOST_TEST(count_objects(cube.test).bad == 3U);
    BOOST_TEST(scan(root / "cube").at(0).name == "cube");

    write(table, "object,rgb,infrared,pointcloud\n2,1,1,1\n10,0,2,0\n");
    expect_error([&] { scan(root); }, {"data.csv:3] \"10,0,2,0\" found, an object's number and 0 or 1"});
    write(table, "object,rgb,infrared,pointcloud\n2,1,1\n");
    expect_error([&] { scan(root); }, {"data.csv:2] \"2,1,1\" found"});
    write(table, "object,rgb,infrared,pointcloud\n2,1,1,1\n3,0,0,1\n");
    expect_error([&] { scan(root); }, {"data.csv] no line for object 10, whose picture is", "dent/10.png"});
    fs::remove(table);
    expect_error([&] { scan(root); }, {"data.csv"});
    write(table, "object,rgb,infrared,pointcloud\n2,1,1,1\n3,0,0,1\n10,0,0,1\n");
    fs::remove(root / "cube/Infrared/test/dent/3.png");
    expect_error([&] { scan(root); }, {"RGB/test/dent] 3 RGB pictures, but 2 infrared ones; as many expected"});
    draw(root / "cube", {"Infrared/test/dent/three.png"});
    expect_error([&] { scan(root); }, {"three.png] a picture with a number for its name expected"});
}

BOOST_AUTO_TEST_CASE(mvtec_3d_has_depths_beside_its_pictures) {
    const fs::path root = scratch_dir("mvtec3d");
    draw(root / "rope", {"train/good/rgb/1.png", "test/good/rgb/1.png", "test/good/gt/1.png", "test/cut/rgb/1.png",
                         "test/cut/gt/1.png", "test/cut/rgb/2.png"});
    for (const char* file : {"train/good/z/1.tiff", "train/good/xyz/1.tiff", "test/good/xyz/1.tiff",
                             "test/cut/xyz/1.tiff", "test/cut/z/2.tiff"})
        write(root / "rope" / file, "depths");
    const DataSet data = scan(root, ScanOptions{});
    BOOST_CHECK(data.kind == DataSetKind::mvtec3d);
    BOOST_TEST(data.reason == "there are folders rgb in those of rope");
    const ClassData& rope = data.classes.at(0);
    BOOST_CHECK(rope.fusion == ScoreFusion::single);
    BOOST_TEST(listing(rope.train, root / "rope/train") == "good/rgb/1.png^good/z/1.tiff");
    BOOST_TEST(
        listing(rope.test, root / "rope/test") ==
        "!cut/rgb/1.png:cut/gt/1.png^cut/xyz/1.tiff; !cut/rgb/2.png^cut/z/2.tiff; good/rgb/1.png^good/xyz/1.tiff");
    BOOST_CHECK(rope.pairings.at(0).rule == MaskRule::partly);
    fs::remove(root / "rope/test/cut/z/2.tiff");
    expect_error([&] { scan(root); },
                 {"cut/rgb/2.png] no depths beside it: ", "cut/z/2.tiff, or the same in xyz, expected"});
}

BOOST_AUTO_TEST_CASE(a_class_with_views_is_judged_by_its_objects) {
    const fs::path root = scratch_dir("judged_views");
    draw(root, {"a/nut/train/good/1.png"}, 1280, 32);
    paint(root / "a/nut/test/good/1.png", 51, 1280, 32);  // 0.2
    paint(root / "a/nut/test/bad/1.png", 102, 1280, 32);  // 0.4
    paint(root / "a/nut/test/bad/2.png", 153, 1280, 32);  // 0.6
    Image mask = make_image(1280, 32, 1);
    for (int y = 0; y < 32; ++y) std::fill_n(mask.row(y) + 300, 100, std::uint8_t{255});
    fs::create_directories(root / "a/nut/ground_truth/bad");
    write_png(root / "a/nut/ground_truth/bad/1.png", mask);
    for (std::uint8_t& value : mask.pixels) value = value > 0 ? 254 : 0;
    write_png(root / "a/nut/ground_truth/bad/2.png", mask);  // no pixel is 255: the views count as good
    const ClassData data = scan(root, ScanOptions{}).classes.at(0);
    const dinomaly::ClassReport report = dinomaly::evaluate_class(BrightnessJudge{}, data, root);
    BOOST_REQUIRE(report.pictures.size() == 15U);
    BOOST_REQUIRE(report.objects.size() == 3U);
    BOOST_TEST(report.pictures[1].anomalous);
    BOOST_TEST(!report.pictures[0].anomalous);
    BOOST_TEST(!report.pictures[6].anomalous);
    BOOST_TEST(report.objects[0].path == "nut/bad/1.png");
    BOOST_TEST((report.objects[0].anomalous && !report.objects[1].anomalous && !report.objects[2].anomalous));
    // Of five maps the largest 3276 values: 5 x 655, and one more of a tenth.
    BOOST_TEST(report.objects[1].score == (3275 * 0.6F + 0.06F) / 3276, boost::test_tools::tolerance(1e-5F));
    BOOST_TEST(report.image.auroc == 0.5);
    BOOST_TEST(dinomaly::judged_pictures(report).good_scores.size() == 2U);
    BOOST_TEST(dinomaly::judged_pictures(report).bad_scores.size() == 1U);
    const nlohmann::json json = dinomaly::to_json({report});
    BOOST_TEST(json["objects"].size() == 3U);
    BOOST_TEST(json["pictures"][6]["object"] == "nut/bad/2.png");
    BOOST_TEST(json["pictures"][6]["path"] == "a/nut/test/bad/2.png@256,0");
    BOOST_TEST(!json["classes"]["nut"].contains("parts"));
}

BOOST_AUTO_TEST_CASE(pairs_are_judged_by_the_sum_and_their_parts) {
    const fs::path root = scratch_dir("judged_pairs");
    for (const auto& [name, rgb, infrared] : {std::tuple{"good/0", 51, 102}, {"dent/1", 51, 51}, {"dent/2", 204, 51}}) {
        paint(root / "cube/RGB/test" / (std::string(name) + ".png"), rgb);
        paint(root / "cube/Infrared/test" / (std::string(name) + ".png"), infrared);
    }
    Image mask = make_image(40, 40, 1);
    std::fill_n(mask.row(0), 40, std::uint8_t{255});
    fs::create_directories(root / "cube/RGB/GT/dent");
    write_png(root / "cube/RGB/GT/dent/2.png", mask);
    write(root / "cube/RGB/GT/dent/data.csv", "object,rgb,infrared,pointcloud\n1,0,0,1\n2,1,0,0\n");
    const ClassData data = scan(root, ScanOptions{}).classes.at(0);
    const dinomaly::ClassReport report = dinomaly::evaluate_class(BrightnessJudge{}, data, root);
    BOOST_REQUIRE(report.objects.size() == 3U);
    const std::vector<float> sums{0.4F, 1.0F, 0.6F};
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST(report.objects[i].score == sums[i], boost::test_tools::tolerance(1e-5F));
    BOOST_TEST((report.objects[0].anomalous && report.objects[1].anomalous && !report.objects[2].anomalous));
    BOOST_TEST(report.image.auroc == 0.5);
    BOOST_REQUIRE(report.parts.size() == 2U);
    BOOST_TEST(report.parts[0].name == "rgb");
    BOOST_TEST(report.parts[0].above_half.auroc > 0.5);
    BOOST_TEST(std::isnan(report.parts[1].above_half.auroc));
    BOOST_TEST(report.parts[0].above_half.auroc != report.above_half.auroc);
    BOOST_TEST(dinomaly::to_json({report})["classes"]["cube"]["parts"].contains("infrared"));
}

BOOST_AUTO_TEST_CASE(results_of_single_pictures_keep_their_form) {
    const fs::path root = scratch_dir("judged_alone");
    paint(root / "train/good/1.png", 9);
    paint(root / "test/good/1.png", 51);
    paint(root / "test/cut/1.png", 102);
    const ClassData data = scan(root).at(0);
    const nlohmann::json json = dinomaly::to_json({dinomaly::evaluate_class(BrightnessJudge{}, data, root)});
    BOOST_TEST(json.size() == 3U);
    BOOST_TEST(json["pictures"][0].size() == 3U);
    BOOST_TEST(json["classes"].begin()->size() == 3U);
}
