// SPDX-License-Identifier: Apache-2.0
// MANTA-Tiny: pictures of five views side by side.
//
//   ROOT/DOMAIN/CLASS/{train/good,test/KIND,ground_truth/KIND}/*.png, or the same without DOMAIN
//
// Views are 256 columns wide, the last one reaches to the border. A picture is an object, its views are what the
// network sees: all five are learned from, so that their features can be kept (the authors' script takes one of them
// at random each time). A view counts as bad where a pixel of its resized mask is still 255.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/folder_layout.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

inline constexpr int manta_views = 5, manta_view_width = 256;

/// Each picture's views, one behind the other.
inline std::vector<Sample> manta_views_of(const std::vector<Sample>& pictures) {
    std::vector<Sample> views;
    views.reserve(pictures.size() * manta_views);
    for (const Sample& picture : pictures)
        for (int i = 0; i < manta_views; ++i) {
            Sample& view = views.emplace_back(picture);
            view.window = Window{i * manta_view_width, 0, i + 1 < manta_views ? manta_view_width : 0, 0};
            view.object = picture.defect + '/' + picture.picture.filename().string();
            view.part = "view " + std::to_string(i + 1);
            view.is_labelled_by_mask = picture.mask.has_value();
        }
    return views;
}

namespace detail {

/// The classes of ROOT/DOMAIN/CLASS, or else of ROOT/CLASS; where two domains have a class of one name, these are
/// called DOMAIN-CLASS.
inline std::vector<ClassFolder> manta_class_folders(const fs::path& root) {
    std::vector<ClassFolder> found;
    for (const fs::path& domain : sorted_folders(root))
        if (!is_class(domain))
            for (ClassFolder& entry : class_folders(domain)) found.push_back(std::move(entry));
    if (found.empty()) return class_folders(root);
    const std::vector<ClassFolder> all = found;
    for (ClassFolder& entry : found)
        if (std::ranges::count(all, entry.name, &ClassFolder::name) > 1)
            entry.name = entry.folder.parent_path().filename().string() + '-' + entry.name;
    std::ranges::sort(found, {}, &ClassFolder::name);
    return found;
}

/// Whether the first picture of the classes has the width of five views.
inline bool has_manta_views(const std::vector<ClassFolder>& classes) {
    for (const ClassFolder& entry : classes)
        if (const auto pictures = list_pictures(entry.folder / "train" / "good"); !pictures.empty()) {
            const PictureSize size = read_size(pictures.front());
            return size.width > (manta_views - 1) * manta_view_width &&
                   size.width <= 2 * manta_views * manta_view_width && size.height <= manta_view_width;
        }
    return false;
}

inline ClassData read_manta_class(const ClassFolder& where) {
    ClassData data = scan_class(where);
    data.train = manta_views_of(data.train);
    data.test = manta_views_of(data.test);
    data.fusion = ScoreFusion::views;
    return data;
}

}  // namespace detail

}  // namespace dinomaly::vision::inline DINOMALY_ABI
