// SPDX-License-Identifier: Apache-2.0
// Real-IAD: JSON lists that say which pictures are learned from and which are judged.
//
//   ROOT/realiad_1024/CLASS/...                    pictures (jpg) and masks (png); CLASS/CLASS/... as unpacked is taken
//   too ROOT/realiad_jsons/realiad_jsons/CLASS.json    the lists; also without the folder in the folder
// {"meta": {"prefix": "CLASS/", "normal_class": "OK"}, "train": [{"image_path", "mask_path", "anomaly_class"}], "test":
// [..]} Other lists of the authors lie beside: realiad_jsons_sv (single view), realiad_jsons_fuiad_0.1 (a tenth of what
// is learned from is bad). As in the authors' script all of "train" is learned from, bad pictures too, and a bad
// picture is one whose anomaly_class is not "OK".
//
// As views of objects (Dinomaly2) only good pictures are learned from, a bad picture has a mask too, and the pictures
// in one folder are views of one object; objects are in the order of their folders.
//
// Real-IAD Variety: ROOT/realiadvariety_1024 or ROOT/realiadvariety_raw, lists in ROOT/realiadvariety_jsons.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/folder_layout.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Where pictures of Real-IAD, or of Real-IAD Variety, may lie under its root, and its lists.
inline constexpr std::array realiad_pictures{"realiad_1024", "realiadvariety_1024", "realiadvariety_raw"};
inline constexpr std::array realiad_lists{"realiad_jsons", "realiadvariety_jsons"};

namespace detail {

/// The first of these folders that is under the root, or else the first.
inline fs::path first_folder(const fs::path& root, std::span<const char* const> names) {
    for (const char* name : names)
        if (is_folder(root / name)) return root / name;
    return root / names.front();
}

/// The folder with CLASS.json files, or an empty path: ROOT/lists/lists before ROOT/lists.
inline fs::path realiad_list_folder(const fs::path& root, const std::string& lists) {
    for (const fs::path& folder : {root / lists / lists, root / lists})
        if (std::ranges::any_of(sorted_entries(folder),
                                [](const fs::path& path) { return path.extension() == ".json"; }))
            return folder;
    return {};
}

/// A text field of an entry; `file` and `place` go into the error.
inline std::string text_field(const nlohmann::json& entry, const char* field, const fs::path& file,
                              const std::string& place) {
    const auto at = entry.find(field);
    check(at != entry.end() && at->is_string() && !at->get_ref<const std::string&>().empty(), file.c_str(), place,
          " has no text '", field, "': ", entry.dump().substr(0, 200));
    return at->get<std::string>();
}

/// Reads one list, "train" or "test", in its order. The paths are those that the list names below `folder`.
inline std::vector<Sample> read_realiad_list(const nlohmann::json& whole, const char* part, const fs::path& file,
                                             const fs::path& folder, const std::string& name, bool as_views) {
    const auto list = whole.find(part);
    check(list != whole.end() && list->is_array(), file.c_str(), "no list '", part,
          "', {\"meta\", \"train\", \"test\"} expected");
    std::vector<Sample> samples;
    samples.reserve(list->size());
    for (const nlohmann::json& entry : *list) {
        const std::string place = std::string(part) + '[' + std::to_string(samples.size()) + ']';
        check(entry.is_object(), file.c_str(), place, " is ", entry.dump().substr(0, 200), ", an object expected");
        const std::string kind = text_field(entry, "anomaly_class", file, place);
        const fs::path picture = text_field(entry, "image_path", file, place);
        Sample sample{folder / picture, std::nullopt, name, kind == "OK" ? "good" : kind, kind != "OK"};
        const auto mask = entry.find("mask_path");
        if (sample.anomalous && mask != entry.end() && !mask->is_null()) {
            check(mask->is_string(), file.c_str(), place, ": mask_path is ", mask->dump().substr(0, 200),
                  ", a path or null expected");
            if (!mask->get_ref<const std::string&>().empty()) sample.mask = folder / mask->get<std::string>();
        }
        if (as_views) {
            sample.object = picture.parent_path().generic_string();
            sample.part = picture.stem().string();
            sample.anomalous = sample.anomalous && sample.mask.has_value();
        }
        samples.push_back(std::move(sample));
    }
    if (as_views) std::ranges::stable_sort(samples, {}, &Sample::object);
    return samples;
}

/// The folder that a list's paths start from: the first candidate in which one of the listed pictures lies.
inline fs::path realiad_picture_folder(const nlohmann::json& whole, const fs::path& root, const std::string& name) {
    const fs::path pictures = first_folder(root, realiad_pictures);
    std::string prefix = name;
    if (const auto meta = whole.find("meta"); meta != whole.end() && meta->is_object())
        if (const auto at = meta->find("prefix"); at != meta->end() && at->is_string()) prefix = at->get<std::string>();
    const std::array candidates{pictures / prefix, pictures / name / prefix, pictures / name, pictures / name / name};
    for (const char* part : {"train", "test"}) {
        const auto list = whole.find(part);
        if (list == whole.end() || !list->is_array()) continue;
        for (const nlohmann::json& entry : *list) {
            if (!entry.is_object() || !entry.contains("image_path") || !entry["image_path"].is_string()) continue;
            std::error_code ignored;
            for (const fs::path& folder : candidates)
                if (fs::exists(folder / entry["image_path"].get<std::string>(), ignored)) return folder;
        }
    }
    return candidates.front();
}

/// How the pictures of each kind of defect have their masks; `rule`, where there are any.
inline std::vector<MaskPairing> count_masks(const std::vector<Sample>& samples, MaskRule rule) {
    std::vector<MaskPairing> pairings;
    for (const Sample& sample : samples) {
        if (!sample.anomalous) continue;
        auto at = std::ranges::find(pairings, sample.defect, &MaskPairing::defect);
        if (at == pairings.end()) at = pairings.insert(at, {sample.defect, MaskRule::none, 0, 0});
        ++at->pictures;
        if (!sample.mask) continue;
        ++at->masks;
        at->rule = rule;
    }
    return pairings;
}

/// The same where masks have the names of their pictures.
inline std::vector<MaskPairing> masks_by_name(const std::vector<Sample>& samples) {
    std::vector<MaskPairing> pairings = count_masks(samples, MaskRule::by_name);
    for (MaskPairing& pairing : pairings)
        if (pairing.masks > 0 && pairing.masks < pairing.pictures) pairing.rule = MaskRule::partly;
    return pairings;
}

/// Reads one class, its pictures as views of objects or each by itself. Throws, naming the file and the entry, when its
/// list is not as above.
inline ClassData read_realiad_class(const fs::path& root, const fs::path& list_folder, const std::string& name,
                                    bool as_views) {
    const fs::path file = list_folder / (name + ".json");
    const nlohmann::json whole = nlohmann::json::parse(io::read_text(file), nullptr, false);
    check(whole.is_object(), file.c_str(), "not a JSON object with the lists 'train' and 'test'");
    const fs::path folder = realiad_picture_folder(whole, root, name);
    ClassData data{name,
                   read_realiad_list(whole, "train", file, folder, name, as_views),
                   read_realiad_list(whole, "test", file, folder, name, as_views),
                   {}};
    if (as_views) {
        std::erase_if(data.train, [](const Sample& sample) { return sample.defect != "good"; });
        data.fusion = ScoreFusion::views;
    }
    check(!data.train.empty() || !data.test.empty(), file.c_str(), "the lists 'train' and 'test' are empty");
    data.pairings = count_masks(data.test, MaskRule::by_list);
    return data;
}

}  // namespace detail

}  // namespace dinomaly::vision::inline DINOMALY_ABI
