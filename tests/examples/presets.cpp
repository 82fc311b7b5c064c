// SPDX-License-Identifier: Apache-2.0
// The presets against the table of the paper's settings (the authors' scripts dinomaly_*_uni.py and dinomaly_*_sep.py).
#define BOOST_TEST_MODULE examples_presets
#include "examples/dinomaly/training/presets.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "dinomaly/core/error.hpp"

namespace dinomaly::program {

namespace {

void check_preset(const char* name, const char* setting, int iterations, double dropout, double eps) {
    const Preset preset = find_preset(name, setting);
    BOOST_TEST_CONTEXT(name << ", " << setting) {
        BOOST_TEST(preset.values.at("iterations").get<int>() == iterations);
        BOOST_TEST(preset.values.at("dropout").get<double>() == dropout);
        BOOST_TEST(preset.values.at("adam-eps").get<double>() == eps);
        BOOST_TEST(preset.values.at("batch").get<int>() == 16);
        BOOST_TEST(preset.values.at("lr").get<double>() == 2e-3);
        BOOST_TEST(!preset.published.empty());
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(values_are_those_of_the_paper) {
    check_preset("mvtec", multi_class, 10000, 0.2, 1e-10);
    check_preset("visa", multi_class, 10000, 0.2, 1e-10);
    check_preset("realiad", multi_class, 50000, 0.4, 1e-10);
    check_preset("mvtec", class_separated, 5000, 0.2, 1e-8);
    check_preset("visa", class_separated, 5000, 0.2, 1e-8);
    check_preset("realiad", class_separated, 5000, 0.2, 1e-10);
    check_preset("mpdd", class_separated, 5000, 0.2, 1e-8);
}

BOOST_AUTO_TEST_CASE(what_is_not_published_is_said) {
    const Preset mpdd = find_preset("mpdd", multi_class);
    BOOST_TEST(mpdd.published.find("not published") != std::string::npos);
    BOOST_TEST((mpdd.values == find_preset("mvtec", multi_class).values));
    for (const std::string name : {"mvtec", "visa", "realiad", "mpdd"})
        BOOST_TEST(find_preset(name, class_separated).published.find("not published") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(dinov3_differs_from_the_paper_in_amsgrad) {
    const Preset preset = find_preset("dinov3", multi_class);
    BOOST_TEST(preset.values.at("amsgrad").get<std::string>() == "off");
    BOOST_TEST(preset.values.at("iterations").get<int>() == 10000);
    BOOST_TEST(!preset.values.contains("batch"));  // the encoder's: 16, for L 12
    BOOST_TEST(!preset.values.contains("size"));
}

BOOST_AUTO_TEST_CASE(dinomaly2_has_five_scripts) {
    struct Script {
        const char* name;
        int iterations, eval_every;
        double dropout, neck_lr;
        int size;  // 0: the encoder's
    };
    for (const Script& script : {Script{"dinomaly2", 40000, 5000, 0.4, 2e-4, 0},
                                 {"dinomaly2-few-shot", 40000, 2000, 0.4, 2e-4, 0},
                                 {"dinomaly2-multi-view", 100000, 50000, 0.4, 2e-3, 280},
                                 {"dinomaly2-rgb-3d", 40000, 5000, 0.4, 2e-3, 392},
                                 {"dinomaly2-rgb-ir", 20000, 5000, 0.2, 2e-4, 0}}) {
        BOOST_TEST_CONTEXT(script.name) {
            const Preset preset = find_preset(script.name, multi_class);
            const auto& values = preset.values;
            BOOST_TEST(values.at("variant").get<std::string>() == "dinomaly2");
            BOOST_TEST(values.at("iterations").get<int>() == script.iterations);
            BOOST_TEST(values.at("eval-every").get<int>() == script.eval_every);
            BOOST_TEST(values.at("dropout").get<double>() == script.dropout);
            BOOST_TEST(values.at("lr").get<double>() == 2e-3);
            BOOST_TEST(values.at("neck-lr").get<double>() == script.neck_lr);
            BOOST_TEST(values.at("amsgrad").get<std::string>() == "off");
            BOOST_TEST(values.at("batch").get<int>() == 16);
            BOOST_TEST(values.value("size", 0) == script.size);
            BOOST_TEST(values.value("crop", 0) == script.size);
            BOOST_TEST((values.value("shot", 0) == 4) == (std::string(script.name) == "dinomaly2-few-shot"));
            BOOST_TEST(values.value("multi-view", false) == (std::string(script.name) == "dinomaly2-multi-view"));
            BOOST_CHECK_THROW(find_preset(script.name, class_separated), Error);
        }
    }
}

BOOST_AUTO_TEST_CASE(others_are_refused) {
    BOOST_CHECK_THROW(find_preset("btad", multi_class), Error);
    BOOST_CHECK_THROW(find_preset("mvtec", "per-class"), Error);
}

}  // namespace dinomaly::program
