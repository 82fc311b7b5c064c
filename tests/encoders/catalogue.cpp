// SPDX-License-Identifier: Apache-2.0
// The catalogue against the published files' parameter counts, and which picture sizes fit which encoder.
#define BOOST_TEST_MODULE encoders_catalogue
#include "dinomaly/encoders/catalogue.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/encoders/published_results.hpp"
#include "dinomaly/encoders/recommended.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/model_config.hpp"
#include "tests/errors.hpp"

namespace dinomaly::encoders {

namespace {

const nn::VitConfig& vit_of(const char* name) {
    const CatalogueEntry* entry = find_entry(name);
    BOOST_REQUIRE_MESSAGE(entry != nullptr, name);
    return entry->vit;
}

void expect_crop_error(const char* name, vision::PictureSize crop, std::string_view part) {
    test::expect_error([&] { check_crop(vit_of(name), crop); }, {"[preprocess] ", part});
}

}  // namespace

BOOST_AUTO_TEST_CASE(parameters_are_those_of_the_published_files) {
    const std::pair<const char*, std::int64_t> counts[] = {
        {"dinov2_vit_small_14", 22'056'576},    {"dinov2reg_vit_small_14", 22'058'112},
        {"dinov2reg_vit_base_14", 86'583'552},  {"dinov2reg_vit_large_14", 304'372'736},
        {"dinov2_vit_giant_14", 1'136'480'768}, {"dinov2reg_vit_giant_14", 1'136'486'912},
        {"dinov3_vit_small_16", 21'601'152},    {"dinov3_vit_smallplus_16", 28'697'472},
        {"dinov3_vit_base_16", 85'669'632},     {"dinov3_vit_large_16", 303'154'176},
        {"dino_vit_small_16", 21'665'664},      {"dino_vit_small_8", 21'670'272},
        {"dino_vit_base_8", 85'807'872},        {"mae_vit_base_16", 85'798'656},
        {"mae_vit_large_16", 303'301'632},      {"deit_vit_small_16", 21'665'664},
        {"moco_vit_small_16", 21'665'664},      {"beit_vit_base_16", 85'761'984},
        {"ibot_vit_base_16", 85'798'656 + 768},
    };
    for (const auto& [name, count] : counts) {
        const CatalogueEntry* entry = find_entry(name);
        BOOST_REQUIRE(entry != nullptr);
        BOOST_TEST(count_parameters(*entry) == count, name << ": " << count_parameters(*entry));
    }
}

BOOST_AUTO_TEST_CASE(each_entry_makes_a_model) {
    std::set<std::string_view> keys;
    for (const CatalogueEntry& entry : catalogue()) {
        BOOST_TEST_CONTEXT(entry.key) {
            BOOST_TEST(keys.insert(entry.key).second);
            BOOST_TEST(find_entry(entry.key) == &entry);
            BOOST_TEST(find_entry(entry.file) == &entry);
            BOOST_CHECK_NO_THROW(variant_config("model", entry.vit));
            const vision::Preprocess sizes = recommended_sizes(entry.vit);
            BOOST_CHECK_NO_THROW(sizes.validate());
            BOOST_CHECK_NO_THROW(check_crop(entry.vit, sizes.crop));
            BOOST_TEST(ignored_text(entry.vit, sizes.crop).empty());
            const auto like = entries_like(entry.vit);
            BOOST_TEST((std::ranges::find(like, &entry) != like.end()));
            const auto results = published_results(entry.key);
            BOOST_TEST((results.empty() || results.front().crop == sizes.crop.width));
        }
    }
    for (const PublishedResult& result : detail::results) BOOST_TEST(keys.contains(result.key), result.key);
    BOOST_TEST(find_entry("dinov2_vits14") == find_entry("dinov2_vit_small_14"));
    BOOST_TEST(find_entry("dinov3_vitl16") == find_entry("dinov3_vit_large_16"));
    BOOST_TEST(find_entry("mae") == nullptr);  // of two
    BOOST_TEST(find_entry("") == nullptr);
    BOOST_TEST(find_entry("dinov4") == nullptr);
}

BOOST_AUTO_TEST_CASE(titles_and_licences) {
    BOOST_TEST(title(*find_entry("dinov2reg_vit_giant_14")) == "DINOv2 ViT-g/14 with registers");
    BOOST_TEST(title(*find_entry("dinov3_vit_smallplus_16")) == "DINOv3 ViT-S+/16");
    BOOST_TEST(title(*find_entry("beitv2_vit_base_16")) == "BEiTv2 ViT-B/16");
    BOOST_TEST(find_entry("mae_vit_base_16")->family.licence.note == "not for commercial use");
    BOOST_TEST(find_entry("dinov2_vit_small_14")->family.licence.note.empty());
    BOOST_TEST(find_entry("digpt_vit_base_16")->family.licence.name == "none stated");
}

BOOST_AUTO_TEST_CASE(networks_that_are_the_same_are_found_together) {
    BOOST_TEST(entries_like(vit_of("dinov3_vit_base_16")).size() == 1);
    BOOST_TEST(entries_like(vit_of("moco_vit_small_16")).size() == 1);  // of 12 heads
    BOOST_TEST(entries_like(vit_of("mae_vit_base_16")).size() == 6);    // DINO, iBOT, MAE, DeiT, MoCo-v3, D-iGPT
    nn::VitConfig written = vit_of("dinov3_vit_small_16");
    written.hidden = 1536, written.grid = 37, written.resize = nn::PositionResize::size;
    BOOST_TEST(entries_like(written).size() == 1);
    written.width = 128;
    BOOST_TEST(entries_like(written).empty());
}

BOOST_AUTO_TEST_CASE(kept_blocks_are_the_published_ones) {
    BOOST_TEST(published_kept_blocks("f", 12) == (std::vector<std::int64_t>{2, 3, 4, 5, 6, 7, 8, 9}));
    BOOST_TEST(published_kept_blocks("f", 24) == (std::vector<std::int64_t>{4, 6, 8, 10, 12, 14, 16, 18}));
    BOOST_TEST(published_kept_blocks("f", 40) == (std::vector<std::int64_t>{7, 10, 13, 17, 20, 23, 27, 30}));
    BOOST_TEST(!is_published_depth(40));
    BOOST_CHECK_NO_THROW(published_kept_blocks("f", 13));
    test::expect_error([] { published_kept_blocks("small.pth", 11); },
                       {"[small.pth] an encoder of 11 blocks; 12 (S, B), 24 (L) or more expected"});
}

BOOST_AUTO_TEST_CASE(dinov3_differs_as_its_published_variant_does) {
    BOOST_TEST(variant_config("model", vit_of("dinov3_vit_base_16")).patches_only);
    BOOST_TEST(!variant_config("model", vit_of("dinov2reg_vit_base_14")).patches_only);
    BOOST_TEST(!variant_config("model", vit_of("beit_vit_base_16")).patches_only);
    BOOST_TEST(!recommended_training(vit_of("dinov3_vit_base_16")).amsgrad);
    BOOST_TEST(recommended_training(vit_of("dinov3_vit_base_16")).batch == 16);
    BOOST_TEST(recommended_training(vit_of("dinov3_vit_large_16")).batch == 12);
    BOOST_TEST(recommended_training(vit_of("mae_vit_large_16")).amsgrad);
    BOOST_TEST(recommended_training(vit_of("mae_vit_large_16")).batch == 16);
}

BOOST_AUTO_TEST_CASE(recommended_sizes_are_the_papers) {
    const std::pair<const char*, std::pair<int, int>> expected[] = {
        {"dinov2reg_vit_base_14", {448, 392}}, {"dinov2_vit_giant_14", {448, 392}}, {"dinov3_vit_small_16", {512, 448}},
        {"mae_vit_base_16", {512, 448}},       {"dino_vit_small_8", {256, 224}},    {"beit_vit_base_16", {256, 224}}};
    for (const auto& [name, sizes] : expected) {
        const vision::Preprocess found = recommended_sizes(vit_of(name));
        BOOST_TEST(found.size == sizes.first, name);
        BOOST_TEST(found.crop == sizes.second, name);
    }
}

BOOST_AUTO_TEST_CASE(a_crop_that_does_not_fit_says_which_would) {
    expect_crop_error(
        "dinov3_vit_base_16", 392,
        "crop 392x392 is not a multiple of the patch, 16: width 392, 384 or 400 fit; this encoder's usual "
        "setting is --size 512 --crop 448");
    expect_crop_error("dinov2_vit_small_14", {392, 400},
                      "crop 392x400 is not a multiple of the patch, 14: height 400, 392 or 406 fit; this encoder's "
                      "usual setting is --size 448 --crop 392");
    expect_crop_error("dinov2_vit_small_14", 5, "width 5, 14 or 28 fit");
    expect_crop_error("beitv2_vit_base_16", 448,
                      "crop 448x448 does not fit an encoder with a fixed grid of 14x14 patches of 16: 224 only");
    expect_crop_error("dino_vit_base_16", {224, 15}, "crop 224x15 is smaller than a patch, 16: height 15");
    BOOST_CHECK_NO_THROW(check_crop(vit_of("dino_vit_base_16"), {392, 16}));
    BOOST_CHECK_NO_THROW(check_crop(vit_of("beit_vit_base_16"), 224));
}

BOOST_AUTO_TEST_CASE(what_is_not_seen_is_said) {
    BOOST_TEST(ignored_pixels(vit_of("mae_vit_base_16"), {392, 401}) == vision::PictureSize(8, 1));
    BOOST_TEST(ignored_text(vit_of("mae_vit_base_16"), 392) ==
               "of the crop 392x392 the encoder sees 384x384, whole patches of 16: the last 8 columns and 8 rows are "
               "ignored, as in the authors' code; --size 512 --crop 448 has whole patches");
    BOOST_TEST(ignored_text(vit_of("mae_vit_base_16"), 384).empty());
}

BOOST_AUTO_TEST_CASE(sizes_of_a_model_are_replaced_as_a_whole) {
    vision::Preprocess sizes;
    set_sizes(sizes, vit_of("mae_vit_base_16"));  // 448, middle 392
    BOOST_TEST(sizes.patch == 1);
    set_sizes(sizes, vit_of("dinov3_vit_base_16"), 512, 448);
    BOOST_TEST((sizes == vision::Preprocess{.size = 512, .crop = 448, .patch = 16}));
    BOOST_CHECK_THROW(set_sizes(sizes, vit_of("dinov3_vit_base_16"), 256, {}), Error);  // smaller than the crop
    sizes = {};
    BOOST_CHECK_THROW(set_sizes(sizes, vit_of("dinov3_vit_base_16")), Error);
}

}  // namespace dinomaly::encoders
