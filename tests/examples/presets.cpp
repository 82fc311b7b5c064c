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
    for (const std::string& name : preset_names())
        BOOST_TEST(find_preset(name, class_separated).published.find("not published") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(others_are_refused) {
    BOOST_CHECK_THROW(find_preset("btad", multi_class), Error);
    BOOST_CHECK_THROW(find_preset("mvtec", "per-class"), Error);
}

}  // namespace dinomaly::program
