// SPDX-License-Identifier: Apache-2.0
// What predict writes for a picture besides its score: the overlay, the raw map and a description of its defects.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/map_file.hpp"
#include "dinomaly/vision/picture_map.hpp"

namespace dinomaly::program {

/// What --map-format may say.
const std::map<std::string, vision::MapFormat>& map_formats();

/// Which files are written, and how heat is coloured.
struct PictureOutput {
    std::filesystem::path overlays;  ///< folder of NAME-overlay.png; empty: none
    std::filesystem::path maps;      ///< folder of NAME-map.png, .tiff or .npy; empty: none
    vision::MapFormat format = vision::MapFormat::png;
    std::pair<float, float> range{0.0F, 0.0F};  ///< map values of the first and the last colour; equal: absolute
    std::int64_t min_area = 1;                  ///< pixels of the smallest defect that is listed
};

/// Makes the folders. Throws Error when that fails.
void make_output_folders(const PictureOutput& output);

/// Writes the files of a judged picture under `name`. Returns for its line of JSON: width, height, map_width,
/// map_height, covered, pixel_threshold, defects, and the files' paths. Without a threshold (NaN) nothing is outlined
/// and defects is null. Throws Error when a file cannot be written.
nlohmann::ordered_json write_picture_outputs(const PictureOutput& output, const std::string& name,
                                             const vision::Image& picture, const vision::PictureMap& map,
                                             float pixel_threshold);

}  // namespace dinomaly::program
