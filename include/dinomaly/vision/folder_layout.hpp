// SPDX-License-Identifier: Apache-2.0
// Folders of pictures: which are classes, what is in them, and which mask belongs to which picture.
//
//   CLASS/train/good/*, or CLASS/good/*                  good parts to learn from
//   CLASS/test/<good|defect>/*                           parts to judge
//   CLASS/ground_truth/<defect>/<stem>_mask.*            where the defect is, white on black
// Pictures are png, jpg, jpeg, bmp, tif and tiff in any case. Everything is in the order of sorted names, so that two
// machines see the same list; hidden files are skipped.
#pragma once

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// What is taken for a picture, as errors name it.
inline constexpr const char* picture_extensions = "png, jpg, jpeg, bmp, tif, tiff";

namespace detail {

namespace fs = std::filesystem;

inline bool is_folder(const fs::path& path) {
    std::error_code ignored;  // a folder that may not be looked at is as good as none
    return fs::is_directory(path, ignored);
}

inline bool is_picture_name(const fs::path& path) {
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
    return extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".bmp" ||
           extension == ".tif" || extension == ".tiff";
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

/// The last part of a folder's full name, also of "." and "parts/".
inline std::string folder_name(const fs::path& folder) {
    const fs::path whole = fs::canonical(folder);
    return whole.has_filename() ? whole.filename().string() : whole.string();
}

inline bool is_class(const fs::path& folder) {
    return is_folder(folder / "train" / "good") || is_folder(folder / "good") || is_folder(folder / "test");
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

/// Where a class lies.
struct ClassFolder {
    std::string name;
    fs::path folder;
    bool plain = false;  ///< good pictures stand in the folder itself
};

/// The classes directly under a folder, sorted by name.
inline std::vector<ClassFolder> class_folders(const fs::path& root) {
    std::vector<ClassFolder> found;
    for (const fs::path& folder : sorted_folders(root))
        if (is_class(folder)) found.push_back({folder.filename().string(), folder});
    return found;
}

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

/// Reads one class. Throws when it holds no picture at all.
inline ClassData scan_class(const ClassFolder& where) {
    const fs::path& folder = where.folder;
    ClassData data{where.name, {}, {}, {}};
    const fs::path good = where.plain                            ? folder
                          : is_folder(folder / "train" / "good") ? folder / "train" / "good"
                                                                 : folder / "good";
    for (const fs::path& picture : list_pictures(good))
        data.train.push_back({picture, std::nullopt, where.name, "good", false});
    for (const fs::path& kind : sorted_folders(folder / "test")) {
        const std::string defect = kind.filename().string();
        const std::size_t begin = data.test.size();
        for (const fs::path& picture : list_pictures(kind))
            data.test.push_back({picture, std::nullopt, where.name, defect, defect != "good"});
        if (defect != "good" && data.test.size() > begin)
            data.pairings.push_back(pair_masks(std::span(data.test).subspan(begin), folder / "ground_truth" / defect));
    }
    check(!data.train.empty() || !data.test.empty(), folder.c_str(), "no pictures (", picture_extensions,
          ") in train/good and none in the folders of test");
    return data;
}

}  // namespace detail

}  // namespace dinomaly::vision::inline DINOMALY_ABI
