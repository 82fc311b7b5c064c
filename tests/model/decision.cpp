// SPDX-License-Identifier: Apache-2.0
// Decisions: thresholds of each class and of all, their way through JSON and a model's file, and damaged ones.
#define BOOST_TEST_MODULE decision
#include "dinomaly/decision.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dinomaly/predictor.hpp"
#include "tests/errors.hpp"
#include "tests/model/small.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

/// Two classes whose good scores are .01 .. .2 and .11 .. .3, with bad ones above.
std::vector<JudgedPictures> two_classes() {
    std::vector<JudgedPictures> classes(2);
    classes[0].name = "cap";
    classes[1].name = "bottle";
    for (std::size_t c = 0; c < 2; ++c) {
        for (int i = 20; i > 0; --i) {
            const float score = 0.1F * static_cast<float>(c) + 0.01F * static_cast<float>(i);
            classes[c].good_scores.push_back(score);
            classes[c].good_peaks.push_back(2 * score);
        }
        classes[c].bad_scores = {0.4F, 0.5F};
        classes[c].pixels.add(std::vector{0.1F, 0.2F, 0.9F}, std::vector<std::uint8_t>{0, 0, 1});
    }
    return classes;
}

BOOST_AUTO_TEST_CASE(good_pictures_decide_for_each_class_and_for_all) {
    const Decision decision = decide_from_good(two_classes(), 0.1, "drawn numbers");
    const auto near = boost::test_tools::tolerance(1e-5F);
    BOOST_TEST(decision.of("cap").thresholds.image == 0.19F, near);  // k = ceil(21 * .9) = 19 of 20
    BOOST_TEST(decision.of("bottle").thresholds.image == 0.29F, near);
    BOOST_TEST(decision.of("bottle").thresholds.pixel == 0.58F, near);
    BOOST_TEST(decision.of("").thresholds.image == 0.27F, near);  // k = ceil(41 * .9) = 37 of 40
    BOOST_TEST(decision.of("").good_scores.size() == 40U);
    BOOST_TEST(thresholds_at(decision.of("cap"), 0.5).image == 0.11F, near);  // k = 11
    BOOST_TEST(promised_rate(decision) == 2 / 21.0, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(promised_rate(decide_from_good(two_classes(), 0.01, "")) == 1 / 21.0,
               boost::test_tools::tolerance(1e-9));
    expect_error([&] { decision.of("cab"); }, {"no class 'cab'", "bottle, cap"});
    BOOST_TEST(decision.of_or_all("cap").thresholds.image == 0.19F, near);
    BOOST_TEST(decision.of_or_all("cab").thresholds.image == 0.27F, near);
}

BOOST_AUTO_TEST_CASE(labels_decide_at_the_best_f1) {
    const Decision decision = decide_from_labels(two_classes(), "drawn numbers");
    const auto near = boost::test_tools::tolerance(1e-5F);
    BOOST_TEST(decision.of("cap").thresholds.image == 0.3F, near);
    BOOST_TEST(decision.of("bottle").thresholds.image == 0.35F, near);
    BOOST_TEST(decision.of("").thresholds.image == 0.35F, near);
    BOOST_TEST(decision.of("cap").thresholds.pixel == 0.9F, boost::test_tools::tolerance(1e-3F));
    BOOST_TEST(decision.of("cap").bad == 2U);
    BOOST_TEST(decision.of("").bad == 4U);
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_said) {
    expect_error([] { decide_from_good({}, 0.1, ""); }, {"no judged pictures"});
    std::vector<JudgedPictures> classes = two_classes();
    classes[1].bad_scores.clear();
    expect_error([&] { decide_from_labels(classes, ""); }, {"class 'bottle'", "20 good and 0 bad"});
    classes[1].good_scores.clear();
    expect_error([&] { decide_from_good(classes, 0.1, ""); }, {"class 'bottle'", "no good pictures"});
}

BOOST_AUTO_TEST_CASE(json_brings_it_back) {
    std::vector<JudgedPictures> classes = two_classes();
    classes[0].pixels = {};  // no masks: no pixel threshold
    for (const Decision& decision : {decide_from_good(classes, 0.1, "a"), decide_from_labels(classes, "b")}) {
        const nlohmann::json j = to_json(decision);
        const Decision back = decision_from_json(nlohmann::json::parse(j.dump()));
        BOOST_TEST(to_json(back).dump() == j.dump());
        BOOST_TEST(back.of("").thresholds.image == decision.of("").thresholds.image);
        BOOST_TEST(back.of("").good_scores == decision.of("").good_scores, boost::test_tools::per_element());
        BOOST_TEST(back.source == decision.source);
    }
    BOOST_TEST(std::isnan(decision_from_json(to_json(decide_from_labels(classes, ""))).of("cap").thresholds.pixel));
    BOOST_TEST(to_json(Decision{}).dump() == "{}");
    BOOST_TEST(decision_from_json(nlohmann::json::object()).empty());
}

BOOST_AUTO_TEST_CASE(damaged_json_is_an_error) {
    const nlohmann::json whole = to_json(decide_from_good(two_classes(), 0.1, "a"));
    for (const char* field : {"rule", "source", "all", "classes"}) {
        nlohmann::json part = whole;
        part.erase(field);
        expect_error([&] { decision_from_json(part); }, {"decision", "damaged", field});
    }
    nlohmann::json other = whole;
    other["rule"] = "dice";
    expect_error([&] { decision_from_json(other); }, {"\"dice\" found"});
    other = whole;
    other["classes"]["cap"]["good_scores"] = {0.2, 0.1};
    expect_error([&] { decision_from_json(other); }, {"cap", "ascending"});
    other = whole;
    other["all"]["image"] = "high";
    expect_error([&] { decision_from_json(other); }, {"damaged"});
}

BOOST_AUTO_TEST_CASE(a_file_keeps_all_else_when_its_decision_changes) {
    LoadedModel<D> loaded{small_model<D>(), {}};
    loaded.info.sizes = {.size = 64, .crop = 56, .patch = 14};
    loaded.info.training = {{"lr", 0.5}};
    const std::filesystem::path path = scratch_dir("decision") / "model.safetensors";
    save_model(path, loaded);
    BOOST_TEST(read_decision(load_model<D>(path).info).empty());

    const Decision decision = decide_from_good(two_classes(), 0.1, "drawn numbers");
    write_decision(path, path, to_json(decision));
    const Predictor predictor(path);
    BOOST_TEST(to_json(read_decision(predictor.info())).dump() == to_json(decision).dump());
    BOOST_TEST(predictor.info().training["lr"] == 0.5);
    BOOST_TEST(predictor.info().trained_hash == loaded.info.trained_hash);
    const std::vector<float> pixels(std::size_t{3} * 56 * 56, 0.5F);
    BOOST_TEST(predictor.judge(pixels, 1)[0].score == Predictor(loaded).judge(pixels, 1)[0].score);
    expect_error([&] { write_decision("no/such.safetensors", path, {}); }, {"no/such.safetensors"});
}

}  // namespace
