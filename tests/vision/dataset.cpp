// SPDX-License-Identifier: Apache-2.0
// Which pictures are found in which layout, in which order, and which mask goes with which picture.
#define BOOST_TEST_MODULE vision_dataset

#include "dinomaly/vision/dataset.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;
using dinomaly::test::scratch_dir;

namespace fs = std::filesystem;

namespace {

/// Writes a small picture under every name, with the folders that it needs.
void draw(const fs::path& root, const std::vector<std::string>& names, int side = 4) {
    for (const std::string& name : names) {
        fs::create_directories((root / name).parent_path());
        write_png(root / name, make_image(side, side, 1));
    }
}

/// Pictures relative to the root, in order, separated by spaces; a mask follows its picture after a colon.
std::string listing(const std::vector<Sample>& samples, const fs::path& root) {
    std::string text;
    for (const Sample& sample : samples) {
        text += (text.empty() ? "" : " ") + sample.picture.lexically_relative(root).string();
        if (sample.mask) text += ":" + sample.mask->filename().string();
    }
    return text;
}

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(mvtec_layout) {
    const fs::path root = scratch_dir("mvtec");
    draw(root, {"nut/train/good/b.PNG", "nut/train/good/a.jpg", "nut/train/good/c.Jpeg", "nut/train/good/.hidden.png",
                "nut/train/bad/x.png", "nut/test/scratch/1.png", "nut/test/scratch/0.bmp", "nut/test/good/9.png",
                "nut/test/bent/3.png", "nut/ground_truth/scratch/0_mask.png", "nut/ground_truth/scratch/1_mask.png",
                "nut/ground_truth/bent/3.png", "cap/train/good/1.png", "notes/readme.png"});
    draw(root, {"nut/train/good/words.txt", "nut/test/stray.png"});

    const std::vector<ClassData> classes = scan(root);
    BOOST_REQUIRE(classes.size() == 2U);
    BOOST_TEST(classes[0].name == "cap");
    const ClassData& nut = classes[1];
    BOOST_TEST(listing(nut.train, root / "nut/train/good") == "a.jpg b.PNG c.Jpeg");
    BOOST_TEST(listing(nut.test, root / "nut/test") ==
               "bent/3.png:3.png good/9.png scratch/0.bmp:0_mask.png scratch/1.png:1_mask.png");
    BOOST_TEST(nut.test[0].defect == "bent");
    BOOST_TEST(nut.test[0].class_name == "nut");
    BOOST_TEST(nut.test[0].anomalous);
    BOOST_TEST(!nut.test[1].anomalous);
    BOOST_TEST(!nut.train[0].anomalous);
    BOOST_REQUIRE(nut.pairings.size() == 2U);
    for (const MaskPairing& pairing : nut.pairings) BOOST_CHECK(pairing.rule == MaskRule::by_name);
    BOOST_TEST(nut.pairings[1].defect == "scratch");
    BOOST_TEST(training_samples(classes).size() == 4U);
}

BOOST_AUTO_TEST_CASE(names_sort_by_their_bytes) {
    const fs::path root = scratch_dir("sorting");
    draw(root, {"train/good/10.png", "train/good/9.png", "train/good/B.png", "train/good/a.png", "train/good/a-1.png"});
    BOOST_TEST(listing(scan(root)[0].train, root / "train/good") == "10.png 9.png B.png a-1.png a.png");
}

BOOST_AUTO_TEST_CASE(masks_of_other_names_go_by_order_when_their_number_fits) {
    const fs::path root = scratch_dir("by_order");
    draw(root, {"test/dent/p1.png", "test/dent/p2.png", "ground_truth/dent/m7.png", "ground_truth/dent/m5.png"});
    const ClassData data = scan(root).at(0);
    BOOST_TEST(listing(data.test, root / "test/dent") == "p1.png:m5.png p2.png:m7.png");
    BOOST_CHECK(data.pairings.at(0).rule == MaskRule::by_order);
    BOOST_TEST(data.pairings[0].masks == 2U);
}

BOOST_AUTO_TEST_CASE(some_masks_or_none) {
    const fs::path root = scratch_dir("partly");
    draw(root, {"test/dent/1.png", "test/dent/2.png", "ground_truth/dent/2_mask.png", "test/crack/5.png"});
    const ClassData data = scan(root).at(0);
    BOOST_TEST(listing(data.test, root / "test") == "crack/5.png dent/1.png dent/2.png:2_mask.png");
    BOOST_CHECK(data.pairings.at(0).rule == MaskRule::none);
    BOOST_CHECK(data.pairings.at(1).rule == MaskRule::partly);
}

BOOST_AUTO_TEST_CASE(masks_that_belong_to_no_picture_are_an_error) {
    const fs::path root = scratch_dir("strangers");
    draw(root, {"test/dent/1.png", "test/dent/2.png", "ground_truth/dent/x.png"});
    const std::string error = error_of([&] { scan(root); });
    BOOST_TEST(contains(error, "dent] 1 masks for 2 pictures of other names"), error);
}

BOOST_AUTO_TEST_CASE(one_class_or_a_plain_folder) {
    const fs::path root = scratch_dir("plain_parts");
    draw(root, {"2.png", "1.png"});
    for (const fs::path& way : {root, root / "", root / "."}) {
        const std::vector<ClassData> classes = scan(way);
        BOOST_REQUIRE(classes.size() == 1U);
        BOOST_TEST(classes[0].name == "plain_parts");
        BOOST_TEST(listing(classes[0].train, way) == "1.png 2.png");
        BOOST_TEST(classes[0].test.empty());
    }
    const fs::path single = scratch_dir("single");
    draw(single, {"train/good/1.png"});
    BOOST_TEST(scan(single, {"single"}).at(0).train.size() == 1U);
}

BOOST_AUTO_TEST_CASE(classes_come_in_the_order_asked_for_and_absent_ones_are_an_error) {
    const fs::path root = scratch_dir("wanted");
    draw(root, {"bolt/train/good/1.png", "cap/train/good/1.png", "nut/test/good/1.png"});
    const std::vector<ClassData> classes = scan(root, {"cap", "bolt"});
    BOOST_TEST(classes.at(0).name == "cap");
    BOOST_TEST(classes.at(1).name == "bolt");
    const std::string error = error_of([&] { scan(root, {"cap", "screw"}); });
    BOOST_TEST(contains(error, "no class 'screw'; found: bolt, cap, nut"), error);
    BOOST_TEST(contains(error_of([&] { training_samples(scan(root)); }), "class 'nut' has no pictures"));
}

BOOST_AUTO_TEST_CASE(empty_and_absent_folders) {
    const fs::path root = scratch_dir("empty");
    BOOST_TEST(contains(error_of([&] { scan(root); }), "no pictures (png, jpg, jpeg, bmp, tif, tiff)"));
    BOOST_TEST(contains(error_of([&] { scan(root / "none"); }), "no such folder"));
    fs::create_directories(root / "nut/train/good");
    const std::string error = error_of([&] { scan(root); });
    BOOST_TEST(contains(error, "nut] no pictures"), error);
}

BOOST_AUTO_TEST_CASE(truth_of_a_sample) {
    const fs::path root = scratch_dir("truth");
    draw(root, {"picture.png"}, 28);
    Image mask = make_image(14, 14, 1);
    mask.pixels.assign(mask.pixels.size(), 255);
    write_png(root / "mask.png", mask);
    const Preprocess sizes{.size = 14, .crop = 14};
    Sample sample{root / "picture.png", std::nullopt, "part", "dent", true};
    BOOST_CHECK(load_mask(sample, sizes) == std::vector<float>(196, 0.0F));
    sample.mask = root / "mask.png";
    BOOST_CHECK(load_mask(sample, sizes) == std::vector<float>(196, 1.0F));
}
