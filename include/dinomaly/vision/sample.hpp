// SPDX-License-Identifier: Apache-2.0
// What a data set is once it has been read: samples, classes, and how masks found their pictures.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/vision/resize.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// One picture of a data set, or a part of one. `defect` is the name of its folder or of its kind in a list, "good" for
/// a good part.
struct Sample {
    std::filesystem::path picture;
    std::optional<std::filesystem::path> mask;
    std::string class_name;
    std::string defect;
    bool anomalous = false;

    std::optional<Window> window{};    ///< the part of picture and mask that is seen; see window_within() (source.hpp)
    std::string object{};              ///< samples of one name are judged together; empty: by itself
    std::string part{};                ///< which picture of its object: "view 2", "rgb", "infrared"
    bool object_is_bad = false;        ///< its object is bad, whatever its pictures show
    bool is_labelled_by_mask = false;  ///< anomalous only where the mask that the network's size leaves still holds 255
    std::filesystem::path depth{};     ///< a TIFF of depths, seen together with the picture (depth.hpp); empty: none
};

/// How the scores of an object's pictures become its score.
enum class ScoreFusion {
    single,  ///< each picture is an object
    views,   ///< the mean of the largest 1 % of the values of all maps together
    sum,     ///< the sum of the pictures' scores
};

/// "single", "views", "sum": as a model's settings say it.
inline const char* fusion_name(ScoreFusion fusion) {
    return fusion == ScoreFusion::single ? "single" : fusion == ScoreFusion::views ? "views" : "sum";
}

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
    ScoreFusion fusion = ScoreFusion::single;
};

}  // namespace dinomaly::vision::inline DINOMALY_ABI
