// SPDX-License-Identifier: Apache-2.0
// Names for the files that are written of pictures.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace dinomaly::program {

/// One name without extension for each picture, no two alike; a picture keeps its own.
class PictureNames {
public:
    /// The pictures that are known: their stems, behind as many of their folders' names as it takes to tell all apart
    /// ("good-000"), else numbered.
    explicit PictureNames(const std::vector<std::filesystem::path>& known);

    /// The name of a picture; of one that was not known its stem, numbered where that is taken.
    const std::string& of(const std::filesystem::path& picture);

private:
    const std::string& give(const std::filesystem::path& picture, const std::string& wanted);

    std::map<std::filesystem::path, std::string> names_;
    std::set<std::string> taken_;
};

}  // namespace dinomaly::program
