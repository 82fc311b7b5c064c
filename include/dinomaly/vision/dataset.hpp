// SPDX-License-Identifier: Apache-2.0
// Which pictures a folder holds, and which mask belongs to which.
//
//   ROOT/<class>/train/good/*                            good parts to learn from
//   ROOT/<class>/test/<good|defect>/*                    parts to judge
//   ROOT/<class>/ground_truth/<defect>/<stem>_mask.*     where the defect is, white on black
// ROOT may be one such class itself, or a plain folder of good pictures. Pictures are png, jpg, jpeg and bmp in any
// case. Everything is in the order of sorted names, so that two machines see the same list; hidden files are skipped.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/normalize.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// One picture of a data set. `defect` is the name of its folder, "good" for a good part.
struct Sample {
    std::filesystem::path picture;
    std::optional<std::filesystem::path> mask;
    std::string class_name;
    std::string defect;
    bool anomalous = false;
};

/// How the masks of a defect folder found their pictures.
enum class MaskRule {
    none,      ///< there are no masks
    by_name,   ///< every picture has <stem>_mask.* or <stem>.*
    by_order,  ///< names differ, but there are as many masks as pictures: the first belongs to the first, and so on
    partly,    ///< some pictures have a mask of their name, the others have none
};

/// The rule that was used for one defect folder.
struct MaskPairing {
    std::string defect;
    MaskRule rule = MaskRule::none;
    std::size_t pictures = 0;
    std::size_t masks = 0;
};

/// One class: its good parts, its test pictures sorted by folder, then name, and how their masks were found.
struct ClassData {
    std::string name;
    std::vector<Sample> train;
    std::vector<Sample> test;
    std::vector<MaskPairing> pairings;
};

namespace detail {

namespace fs = std::filesystem;

inline bool is_folder(const fs::path& path) {
    std::error_code ignored;  // a folder that may not be looked at is as good as none
    return fs::is_directory(path, ignored);
}

inline bool is_picture_name(const fs::path& path) {
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
    return extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".bmp";
}

/// The entries of a folder that are not hidden, sorted by name; none when there is no such folder.
inline std::vector<fs::path> sorted_entries(const fs::path& folder) {
    std::vector<fs::path> paths;
    if (!is_folder(folder)) return paths;
    std::error_code problem;
    for (fs::directory_iterator at(folder, problem), end; !problem && at != end; at.increment(problem))
        if (!at->path().filename().string().starts_with('.')) paths.push_back(at->path());
    check(!problem, folder.c_str(), "the folder cannot be read: ", problem.message());
    std::ranges::sort(paths, {}, [](const fs::path& path) { return path.filename().string(); });
    return paths;
}

inline std::vector<fs::path> sorted_folders(const fs::path& folder) {
    std::vector<fs::path> paths = sorted_entries(folder);
    std::erase_if(paths, [](const fs::path& path) { return !is_folder(path); });
    return paths;
}

inline bool is_class(const fs::path& folder) {
    return is_folder(folder / "train" / "good") || is_folder(folder / "test");
}

/// "a, b, c", or "none".
inline std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? "none" : text;
}

}  // namespace detail

/// The pictures directly inside a folder, sorted by name; none when there is no such folder.
inline std::vector<std::filesystem::path> list_pictures(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> paths = detail::sorted_entries(folder);
    std::erase_if(paths, [](const std::filesystem::path& path) {
        return !detail::is_picture_name(path) || detail::is_folder(path);
    });
    return paths;
}

namespace detail {

/// Gives each sample its mask and says how. Throws when there are masks but no way to tell whose they are.
inline MaskPairing pair_masks(std::span<Sample> samples, const fs::path& folder) {
    const std::vector<fs::path> masks = list_pictures(folder);
    MaskPairing pairing{folder.filename().string(), MaskRule::none, samples.size(), masks.size()};
    if (masks.empty()) return pairing;

    const auto named = [&](const std::string& stem) {
        return std::ranges::find(masks, stem, [](const fs::path& mask) { return mask.stem().string(); });
    };
    std::size_t found = 0;
    for (Sample& sample : samples) {
        const std::string stem = sample.picture.stem().string();
        auto mask = named(stem + "_mask");
        if (mask == masks.end()) mask = named(stem);
        if (mask == masks.end()) continue;
        sample.mask = *mask;
        ++found;
    }
    if (found == samples.size()) {
        pairing.rule = MaskRule::by_name;
    } else if (masks.size() == samples.size()) {
        pairing.rule = MaskRule::by_order;
        for (std::size_t i = 0; i < samples.size(); ++i) samples[i].mask = masks[i];
    } else {
        check(found > 0, folder.c_str(), masks.size(), " masks for ", samples.size(), " pictures of other names, ",
              "<name>_mask.png or as many masks as pictures expected");
        pairing.rule = MaskRule::partly;
    }
    return pairing;
}

inline ClassData scan_class(const fs::path& folder, const std::string& name) {
    ClassData data{name, {}, {}, {}};
    for (const fs::path& picture : list_pictures(folder / "train" / "good"))
        data.train.push_back({picture, std::nullopt, name, "good", false});
    for (const fs::path& kind : sorted_folders(folder / "test")) {
        const std::string defect = kind.filename().string();
        const std::size_t begin = data.test.size();
        for (const fs::path& picture : list_pictures(kind))
            data.test.push_back({picture, std::nullopt, name, defect, defect != "good"});
        if (defect != "good" && data.test.size() > begin)
            data.pairings.push_back(pair_masks(std::span(data.test).subspan(begin), folder / "ground_truth" / defect));
    }
    check(!data.train.empty() || !data.test.empty(), folder.c_str(),
          "no pictures (png, jpg, jpeg, bmp) in train/good and none in the folders of test");
    return data;
}

/// The last part of a folder's full name, also of "." and "parts/".
inline std::string folder_name(const fs::path& folder) {
    const fs::path whole = fs::canonical(folder);
    return whole.has_filename() ? whole.filename().string() : whole.string();
}

}  // namespace detail

/// The classes under `root` in the order of `wanted`, or all of them, sorted, when it is empty. Throws when there is no
/// such folder, no picture in it, or a wanted class is absent; the message then lists those found.
inline std::vector<ClassData> scan(const std::filesystem::path& root, const std::vector<std::string>& wanted = {}) {
    check(detail::is_folder(root), root.c_str(), "no such folder of pictures");
    std::vector<std::pair<std::string, std::filesystem::path>> found;
    bool plain = false;
    if (detail::is_class(root)) {
        found.emplace_back(detail::folder_name(root), root);
    } else {
        for (const std::filesystem::path& folder : detail::sorted_folders(root))
            if (detail::is_class(folder)) found.emplace_back(folder.filename().string(), folder);
        plain = found.empty() && !list_pictures(root).empty();
        if (plain) found.emplace_back(detail::folder_name(root), root);
    }
    check(!found.empty(), root.c_str(), "no pictures (png, jpg, jpeg, bmp), and no folder with train/good or test");

    std::vector<std::string> names;
    names.reserve(found.size());
    for (const auto& entry : found) names.push_back(entry.first);
    std::vector<ClassData> classes;
    for (const std::string& name : wanted.empty() ? names : wanted) {
        const auto at = std::ranges::find(names, name);
        check(at != names.end(), root.c_str(), "no class '", name, "'; found: ", detail::listed(names));
        const std::filesystem::path& folder = found[static_cast<std::size_t>(at - names.begin())].second;
        if (!plain) {
            classes.push_back(detail::scan_class(folder, name));
            continue;
        }
        ClassData& data = classes.emplace_back(ClassData{name, {}, {}, {}});
        for (const std::filesystem::path& picture : list_pictures(folder))
            data.train.push_back({picture, std::nullopt, name, "good", false});
    }
    return classes;
}

/// The good parts of all classes in a row, as training numbers them. Throws, naming the class, when one has none.
inline std::vector<Sample> training_samples(const std::vector<ClassData>& classes) {
    std::vector<Sample> samples;
    for (const ClassData& data : classes) {
        check(!data.train.empty(), "data", "class '", data.name, "' has no pictures in train/good to learn from");
        samples.insert(samples.end(), data.train.begin(), data.train.end());
    }
    return samples;
}

/// "" or a warning when the mask of a sample is not as large as its picture. Both are resized, so it may still fit.
inline std::string mask_size_warning(const Sample& sample) {
    if (!sample.mask) return "";
    const PictureSize picture = read_size(sample.picture);
    const PictureSize mask = read_size(*sample.mask);
    if (picture == mask) return "";
    std::ostringstream text;
    text << sample.mask->string() << ": the mask is " << mask.width << "x" << mask.height << ", its picture "
         << picture.width << "x" << picture.height;
    return text.str();
}

/// The ground truth of a sample, [height, width] in [0, 1]; all zero when it has no mask.
inline std::vector<float> load_mask(const Sample& sample, const Preprocess& sizes) {
    if (sample.mask) return to_mask(read_grey(*sample.mask), sizes);
    return std::vector<float>(sizes.count() / 3, 0.0F);
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
