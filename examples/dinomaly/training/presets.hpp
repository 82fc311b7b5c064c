// SPDX-License-Identifier: Apache-2.0
// The settings that published figures were reached with, as the authors' scripts have them: the paper's by data set and
// setting, those of Dinomaly on DINOv3, and Dinomaly2's five. They are the same for every size of the encoder. Picture
// sizes are in them only where a script differs from what the encoder is used with (dinomaly/encoders/sizes.hpp).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace dinomaly::program {

inline constexpr const char* multi_class = "multi-class";
inline constexpr const char* class_separated = "class-separated";
inline constexpr const char* dinomaly2 = "dinomaly2";  // a name of --variant

/// "mvtec", "visa", "realiad", "mpdd", "dinov3", "dinomaly2", "dinomaly2-few-shot", ...
const std::vector<std::string>& preset_names();

/// Values of options, as --config takes them, and what is to be known about them.
struct Preset {
    nlohmann::ordered_json values;
    std::string published;  ///< with which encoders, or that nothing is
};

/// The preset of a name in "multi-class" or "class-separated", which the paper's alone have. Throws Error for others.
Preset find_preset(const std::string& name, const std::string& setting);

/// What Dinomaly2's authors train with, whatever the data: their learning rates, schedule, optimiser and noise.
nlohmann::ordered_json second_variant_values();

}  // namespace dinomaly::program
