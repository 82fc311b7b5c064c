// SPDX-License-Identifier: Apache-2.0
// Which pictures are found in which layout, in which order, and which mask goes with which picture.
#define BOOST_TEST_MODULE vision_dataset

#include "dinomaly/vision/dataset.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "tests/errors.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;
using dinomaly::test::error_of;
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

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_extension_counts) {
    const fs::path root = scratch_dir("extensions");
    draw(root, {"train/good/1.png", "train/good/2.PNG", "train/good/3.jpg", "train/good/4.JPG", "train/good/5.jpeg",
                "train/good/6.bmp", "train/good/7.tif", "train/good/8.TIFF", "train/good/9.gif", "train/good/png",
                "train/good/.png", "train/good/folder.png/x.png"});
    BOOST_TEST(listing(scan(root)[0].train, root / "train/good") ==
               "1.png 2.PNG 3.jpg 4.JPG 5.jpeg 6.bmp 7.tif 8.TIFF");
}

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
    BOOST_TEST(contains(error_of([&] { scan(root, {"blot"}); }), "no class 'blot', did you mean 'bolt'?; found: bolt"));
    BOOST_TEST(contains(error_of([&] { scan(root, {"cap", "cap"}); }), "class 'cap' is asked for twice"));
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

// --- own folders and what is recognised

BOOST_AUTO_TEST_CASE(own_folders) {
    const fs::path root = scratch_dir("own");
    draw(root, {"good/1.jpg", "good/2.jpg", "test/hole/3.jpg", "test/ok/4.jpg", "ground_truth/hole/3.png"});
    const DataSet data = scan(root, ScanOptions{});
    BOOST_CHECK(data.kind == DataSetKind::folder);
    BOOST_TEST(data.reason == "the class 'own' is in no published data set");
    BOOST_TEST(listing(data.classes.at(0).train, root) == "good/1.jpg good/2.jpg");
    BOOST_TEST(listing(data.classes[0].test, root / "test") == "hole/3.jpg:3.png ok/4.jpg");

    const fs::path plain = scratch_dir("screw");
    draw(plain, {"1.tif"});
    const DataSet alone = scan(plain, ScanOptions{});
    BOOST_CHECK(alone.kind == DataSetKind::folder);
    BOOST_TEST(contains(alone.reason, "taken for good ones"), alone.reason);
    const std::string error = error_of([&] { scan(plain, ScanOptions{.dataset = DataSetKind::mvtec}); });
    BOOST_TEST(contains(error, "not in the layout of MVTec-AD: pictures stand in the folder itself"), error);
}

BOOST_AUTO_TEST_CASE(published_names_are_recognised) {
    const fs::path root = scratch_dir("recognised");
    draw(root, {"bottle/train/good/1.png", "cable/train/good/1.png", "mine/train/good/1.png"});
    const DataSet mvtec = scan(root, ScanOptions{});
    BOOST_CHECK(mvtec.kind == DataSetKind::mvtec);
    BOOST_TEST(mvtec.reason == "3 classes, 2 of them with names of MVTec-AD");
    const DataSet told = scan(root, ScanOptions{.dataset = DataSetKind::folder});
    BOOST_CHECK(told.kind == DataSetKind::folder);
    BOOST_TEST(told.reason == "as asked for");
    draw(root, {"other/train/good/1.png"});
    BOOST_CHECK(scan(root, ScanOptions{}).kind == DataSetKind::folder);
    const fs::path tubes = scratch_dir("tubes");
    draw(tubes, {"train/good/1.png"});
    BOOST_CHECK(scan(tubes, ScanOptions{}).kind == DataSetKind::mpdd);
    const fs::path candle = scratch_dir("candle");
    draw(candle, {"train/good/1.png"});
    BOOST_CHECK(scan(candle, ScanOptions{}).kind == DataSetKind::visa);
}

BOOST_AUTO_TEST_CASE(published_figures) {
    for (const DataSetKind kind : {DataSetKind::mvtec, DataSetKind::visa, DataSetKind::realiad, DataSetKind::mpdd}) {
        const auto classes = published_classes(kind);
        BOOST_TEST(std::ranges::is_sorted(classes, {}, &PublishedClass::name));
        BOOST_CHECK(data_set_kind(data_set_option(kind)) == kind);
    }
    BOOST_TEST(published_classes(DataSetKind::mvtec).size() == 15U);
    BOOST_TEST(published_classes(DataSetKind::visa).size() == 12U);
    BOOST_TEST(published_classes(DataSetKind::realiad).size() == 30U);
    BOOST_TEST(published_total(DataSetKind::mvtec).train == 3629U);
    BOOST_TEST(published_total(DataSetKind::mvtec).test_good == 467U);
    BOOST_TEST(published_total(DataSetKind::mvtec).test_bad == 1258U);
    BOOST_TEST(published_total(DataSetKind::visa).train == 8659U);
    BOOST_TEST(published_total(DataSetKind::visa).test_bad == 1200U);
    BOOST_TEST(published_total(DataSetKind::mpdd).train == 888U);
    BOOST_TEST(contains(error_of([] { data_set_kind("imagenet"); }), "'imagenet', auto, mvtec, visa"));
}

// --- VisA

BOOST_AUTO_TEST_CASE(visa_as_prepared) {
    const fs::path root = scratch_dir("visa");
    draw(root, {"VisA_pytorch/1cls/candle/train/good/1.JPG", "VisA_pytorch/1cls/candle/test/bad/2.JPG",
                "VisA_pytorch/1cls/candle/ground_truth/bad/2.png", "VisA_pytorch/1cls/pcb1/train/good/3.JPG"});
    for (const fs::path& way : {root, root / "VisA_pytorch", root / "VisA_pytorch/1cls"})
        for (const DataSetKind kind : {DataSetKind::automatic, DataSetKind::visa}) {
            const DataSet data = scan(way, ScanOptions{.dataset = kind});
            BOOST_CHECK(data.kind == DataSetKind::visa);
            BOOST_REQUIRE(data.classes.size() == 2U);
            BOOST_TEST(listing(data.classes[0].test, root / "VisA_pytorch/1cls") == "candle/test/bad/2.JPG:2.png");
        }
    BOOST_TEST(scan(root, ScanOptions{}).reason == "there is a folder VisA_pytorch/1cls");
}

BOOST_AUTO_TEST_CASE(visa_as_shipped_names_the_command) {
    const fs::path root = scratch_dir("shipped");
    draw(root, {"candle/Data/Images/Normal/1.JPG", "candle/Data/Images/Anomaly/2.JPG"});
    const std::string out = (root.parent_path() / "VisA_pytorch").string();
    for (const DataSetKind kind : {DataSetKind::automatic, DataSetKind::visa})
        BOOST_TEST(contains(error_of([&] { scan(root, ScanOptions{.dataset = kind}); }),
                            "dinomaly prepare visa --data " + root.string() + " --split 1cls.csv --out " + out));
    fs::create_directories(root / "split_csv");
    std::ofstream(root / "split_csv/1cls.csv") << "object";
    const std::string error = error_of([&] { scan(root / "", ScanOptions{}); });
    BOOST_TEST(contains(error, "--split " + (root / "split_csv/1cls.csv").string() + " --out " + out), error);
}

// --- Real-IAD

namespace {

void write_list(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

const char* const jack_list = R"({"meta": {"prefix": "jack/", "normal_class": "OK"},
 "train": [{"category": "jack", "anomaly_class": "OK", "image_path": "OK/S1/b.jpg", "mask_path": null},
           {"category": "jack", "anomaly_class": "OK", "image_path": "OK/S1/a.jpg", "mask_path": ""}],
 "test": [{"category": "jack", "anomaly_class": "OK", "image_path": "OK/S2/c.jpg", "mask_path": null},
          {"category": "jack", "anomaly_class": "HS", "image_path": "NG/d.jpg", "mask_path": "NG/d.png"},
          {"category": "jack", "anomaly_class": "YW", "image_path": "NG/e.jpg", "mask_path": null},
          {"category": "jack", "anomaly_class": "HS", "image_path": "NG/f.jpg", "mask_path": ""}]})";

}  // namespace

BOOST_AUTO_TEST_CASE(realiad_layout) {
    for (const char* lists : {"realiad_jsons/realiad_jsons/", "realiad_jsons/"})
        for (const char* pictures : {"realiad_1024/jack/", "realiad_1024/jack/jack/"}) {
            const fs::path root = scratch_dir("realiad");
            fs::remove_all(root);
            write_list(root / (std::string(lists) + "jack.json"), jack_list);
            write_list(root / (std::string(lists) + "toy.json"), "{}");
            draw(root / pictures, {"OK/S1/a.jpg"});
            const DataSet data = scan(root, ScanOptions{});
            BOOST_CHECK(data.kind == DataSetKind::realiad);
            BOOST_TEST(data.reason == "there is a folder realiad_jsons");
            BOOST_TEST(data.lists == "realiad_jsons");
            BOOST_TEST(data.left_out == std::vector<std::string>{"toy"});
            BOOST_REQUIRE(data.classes.size() == 1U);
            const ClassData& jack = data.classes[0];
            BOOST_TEST(listing(jack.train, root / pictures) == "OK/S1/b.jpg OK/S1/a.jpg");
            BOOST_TEST(listing(jack.test, root / pictures) == "OK/S2/c.jpg NG/d.jpg:d.png NG/e.jpg NG/f.jpg");
            BOOST_TEST(jack.test[0].defect == "good");
            BOOST_TEST(!jack.test[0].anomalous);
            BOOST_TEST(jack.test[2].defect == "YW");
            BOOST_TEST(jack.test[2].anomalous);
            BOOST_REQUIRE(jack.pairings.size() == 2U);
            BOOST_CHECK(jack.pairings[0].rule == MaskRule::by_list);
            BOOST_TEST(jack.pairings[0].pictures == 2U);
            BOOST_TEST(jack.pairings[0].masks == 1U);
            BOOST_CHECK(jack.pairings[1].rule == MaskRule::none);
        }
}

BOOST_AUTO_TEST_CASE(realiad_with_bad_pictures_to_learn_from) {
    const fs::path root = scratch_dir("fuiad");
    draw(root, {"realiad_1024/jack/1.jpg"});
    write_list(root / "realiad_jsons_fuiad_0.1/jack.json",
               R"({"meta": {}, "train": [{"anomaly_class": "OK", "image_path": "1.jpg", "mask_path": null},
                  {"anomaly_class": "HS", "image_path": "2.jpg", "mask_path": "2.png"}], "test": []})");
    const DataSet data = scan(root, ScanOptions{.lists = "realiad_jsons_fuiad_0.1"});
    BOOST_CHECK(data.kind == DataSetKind::realiad);
    BOOST_TEST(listing(training_samples(data.classes), root / "realiad_1024/jack") == "1.jpg 2.jpg:2.png");
    BOOST_TEST(data.classes[0].train[1].anomalous);
    const std::string error = error_of([&] { scan(root, ScanOptions{}); });
    BOOST_TEST(contains(error, "no lists of Real-IAD: " + (root / "realiad_jsons/CLASS.json").string()), error);
}

BOOST_AUTO_TEST_CASE(realiad_errors) {
    const fs::path root = scratch_dir("realiad_errors");
    const fs::path file = root / "realiad_jsons/jack.json";
    write_list(file, jack_list);
    const auto error = [&](const std::vector<std::string>& classes = {}) {
        return error_of([&] { scan(root, ScanOptions{.classes = classes}); });
    };
    BOOST_TEST(contains(error(), "no pictures of Real-IAD: the folder " + (root / "realiad_1024").string()), error());
    fs::create_directories(root / "realiad_1024");
    BOOST_TEST(contains(error(), "has the name of a list; lists: jack"), error());
    BOOST_TEST(contains(error({"jack"}), "class 'jack' has a list, but there is no folder"), error({"jack"}));
    fs::create_directories(root / "realiad_1024/jack");
    BOOST_TEST(error() == "");
    BOOST_TEST(contains(error({"jakc"}), "no class 'jakc', did you mean 'jack'?; found: jack"), error({"jakc"}));
    const auto with = [&](const std::string& text) {
        write_list(file, text);
        return error();
    };
    BOOST_TEST(contains(with("[1, 2]"), "jack.json] not a JSON object with the lists"));
    BOOST_TEST(contains(with("{\"train\": ["), "jack.json] not a JSON object with the lists"));
    BOOST_TEST(contains(with(R"({"train": []})"), "no list 'test'"));
    BOOST_TEST(contains(with(R"({"train": [], "test": []})"), "the lists 'train' and 'test' are empty"));
    BOOST_TEST(contains(with(R"({"train": [7], "test": []})"), "train[0] is 7, an object expected"));
    BOOST_TEST(
        contains(with(R"({"train": [], "test": [{"anomaly_class": "OK"}]})"), "test[0] has no text 'image_path'"));
    BOOST_TEST(contains(with(R"({"train": [], "test": [{"anomaly_class": "HS", "image_path": "a", "mask_path": 1}]})"),
                        "test[0]: mask_path is 1, a path or null expected"));
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
