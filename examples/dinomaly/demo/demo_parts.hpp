// SPDX-License-Identifier: Apache-2.0
// The demo's data set: four kinds of drawn industrial parts, good ones and bad ones with exact masks, in MVTec layout.
//
//   DIR/<kind>/train/good/000.png    DIR/<kind>/test/<good|fault>/000.png DIR/<kind>/ground_truth/<fault>/000_mask.png
//
// Every part differs: position, angle, grain, light and sensor noise. The same seed gives the same pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "dinomaly/vision/image.hpp"

namespace dinomaly::demo {

/// Pictures of each kind. Bad ones take turns among the kind's faults.
struct DemoCounts {
    int train = 24;
    int good = 10;
    int bad = 12;
};

/// Draws the whole set, 192x192 RGB, into `dir`, on all cores. The folder of a kind that exists is replaced.
/// Throws Error when a count is negative or a file cannot be written.
void draw_demo_parts(const std::filesystem::path& dir, std::uint32_t seed = 1, const DemoCounts& counts = {});

/// The kinds of parts, which are the names of their folders, and the faults each may have.
std::span<const std::string_view> demo_kinds();
std::span<const std::string_view> demo_faults(std::string_view kind);

/// One part: its picture, RGB, and a mask, grey, 255 where a fault changed the picture visibly.
struct DemoPart {
    vision::Image picture;
    vision::Image mask;
};

/// Draws the part `part_seed` of a kind, good where `fault` is empty. With a fault it is the same part, damaged.
/// Throws Error for an unknown kind or fault.
DemoPart draw_demo_part(std::string_view kind, std::uint32_t part_seed, std::string_view fault);

}  // namespace dinomaly::demo
