// SPDX-License-Identifier: Apache-2.0
#include "training/presets.hpp"

#include <algorithm>

#include "dinomaly/core/error.hpp"

namespace dinomaly::program {

namespace {

/// What differs between data sets and settings.
struct Row {
    const char *name, *setting;
    int iterations;  ///< of a model; class-separated each class has one
    double dropout, adam_eps;
    const char* published;
};

constexpr const char* base_alone = "published with ViT-B/14 with registers";
constexpr Row rows[] = {
    {"mvtec", multi_class, 10000, 0.2, 1e-10, "published with ViT-S/14, B/14 and L/14, all with these values"},
    {"visa", multi_class, 10000, 0.2, 1e-10, base_alone},
    {"realiad", multi_class, 50000, 0.4, 1e-10, base_alone},
    {"mpdd", multi_class, 10000, 0.2, 1e-10, "not published for MPDD, taken from mvtec, multi-class"},
    {"mvtec", class_separated, 5000, 0.2, 1e-8, base_alone},
    {"visa", class_separated, 5000, 0.2, 1e-8, base_alone},
    {"realiad", class_separated, 5000, 0.2, 1e-10, base_alone},
    {"mpdd", class_separated, 5000, 0.2, 1e-8, base_alone},
};

}  // namespace

const std::vector<std::string>& preset_names() {
    static const std::vector<std::string> names = {"mvtec", "visa", "realiad", "mpdd"};
    return names;
}

Preset find_preset(const std::string& name, const std::string& setting) {
    const auto* const row =
        std::ranges::find_if(rows, [&](const Row& r) { return r.name == name && r.setting == setting; });
    check(row != std::end(rows), "--preset", "no preset '", name, "' for the setting '", setting,
          "'; mvtec, visa, realiad or mpdd, each multi-class or class-separated, expected");
    return {{{"size", 448},
             {"crop", 392},
             {"batch", 16},
             {"iterations", row->iterations},
             {"schedule", 0},
             {"warmup", 100},
             {"hard-mining-ramp", 1000},
             {"lr", 2e-3},
             {"final-lr", 2e-4},
             {"adam-eps", row->adam_eps},
             {"dropout", row->dropout},
             {"attention-eps", 0}},
            row->published};
}

nlohmann::ordered_json second_variant_values() {
    return {{"neck-lr", 2e-4}, {"decay-ratio", 1.0}, {"amsgrad", "off"}, {"dropout", 0.4}};
}

}  // namespace dinomaly::program
