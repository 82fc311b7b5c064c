// SPDX-License-Identifier: Apache-2.0
// Which pictures a data set holds, in the layouts in which data sets are published.
//
//   MVTec-AD, MPDD   ROOT/CLASS/{train/good,test/KIND,ground_truth/KIND}             folder_layout.hpp
//   VisA             the same under ROOT/VisA_pytorch/1cls, ROOT/1cls or ROOT, as 'dinomaly prepare visa' writes it
//   Real-IAD         ROOT/realiad_1024/CLASS, lists in ROOT/realiad_jsons            realiad.hpp
//   MANTA-Tiny       ROOT/DOMAIN/CLASS/.., five views a picture                       manta.hpp
//   MulSen-AD        ROOT/CLASS/{RGB,Infrared}/..                                    mulsen.hpp
//   MVTec 3D-AD      ROOT/CLASS/{train,test}/KIND/{rgb,z,xyz,gt}                     mvtec3d.hpp
//   own folder       good pictures in ROOT, ROOT/good or ROOT/train/good, with or without ROOT/test/KIND and
//                    ROOT/ground_truth/KIND; or several such classes under ROOT
#pragma once

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/class_names.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/folder_layout.hpp"
#include "dinomaly/vision/manta.hpp"
#include "dinomaly/vision/mulsen.hpp"
#include "dinomaly/vision/mvtec3d.hpp"
#include "dinomaly/vision/normalize.hpp"
#include "dinomaly/vision/realiad.hpp"
#include "dinomaly/vision/sample.hpp"
#include "dinomaly/vision/source.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// What is looked for under a root.
struct ScanOptions {
    DataSetKind dataset = DataSetKind::automatic;
    std::string lists = realiad_lists[0];  ///< Real-IAD: the folder of lists
    bool multi_view = false;               ///< Real-IAD: pictures are views of objects
    std::vector<std::string> classes{};    ///< in this order; empty: all that are found, sorted
};

/// A data set that was found.
struct DataSet {
    std::filesystem::path root;
    DataSetKind kind = DataSetKind::folder;  ///< never automatic
    std::string reason;                      ///< why it was taken for that: "as asked for", "5 of 5 class folders ..."
    std::string lists;                       ///< Real-IAD: the folder of lists that was read; else empty
    std::vector<ClassData> classes;
    std::vector<std::string> left_out;  ///< Real-IAD: classes that have a list but no pictures
};

namespace detail {

/// "a, b, c", or "none".
inline std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? "none" : text;
}

/// The folder that holds VisA's classes as they were prepared, or an empty path.
inline fs::path prepared_visa(const fs::path& root) {
    for (const fs::path& folder : {root / "VisA_pytorch" / "1cls", root / "1cls"})
        if (!class_folders(folder).empty()) return folder;
    return {};
}

/// True where a folder under `root` is a class of VisA as it is shipped.
inline bool is_shipped_visa(const fs::path& root) {
    return std::ranges::any_of(sorted_folders(root),
                               [](const fs::path& folder) { return is_folder(folder / "Data" / "Images" / "Normal"); });
}

/// Throws with the command that makes VisA as shipped readable.
[[noreturn]] inline void ask_to_prepare_visa(const fs::path& root) {
    std::error_code ignored;
    fs::path split = "1cls.csv";
    for (const fs::path& file : {root / "split_csv" / "1cls.csv", root / "1cls.csv"})
        if (fs::is_regular_file(file, ignored)) {
            split = file;
            break;
        }
    const fs::path base = root.has_filename() ? root : root.parent_path();
    fail(root.string(),
         "VisA as it is shipped (CLASS/Data/Images/Normal) has to be split first: dinomaly prepare visa --data ",
         root.string(), " --split ", split.string(), " --out ", (base.parent_path() / "VisA_pytorch").string());
}

/// The published data set that more than half of the classes belong to, or `folder`; and why.
inline std::pair<DataSetKind, std::string> kind_by_names(const std::vector<ClassFolder>& classes) {
    const auto known = [&](DataSetKind kind) {
        return static_cast<std::size_t>(std::ranges::count_if(
            classes, [&](const ClassFolder& entry) { return find_published(kind, entry.name) != nullptr; }));
    };
    std::ostringstream reason;
    reason << (classes.size() == 1 ? "the class '" + classes[0].name + "'"
                                   : std::to_string(classes.size()) + " classes");
    for (const DataSetKind kind : {DataSetKind::mvtec, DataSetKind::visa, DataSetKind::mpdd}) {
        const std::size_t count = known(kind);
        if (2 * count <= classes.size()) continue;
        if (classes.size() == 1)
            reason << " has a name of " << data_set_name(kind);
        else
            reason << ", " << count << " of them with names of " << data_set_name(kind);
        return {kind, reason.str()};
    }
    reason << (classes.size() == 1 ? " is in no published data set" : ", most of them in no published data set");
    return {DataSetKind::folder, reason.str()};
}

/// Where classes lie in folders: those under `root`, or root itself as the only one, or as a plain folder of pictures.
inline std::vector<ClassFolder> find_class_folders(const fs::path& root) {
    if (is_class(root)) return {{folder_name(root), root}};
    std::vector<ClassFolder> found = class_folders(root);
    if (found.empty() && !list_pictures(root).empty()) found.push_back({folder_name(root), root, true});
    return found;
}

/// The wanted ones among the names found, or all. Throws, naming what was found, when one is absent.
inline std::vector<std::size_t> choose_classes(const fs::path& root, const std::vector<std::string>& wanted,
                                               const std::vector<std::string>& found) {
    std::vector<std::size_t> chosen;
    for (const std::string& name : wanted.empty() ? found : wanted) {
        const auto at = std::ranges::find(found, name);
        if (at == found.end()) {
            const std::string nearest = nearest_name(name, found);
            fail(root.string(), "no class '", name, "'", nearest.empty() ? "" : ", did you mean '" + nearest + "'?",
                 "; found: ", listed(found));
        }
        const auto index = static_cast<std::size_t>(at - found.begin());
        check(std::ranges::find(chosen, index) == chosen.end(), root.c_str(), "class '", name, "' is asked for twice");
        chosen.push_back(index);
    }
    return chosen;
}

inline ClassData read_class(DataSetKind kind, const ClassFolder& where) {
    switch (kind) {
        case DataSetKind::manta: return read_manta_class(where);
        case DataSetKind::mulsen: return read_mulsen_class(where);
        case DataSetKind::mvtec3d: return read_mvtec3d_class(where);
        default: return scan_class(where);
    }
}

inline void read_folders(DataSet& data, const std::vector<ClassFolder>& found, const std::vector<std::string>& wanted) {
    std::vector<std::string> names;
    for (const ClassFolder& entry : found) names.push_back(entry.name);
    for (const std::size_t i : choose_classes(data.root, wanted, names))
        data.classes.push_back(read_class(data.kind, found[i]));
}

inline void read_realiad(DataSet& data, const ScanOptions& options) {
    const fs::path& root = data.root;
    data.lists = options.lists;
    if (options.lists == realiad_lists[0]) data.lists = first_folder(root, realiad_lists).filename().string();
    const fs::path folder = realiad_list_folder(root, data.lists), pictures = first_folder(root, realiad_pictures);
    check(!folder.empty(), root.c_str(), "no lists of Real-IAD: ", (root / data.lists / "CLASS.json").string(),
          " expected (--lists names the folder)");
    check(is_folder(pictures), root.c_str(), "no pictures of Real-IAD: the folder ", pictures.string(), " expected");
    std::vector<std::string> names;
    for (const fs::path& file : sorted_entries(folder)) {
        if (file.extension() != ".json") continue;
        const std::string name = file.stem().string();
        (is_folder(pictures / name) ? names : data.left_out).push_back(name);
    }
    for (const std::string& name : options.classes)
        check(std::ranges::find(data.left_out, name) == data.left_out.end(), root.c_str(), "class '", name,
              "' has a list, but there is no folder ", (pictures / name).string());
    check(!names.empty(), root.c_str(), "no folder of ", pictures.string(),
          " has the name of a list; lists: ", listed(data.left_out));
    for (const std::size_t i : choose_classes(root, options.classes, names))
        data.classes.push_back(read_realiad_class(root, folder, names[i], options.multi_view));
    if (!options.classes.empty()) data.left_out.clear();
}

/// Settles what the folder holds, where the options leave it open. Throws for VisA as it is shipped.
inline void recognise(DataSet& data, const ScanOptions& options, const std::vector<ClassFolder>& found) {
    const fs::path& root = data.root;
    data.kind = options.dataset;
    data.reason = "as asked for";
    if (data.kind != DataSetKind::automatic) return;
    const fs::path lists = is_folder(root / options.lists) ? root / options.lists : first_folder(root, realiad_lists);
    const fs::path pictures = first_folder(root, realiad_pictures);
    if (is_folder(lists) || is_folder(pictures)) {
        data.kind = DataSetKind::realiad;
        data.reason = "there is a folder " + (is_folder(lists) ? lists : pictures).filename().string();
    } else if (const auto mulsen = mulsen_class_folders(root); !mulsen.empty()) {
        data.kind = DataSetKind::mulsen;
        data.reason = "there are folders RGB and Infrared in " + mulsen.front().name;
    } else if (!found.empty() && is_mvtec3d_class(found.front().folder)) {
        data.kind = DataSetKind::mvtec3d;
        data.reason = "there are folders rgb in those of " + found.front().name;
    } else if (found.empty() && has_manta_views(manta_class_folders(root))) {
        data.kind = DataSetKind::manta;
        data.reason = "there are classes in folders, with pictures of five views";
    } else if (const fs::path visa = prepared_visa(root); !visa.empty()) {
        data.kind = DataSetKind::visa;
        data.reason = "there is a folder " + visa.lexically_relative(root).string();
    } else if (found.empty()) {
        if (is_shipped_visa(root)) ask_to_prepare_visa(root);
        data.kind = DataSetKind::folder;
    } else if (found.front().plain) {
        data.kind = DataSetKind::folder;
        data.reason = "pictures stand in the folder itself, and are taken for good ones";
    } else {
        std::tie(data.kind, data.reason) = kind_by_names(found);
    }
}

}  // namespace detail

/// Reads which pictures a data set holds; no picture is opened, but one's header where its width decides. Throws when
/// there is no such folder, none of the layouts above, a list is not what it should be, or a wanted class is absent;
/// the message then lists those found.
inline DataSet scan(const std::filesystem::path& root, const ScanOptions& options) {
    check(detail::is_folder(root), root.c_str(), "no such folder of pictures");
    DataSet data{root, options.dataset, "", "", {}, {}};
    std::vector<detail::ClassFolder> found = detail::find_class_folders(root);
    detail::recognise(data, options, found);
    check(!options.multi_view || data.kind == DataSetKind::realiad || data.kind == DataSetKind::manta, root.c_str(),
          "--multi-view is for Real-IAD, whose lists tell which pictures are views of one object; this is ",
          data_set_name(data.kind), " (", data.reason, ')');
    if (data.kind == DataSetKind::realiad) {
        detail::read_realiad(data, options);
        return data;
    }
    if (data.kind == DataSetKind::visa) {
        if (const auto prepared = detail::prepared_visa(root); !prepared.empty())
            found = detail::class_folders(prepared);
        else if (detail::is_shipped_visa(root))
            detail::ask_to_prepare_visa(root);
    }
    if (data.kind == DataSetKind::manta) found = detail::manta_class_folders(root);
    if (data.kind == DataSetKind::mulsen) found = detail::mulsen_class_folders(root);
    check(!found.empty(), root.c_str(), "no pictures (", picture_extensions,
          "), and no folder with train/good, good or test");
    check(data.kind == DataSetKind::folder || !found.front().plain, root.c_str(), "not in the layout of ",
          data_set_name(data.kind), ": pictures stand in the folder itself, CLASS/train/good expected");
    detail::read_folders(data, found, options.classes);
    return data;
}

/// The classes alone, of a data set that is recognised by itself.
inline std::vector<ClassData> scan(const std::filesystem::path& root, const std::vector<std::string>& wanted = {}) {
    return scan(root, ScanOptions{.classes = wanted}).classes;
}

/// What is learned from, all classes in a row, as training numbers them. Throws, naming the class, when one has none.
inline std::vector<Sample> training_samples(const std::vector<ClassData>& classes) {
    std::vector<Sample> samples;
    for (const ClassData& data : classes) {
        check(!data.train.empty(), "data", "class '", data.name, "' has no pictures in train/good to learn from");
        samples.insert(samples.end(), data.train.begin(), data.train.end());
    }
    return samples;
}

/// The ground truth of a sample, [height, width] in [0, 1]; all zero when it has no mask.
inline std::vector<float> load_mask(const Sample& sample, const Preprocess& sizes) {
    if (!sample.mask) return std::vector<float>(sizes.count() / 3, 0.0F);
    Image mask = read_grey(*sample.mask);
    if (sample.window) mask = cut(mask, window_within(*sample.window, {mask.width, mask.height}, *sample.mask));
    return to_mask(std::move(mask), sizes);
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
