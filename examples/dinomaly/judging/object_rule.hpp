// SPDX-License-Identifier: Apache-2.0
// Which pictures are judged together with one that predict is given.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "dinomaly/vision/sample.hpp"
#include "engine/engine.hpp"

namespace dinomaly::program {

enum class ObjectRule {
    picture,  ///< none: it is an object itself
    strip,    ///< it is five views side by side (MANTA-Tiny)
    folder,   ///< all pictures of its folder are views of one object
    pair,     ///< an RGB picture ../RGB/.. and the infrared one ../Infrared/.. of the same name
};

/// What --object may say.
const std::map<std::string, ObjectRule>& object_rules();

vision::ScoreFusion fusion_of(ObjectRule rule);

/// Warns where the model's thresholds were found with scores of another kind.
void warn_of_other_fusion(const Engine& engine, vision::ScoreFusion fusion);

/// What is seen of the object of a picture, at least one sample; with its depths where these are wanted. Throws where a
/// picture that belongs to it is missing.
std::vector<vision::Sample> object_of(const std::filesystem::path& picture, ObjectRule rule, bool with_depths);

/// Leaves of pictures those that stand for an object: no infrared ones of pairs, one of each folder, none in the
/// folders of depths and masks beside rgb.
void leave_one_of_each_object(std::vector<std::filesystem::path>& pictures, ObjectRule rule, bool with_depths);

}  // namespace dinomaly::program
