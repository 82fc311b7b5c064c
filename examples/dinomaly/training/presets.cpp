// SPDX-License-Identifier: Apache-2.0
#include "training/presets.hpp"

#include <algorithm>

#include "dinomaly/core/error.hpp"

namespace dinomaly::program {

namespace {

// --- the paper

/// What differs between data sets and settings.
struct PaperRow {
    const char *name, *setting;
    int iterations;  ///< of a model; class-separated each class has one
    double dropout, adam_eps;
    const char* published;
};

constexpr const char* base_alone = "published with ViT-B/14 with registers";
constexpr PaperRow paper_rows[] = {
    {"mvtec", multi_class, 10000, 0.2, 1e-10, "published with ViT-S/14, B/14 and L/14, all with these values"},
    {"visa", multi_class, 10000, 0.2, 1e-10, base_alone},
    {"realiad", multi_class, 50000, 0.4, 1e-10, base_alone},
    {"mpdd", multi_class, 10000, 0.2, 1e-10, "not published for MPDD, taken from mvtec, multi-class"},
    {"mvtec", class_separated, 5000, 0.2, 1e-8, base_alone},
    {"visa", class_separated, 5000, 0.2, 1e-8, base_alone},
    {"realiad", class_separated, 5000, 0.2, 1e-10, base_alone},
    {"mpdd", class_separated, 5000, 0.2, 1e-8, base_alone},
};

Preset paper_preset(const PaperRow& row) {
    return {{{"batch", 16},
             {"iterations", row.iterations},
             {"schedule", 0},
             {"warmup", 100},
             {"hard-mining-ramp", 1000},
             {"lr", 2e-3},
             {"final-lr", 2e-4},
             {"adam-eps", row.adam_eps},
             {"dropout", row.dropout},
             {"attention-eps", 0}},
            std::string(row.published) + "; the values are the same for every size of the encoder"};
}

/// MVTec-AD's values; what DINOv3 changes. The batch is left to the encoder: 16, for L 12.
Preset dinov3_preset() {
    Preset preset = paper_preset(paper_rows[0]);
    preset.values.erase("batch");
    preset.values["amsgrad"] = "off";
    preset.published = "published with DINOv3 ViT-B/16 and L/16, the latter with 12 pictures an iteration";
    return preset;
}

// --- Dinomaly2

/// What differs between the scripts of Dinomaly2.
struct SecondRow {
    const char* name;
    int iterations, batch, eval_every;
    double dropout, neck_lr;
    int size;        ///< and crop; 0: those that the encoder is used with
    int shot;        ///< pictures of a class; 0: all
    bool has_views;  ///< pictures are judged together by their objects
    const char* published;
};

constexpr SecondRow second_rows[] = {
    {"dinomaly2", 40000, 16, 5000, 0.4, 2e-4, 0, 0, false, "pictures, on ViT-S/14"},
    {"dinomaly2-few-shot", 40000, 16, 2000, 0.4, 2e-4, 0, 4, false,
     "a few good pictures a class, augmented, on ViT-S/14"},
    {"dinomaly2-multi-view", 100000, 16, 50000, 0.4, 2e-3, 280, 0, true,
     "objects seen from several sides, on ViT-B/14"},
    {"dinomaly2-rgb-3d", 40000, 16, 5000, 0.4, 2e-3, 392, 0, false, "colour and depth, on ViT-B/14"},
    {"dinomaly2-rgb-ir", 20000, 16, 5000, 0.2, 2e-4, 0, 0, false,
     "colour and infrared in 8 pairs an iteration, on ViT-L/14"},
};

Preset second_preset(const SecondRow& row) {
    Preset preset{{{"variant", "dinomaly2"},
                   {"batch", row.batch},
                   {"iterations", row.iterations},
                   {"schedule", 0},
                   {"warmup", 100},
                   {"hard-mining-ramp", 1000},
                   {"lr", 2e-3},
                   {"neck-lr", row.neck_lr},
                   {"decay-ratio", 1.0},
                   {"adam-eps", 1e-10},
                   {"amsgrad", "off"},
                   {"dropout", row.dropout},
                   {"attention-eps", 1e-8},
                   {"loose-groups", 2},
                   {"recentre", "on"},
                   {"eval-every", row.eval_every}},
                  "Dinomaly2's script for " + std::string(row.published) +
                      " with registers; the values are the same for every size of the encoder"};
    if (row.size > 0) preset.values["size"] = preset.values["crop"] = row.size;
    if (row.shot > 0) preset.values["shot"] = row.shot;
    if (row.has_views) preset.values["multi-view"] = true;
    return preset;
}

constexpr const char* with_dinov3 = "dinov3";

}  // namespace

const std::vector<std::string>& preset_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> all = {"mvtec", "visa", "realiad", "mpdd", with_dinov3};
        for (const SecondRow& row : second_rows) all.emplace_back(row.name);
        return all;
    }();
    return names;
}

Preset find_preset(const std::string& name, const std::string& setting) {
    const auto* const row =
        std::ranges::find_if(paper_rows, [&](const PaperRow& r) { return r.name == name && r.setting == setting; });
    if (row != std::end(paper_rows)) return paper_preset(*row);
    if (setting == multi_class) {
        if (name == with_dinov3) return dinov3_preset();
        for (const SecondRow& second : second_rows)
            if (name == second.name) return second_preset(second);
    }
    std::string others;
    for (const std::string& other : preset_names())
        if (std::ranges::find(paper_rows, other, &PaperRow::name) == std::end(paper_rows)) others += ", " + other;
    fail("--preset", "no preset '", name, "' for the setting '", setting,
         "'; mvtec, visa, realiad or mpdd, each multi-class or class-separated, expected, or multi-class", others);
}

nlohmann::ordered_json second_variant_values() {
    return {{"neck-lr", 2e-4}, {"decay-ratio", 1.0}, {"amsgrad", "off"}, {"dropout", 0.4}};
}

}  // namespace dinomaly::program
