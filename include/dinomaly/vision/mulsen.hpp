// SPDX-License-Identifier: Apache-2.0
// MulSen-AD: an RGB and an infrared picture of each object.
//
//   ROOT/CLASS/{RGB,Infrared}/{train/N.png,test/KIND/N.png,GT/KIND/N.png}
//   ROOT/CLASS/RGB/GT/KIND/data.csv      below a header: object, rgb, infrared, pointcloud; 1 is bad
//
// Files are in the order of their numbers; the first RGB picture belongs to the first infrared one, and so on. The
// data set's point clouds are not read, but an object that is bad in its cloud alone counts as bad, as in the authors'
// figures. An object's score is the sum of those of its two pictures.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/folder_layout.hpp"
#include "dinomaly/vision/realiad.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

inline bool is_mulsen_class(const fs::path& folder) {
    return is_folder(folder / "RGB") && is_folder(folder / "Infrared");
}

inline std::vector<ClassFolder> mulsen_class_folders(const fs::path& root) {
    if (is_mulsen_class(root)) return {{folder_name(root), root}};
    std::vector<ClassFolder> found;
    for (const fs::path& folder : sorted_folders(root))
        if (is_mulsen_class(folder)) found.push_back({folder.filename().string(), folder});
    return found;
}

/// A whole number, spaces around it allowed; nothing for another text.
inline std::optional<std::int64_t> whole_number(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return std::nullopt;
    text = text.substr(first, text.find_last_not_of(" \t\r") + 1 - first);
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// The pictures of a folder by their numbers. Throws for a name that is none.
inline std::map<std::int64_t, fs::path> numbered_pictures(const fs::path& folder) {
    std::map<std::int64_t, fs::path> found;
    for (const fs::path& picture : list_pictures(folder)) {
        const std::optional<std::int64_t> number = whole_number(picture.stem().string());
        check(number.has_value(), picture.c_str(), "a picture with a number for its name expected");
        found[*number] = picture;
    }
    return found;
}

/// What is bad of an object: its RGB picture, its infrared picture, its point cloud.
using MulsenLabels = std::array<bool, 3>;

/// Reads data.csv: labels by the object's number. Throws, naming the line, where it is not as above.
inline std::map<std::int64_t, MulsenLabels> read_mulsen_labels(const fs::path& file) {
    std::map<std::int64_t, MulsenLabels> labels;
    std::istringstream lines(io::read_text(file));
    std::string line;
    std::getline(lines, line);  // the header
    for (int number = 2; std::getline(lines, line); ++number) {
        if (line.find_first_not_of(" \t\r,") == std::string::npos) continue;  // an empty line
        std::istringstream cells(line);
        std::array<std::int64_t, 4> values{};
        std::string cell;
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = std::getline(cells, cell, ',') ? whole_number(cell).value_or(-1) : -1;
            check(values[i] >= 0 && (i == 0 || values[i] <= 1), (file.string() + ':' + std::to_string(number)).c_str(),
                  '"', line, "\" found, an object's number and 0 or 1 for rgb, infrared and pointcloud expected");
        }
        labels[values[0]] = {values[1] != 0, values[2] != 0, values[3] != 0};
    }
    return labels;
}

/// The two pictures of each object of a kind, one behind the other. `way` leads to the pictures from RGB and Infrared.
inline std::vector<Sample> read_mulsen_pairs(const ClassFolder& where, const fs::path& way, const std::string& kind) {
    const fs::path rgb_folder = where.folder / "RGB", infrared_folder = where.folder / "Infrared";
    const auto rgb = numbered_pictures(rgb_folder / way), infrared = numbered_pictures(infrared_folder / way);
    check(rgb.size() == infrared.size(), (rgb_folder / way).c_str(), rgb.size(), " RGB pictures, but ", infrared.size(),
          " infrared ones; as many expected");
    const fs::path table = rgb_folder / "GT" / kind / "data.csv";
    std::map<std::int64_t, MulsenLabels> labels;
    std::error_code ignored;
    if (kind != "good" || fs::exists(table, ignored)) labels = read_mulsen_labels(table);
    std::vector<Sample> samples;
    auto other = infrared.begin();
    for (const auto& [number, picture] : rgb) {
        const auto known = labels.find(number);
        check(known != labels.end() || kind == "good", table.c_str(), "no line for object ", number,
              ", whose picture is ", picture.string());
        const MulsenLabels bad = known == labels.end() ? MulsenLabels{} : known->second;
        for (const bool is_rgb : {true, false}) {
            Sample& sample = samples.emplace_back(
                Sample{is_rgb ? picture : (other++)->second, std::nullopt, where.name, kind, bad[is_rgb ? 0 : 1]});
            sample.object = kind + '/' + std::to_string(number);
            sample.part = is_rgb ? "rgb" : "infrared";
            sample.object_is_bad = bad[0] || bad[1] || bad[2];
            const fs::path mask =
                (is_rgb ? rgb_folder : infrared_folder) / "GT" / kind / (sample.picture.stem().string() + ".png");
            if (sample.anomalous && fs::is_regular_file(mask, ignored)) sample.mask = mask;
        }
    }
    return samples;
}

/// Reads one class. Throws when it holds no pictures, pairs are incomplete or labels are missing.
inline ClassData read_mulsen_class(const ClassFolder& where) {
    ClassData data;
    data.name = where.name;
    data.fusion = ScoreFusion::sum;
    data.train = read_mulsen_pairs(where, "train", "good");
    for (Sample& sample : data.train) sample.anomalous = sample.object_is_bad = false;
    for (const fs::path& kind : sorted_folders(where.folder / "RGB" / "test")) {
        const std::string name = kind.filename().string();
        for (Sample& sample : read_mulsen_pairs(where, fs::path("test") / name, name))
            data.test.push_back(std::move(sample));
    }
    check(!data.train.empty() || !data.test.empty(), where.folder.c_str(),
          "no pictures in RGB/train and none in the folders of RGB/test");
    data.pairings = masks_by_name(data.test);
    return data;
}

}  // namespace detail

}  // namespace dinomaly::vision::inline DINOMALY_ABI
