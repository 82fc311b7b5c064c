// SPDX-License-Identifier: Apache-2.0
#include "judging/picture_names.hpp"

namespace dinomaly::program {

namespace fs = std::filesystem;

namespace {

/// The picture's stem behind the names of the `depth` folders above it: "good-000".
std::string stem_with_folders(const fs::path& picture, int depth) {
    std::string name = picture.stem().string();
    fs::path folder = fs::absolute(picture).lexically_normal().parent_path();
    for (int i = 0; i < depth && folder.has_filename(); ++i, folder = folder.parent_path())
        name = folder.filename().string() + '-' + name;
    return name;
}

}  // namespace

PictureNames::PictureNames(const std::vector<fs::path>& known) {
    constexpr int max_depth = 4;
    const std::set<fs::path> pictures(known.begin(), known.end());
    int depth = 0;
    for (; depth < max_depth; ++depth) {
        std::set<std::string> names;
        for (const fs::path& picture : pictures) names.insert(stem_with_folders(picture, depth));
        if (names.size() == pictures.size()) break;
    }
    for (const fs::path& picture : known)
        if (!names_.contains(picture)) give(picture, stem_with_folders(picture, depth));
}

const std::string& PictureNames::of(const fs::path& picture) {
    const auto found = names_.find(picture);
    return found != names_.end() ? found->second : give(picture, picture.stem().string());
}

const std::string& PictureNames::give(const fs::path& picture, const std::string& wanted) {
    std::string name = wanted;
    for (int number = 2; !taken_.insert(name).second; ++number) name = wanted + '-' + std::to_string(number);
    return names_[picture] = name;
}

}  // namespace dinomaly::program
