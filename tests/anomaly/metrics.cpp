// SPDX-License-Identifier: Apache-2.0
// Image and pixel metrics against scikit-learn's values in the golden set, mask rules and mask sizes.
#define BOOST_TEST_MODULE anomaly_metrics
#include "dinomaly/anomaly/metrics.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::anomaly;

namespace {

struct Golden {
    io::StateDict tensors = io::read_safetensors(test::golden_dir() / "metrics.safetensors");
    nlohmann::json values = nlohmann::json::parse(io::read_text(test::golden_dir() / "metrics.json"));

    std::vector<std::uint8_t> bytes(const std::string& name) const {
        const auto view = tensors.at(name).bytes.view;
        const auto* first = reinterpret_cast<const std::uint8_t*>(view.data());
        return {first, first + view.size()};
    }
};

BOOST_AUTO_TEST_CASE(image_metrics_equal_scikit_learn) {
    const Golden golden;
    for (const std::string name : {"image/plain", "image/ties", "image/imbalanced"}) {
        BOOST_TEST_CONTEXT(name) {
            const ImageMetrics found =
                image_metrics(golden.tensors.as<float>(name + "/score"), golden.bytes(name + "/label"));
            const nlohmann::json& expected = golden.values.at(name);
            BOOST_CHECK_SMALL(found.auroc - expected.at("auroc").get<double>(), 1e-6);
            BOOST_CHECK_SMALL(found.ap - expected.at("ap").get<double>(), 1e-6);
            BOOST_CHECK_SMALL(found.f1_max - expected.at("f1_max").get<double>(), 1e-6);
        }
    }
}

BOOST_AUTO_TEST_CASE(pixel_metrics_equal_scikit_learn) {
    const Golden golden;
    const Shape& shape = golden.tensors.at("pixel/map").shape;
    const std::vector<std::uint8_t> labels = golden.bytes("pixel/mask");
    const std::vector<float> masks(labels.begin(), labels.end());
    const PixelMetrics found = pixel_metrics(golden.tensors.as<float>("pixel/map"), masks,
                                             {shape[0], shape[1], shape[2]}, MaskRule::above_zero);
    const nlohmann::json& expected = golden.values.at("pixel");
    BOOST_CHECK_SMALL(found.auroc - expected.at("auroc").get<double>(), 1e-6);
    BOOST_CHECK_SMALL(found.ap - expected.at("ap").get<double>(), 1e-6);
    BOOST_CHECK_SMALL(found.f1_max - expected.at("f1_max").get<double>(), 1e-6);
    BOOST_CHECK_SMALL(found.aupro - expected.at("aupro_200_steps_fpr_0.3").get<double>(), 1e-5);
    BOOST_CHECK(found.aupro_exact > 0.5 && found.aupro_exact < 1);
}

BOOST_AUTO_TEST_CASE(any_number_of_threads_gives_the_same_bits) {
    const StackSize size{5, 191, 203};  // several chunks, the last of them short
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    std::vector<float> maps, masks;
    for (std::int64_t i = 0; i < size.pixels(); ++i) {
        masks.push_back(random() % 40 == 0 ? 1.0F : 0.0F);
        maps.push_back(std::round(1000 * (normal(random) + masks.back())) / 1000);
    }
    std::vector<PixelMetrics> found;
    for (int threads : {1, 2, 5}) {
        backend::thread_pool().resize(threads);
        found.push_back(pixel_metrics(maps, masks, size, MaskRule::above_zero));
    }
    for (const PixelMetrics& metrics : found) {
        BOOST_CHECK_EQUAL(metrics.auroc, found[0].auroc);
        BOOST_CHECK_EQUAL(metrics.ap, found[0].ap);
        BOOST_CHECK_EQUAL(metrics.f1_max, found[0].f1_max);
        BOOST_CHECK_EQUAL(metrics.aupro, found[0].aupro);
        BOOST_CHECK_EQUAL(metrics.aupro_exact, found[0].aupro_exact);
    }
}

BOOST_AUTO_TEST_CASE(the_threshold_of_f1_separates_the_pictures) {
    const ImageMetrics found =
        image_metrics(std::vector<float>{0.2F, 0.9F, 0.7F, 0.4F}, std::vector<std::uint8_t>{0, 1, 1, 0});
    BOOST_CHECK_EQUAL(found.auroc, 1.0);
    BOOST_CHECK_EQUAL(found.f1_threshold, 0.7F);
}

BOOST_AUTO_TEST_CASE(the_rules_differ_where_a_mask_is_faint) {
    const std::vector<float> masks{0.0F, 0.25F, 0.5F, 0.75F};
    BOOST_CHECK((mask_labels(masks, MaskRule::above_zero) == std::vector<std::uint8_t>{0, 1, 1, 1}));
    BOOST_CHECK((mask_labels(masks, MaskRule::above_half) == std::vector<std::uint8_t>{0, 0, 0, 1}));

    const std::vector<float> maps{0, 3, 2, 4};
    const StackSize size{1, 2, 2};
    BOOST_CHECK_EQUAL(pixel_metrics(maps, masks, size, MaskRule::above_zero).auroc, 1.0);
    BOOST_CHECK_EQUAL(pixel_metrics(maps, masks, size, MaskRule::above_half).auroc, 1.0);
    const std::vector<float> reversed{4, 2, 3, 0};
    BOOST_CHECK_EQUAL(pixel_metrics(reversed, masks, size, MaskRule::above_zero).auroc, 0.0);
    BOOST_CHECK_EQUAL(pixel_metrics(reversed, masks, size, MaskRule::above_half).ap, 0.25);
}

BOOST_AUTO_TEST_CASE(good_pictures_alone_have_no_figures) {
    const PixelMetrics found =
        pixel_metrics(std::vector<float>{1, 2, 3, 4}, std::vector<float>(4), {1, 2, 2}, MaskRule::above_zero);
    for (double value : {found.auroc, found.ap, found.f1_max, found.aupro, found.aupro_exact})
        BOOST_CHECK(std::isnan(value));
}

BOOST_AUTO_TEST_CASE(masks_are_resized_to_the_nearest_pixel_below) {
    const std::vector<float> mask{0, 1, 2,  //
                                  3, 4, 5};
    BOOST_CHECK((nearest_mask(mask, 3, 2, 3, 2) == mask));
    BOOST_CHECK((nearest_mask(mask, 3, 2, 2, 1) == std::vector<float>{0, 1}));  // floor(1 * 3 / 2) = 1
    BOOST_CHECK((nearest_mask(mask, 3, 2, 6, 4) == std::vector<float>{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2,  //
                                                                      3, 3, 4, 4, 5, 5, 3, 3, 4, 4, 5, 5}));
    std::vector<float> row(392);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(i);
    const std::vector<float> taken = nearest_mask(row, 392, 1, 256, 1);
    BOOST_CHECK_EQUAL(taken[1], 1);      // 1.53
    BOOST_CHECK_EQUAL(taken[2], 3);      // 3.06
    BOOST_CHECK_EQUAL(taken[255], 390);  // 390.47
}

BOOST_AUTO_TEST_CASE(bad_input_is_an_error) {
    const std::vector<float> four(4);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    BOOST_CHECK_THROW(pixel_metrics(std::vector<float>{1, 2, nan, 4}, four, {1, 2, 2}, MaskRule::above_zero), Error);
    BOOST_CHECK_THROW(pixel_metrics(four, four, {1, 2, 3}, MaskRule::above_zero), Error);
    BOOST_CHECK_THROW(pixel_metrics(std::vector<float>(6), four, {1, 2, 2}, MaskRule::above_zero), Error);
    BOOST_CHECK_THROW(nearest_mask(four, 3, 2, 2, 2), Error);
    BOOST_CHECK_THROW(nearest_mask({}, 0, 0, 2, 2), Error);
}

}  // namespace
