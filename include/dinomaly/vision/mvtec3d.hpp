// SPDX-License-Identifier: Apache-2.0
// MVTec 3D-AD: pictures with depths.
//
//   ROOT/CLASS/{train,test}/KIND/{rgb/NAME.png,z/NAME.tiff,xyz/NAME.tiff,gt/NAME.png}
//
// z holds depths as 'dinomaly prepare mvtec3d' writes them; where it is missing they are made of xyz as pictures are
// read (depth.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/folder_layout.hpp"
#include "dinomaly/vision/realiad.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// The TIFF of depths that belongs to a picture ../rgb/NAME.png: ../z/NAME.tiff or else ../xyz/NAME.tiff. Throws when
/// there is none.
inline std::filesystem::path depth_beside(const std::filesystem::path& picture) {
    const std::filesystem::path folder = picture.parent_path().parent_path();
    std::error_code ignored;
    for (const char* kind : {"z", "xyz"})
        for (const char* extension : {".tiff", ".tif"}) {
            std::filesystem::path file = folder / kind / (picture.stem().string() + extension);
            if (std::filesystem::is_regular_file(file, ignored)) return file;
        }
    fail(picture.string(), "no depths beside it: ", (folder / "z" / (picture.stem().string() + ".tiff")).string(),
         ", or the same in xyz, expected");
}

namespace detail {

inline bool is_mvtec3d_class(const fs::path& folder) {
    return is_folder(folder / "train" / "good" / "rgb") ||
           std::ranges::any_of(sorted_folders(folder / "test"),
                               [](const fs::path& kind) { return is_folder(kind / "rgb"); });
}

inline std::vector<Sample> read_mvtec3d_kind(const fs::path& folder, const std::string& name) {
    const std::string kind = folder.filename().string();
    std::vector<Sample> samples;
    for (const fs::path& picture : list_pictures(folder / "rgb")) {
        Sample& sample = samples.emplace_back(Sample{picture, std::nullopt, name, kind, kind != "good"});
        sample.depth = depth_beside(picture);
        std::error_code ignored;
        const fs::path mask = folder / "gt" / (picture.stem().string() + ".png");
        if (sample.anomalous && fs::is_regular_file(mask, ignored)) sample.mask = mask;
    }
    return samples;
}

/// Reads one class. Throws when it holds no picture, or one without depths.
inline ClassData read_mvtec3d_class(const ClassFolder& where) {
    ClassData data;
    data.name = where.name;
    data.train = read_mvtec3d_kind(where.folder / "train" / "good", where.name);
    for (const fs::path& kind : sorted_folders(where.folder / "test"))
        for (Sample& sample : read_mvtec3d_kind(kind, where.name)) data.test.push_back(std::move(sample));
    check(!data.train.empty() || !data.test.empty(), where.folder.c_str(),
          "no pictures: train/good/rgb/NAME.png with z/NAME.tiff or xyz/NAME.tiff expected");
    data.pairings = masks_by_name(data.test);
    return data;
}

}  // namespace detail

}  // namespace dinomaly::vision::inline DINOMALY_ABI
