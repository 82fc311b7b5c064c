// SPDX-License-Identifier: Apache-2.0
// What a data set is once it has been read: samples, classes, and how masks found their pictures.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// One picture of a data set. `defect` is the name of its folder or of its kind in a list, "good" for a good part.
struct Sample {
    std::filesystem::path picture;
    std::optional<std::filesystem::path> mask;
    std::string class_name;
    std::string defect;
    bool anomalous = false;
};

/// How the masks of one kind of defect found their pictures.
enum class MaskRule {
    none,      ///< there are no masks
    by_name,   ///< every picture has <stem>_mask.* or <stem>.*
    by_order,  ///< names differ, but there are as many masks as pictures: the first belongs to the first, and so on
    partly,    ///< some pictures have a mask of their name, the others have none
    by_list,   ///< the data set's list names them
};

/// "by name", ...: as reports say it.
inline const char* mask_rule_name(MaskRule rule) {
    switch (rule) {
        case MaskRule::none: return "no masks";
        case MaskRule::by_name: return "by name";
        case MaskRule::by_order: return "by order";
        case MaskRule::partly: return "some by name";
        case MaskRule::by_list: return "by list";
    }
    return "";
}

/// The rule that was used for one kind of defect.
struct MaskPairing {
    std::string defect;
    MaskRule rule = MaskRule::none;
    std::size_t pictures = 0;
    std::size_t masks = 0;
};

/// One class: what is learned from, its test pictures (in folders: sorted by folder, then name; in a list: as listed),
/// and how their masks were found.
struct ClassData {
    std::string name;
    std::vector<Sample> train;
    std::vector<Sample> test;
    std::vector<MaskPairing> pairings;
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
