// SPDX-License-Identifier: Apache-2.0
#include "judging/object_rule.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include "console.hpp"
#include "dinomaly/vision/dataset.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

/// The path with the last folder of one name exchanged for another; empty where it has none.
fs::path exchanged(const fs::path& path, const char* from, const char* to) {
    std::vector<fs::path> parts(path.begin(), path.end());
    const auto found = std::find(parts.rbegin(), parts.rend(), fs::path(from));
    if (found == parts.rend()) return {};
    *found = to;
    fs::path whole;
    for (const fs::path& part : parts) whole /= part;
    return whole;
}

vision::Sample sample_of(const fs::path& picture, const std::string& part = {}) {
    vision::Sample sample;
    sample.picture = picture;
    sample.part = part;
    return sample;
}

}  // namespace

const std::map<std::string, ObjectRule>& object_rules() {
    static const std::map<std::string, ObjectRule> rules{{"picture", ObjectRule::picture},
                                                         {"strip", ObjectRule::strip},
                                                         {"folder", ObjectRule::folder},
                                                         {"pair", ObjectRule::pair}};
    return rules;
}

vision::ScoreFusion fusion_of(ObjectRule rule) {
    switch (rule) {
        case ObjectRule::picture: return vision::ScoreFusion::single;
        case ObjectRule::pair: return vision::ScoreFusion::sum;
        default: return vision::ScoreFusion::views;
    }
}

void warn_of_other_fusion(const Engine& engine, vision::ScoreFusion fusion) {
    const auto text = [](const std::string& name) {
        return name == "views" ? "objects with several views" : name == "sum" ? "pairs of pictures" : "single pictures";
    };
    const std::string trained = engine.training().value("fusion", "single"), asked = fusion_name(fusion);
    if (trained != asked)
        warn(std::string("the model's thresholds are for scores of ") + text(trained) + "; these are of " +
             text(asked));
}

std::vector<vision::Sample> object_of(const fs::path& picture, ObjectRule rule, bool with_depths) {
    std::vector<vision::Sample> samples;
    if (rule == ObjectRule::strip) {
        samples = vision::manta_views_of({sample_of(picture)});
    } else if (rule == ObjectRule::folder) {
        for (const fs::path& each : vision::list_pictures(picture.parent_path()))
            samples.push_back(sample_of(each, each.stem().string()));
    } else if (rule == ObjectRule::pair) {
        const fs::path infrared = exchanged(picture, "RGB", "Infrared");
        std::error_code ignored;
        check(fs::is_regular_file(infrared, ignored), picture.c_str(),
              "no infrared picture to it: ", infrared.empty() ? "a path with a folder RGB" : infrared.string(),
              " expected");
        samples = {sample_of(picture, "rgb"), sample_of(infrared, "infrared")};
    } else {
        samples = {sample_of(picture)};
    }
    if (with_depths)
        for (vision::Sample& sample : samples) sample.depth = vision::depth_beside(sample.picture);
    return samples;
}

void leave_one_of_each_object(std::vector<fs::path>& pictures, ObjectRule rule, bool with_depths) {
    std::set<fs::path> folders;
    std::error_code ignored;
    std::erase_if(pictures, [&](const fs::path& picture) {
        const fs::path folder = picture.parent_path(), kind = folder.filename();
        if (with_depths && (kind == "z" || kind == "xyz" || kind == "gt") &&
            fs::is_directory(folder.parent_path() / "rgb", ignored))
            return true;
        if (rule == ObjectRule::folder) return !folders.insert(folder).second;
        return rule == ObjectRule::pair && fs::is_regular_file(exchanged(picture, "Infrared", "RGB"), ignored);
    });
}

}  // namespace dinomaly::program
