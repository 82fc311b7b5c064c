// SPDX-License-Identifier: Apache-2.0
// What a training run learns from, and in which order.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/loader.hpp"
#include "dinomaly/vision/source.hpp"

namespace dinomaly::program {

/// Numbers of pictures, a list an iteration.
using Batches = std::vector<std::vector<std::size_t>>;

struct Plan {
    std::vector<vision::ClassData> classes;  ///< without what is held out
    std::vector<vision::ClassData> held;     ///< good pictures held out, as test pictures: thresholds rest on them
    std::vector<vision::Source> pictures;    ///< whole ones, or their tiles
    std::vector<std::string> names;      ///< of the pictures, relative to the data's root; of a tile "a.png@left,top"
    Batches batches;                     ///< one an iteration; of draws, where there are any
    std::optional<vision::Draws> draws;  ///< of pictures that are augmented
    std::string pictures_hash;           ///< of all good pictures, held out or not
    double hold_out = 0;                 ///< the part that is held out
    std::string order_hash;              ///< of the order's file; empty without one
};

/// Describes the data, draws what is learnt from where only some is (--shot), holds good pictures out where thresholds
/// will rest on them, and draws the order of the others, or reads it from --order. Throws when a picture cannot be
/// used, a class has nothing to learn from, thresholds cannot be found as asked for, or the order asks for what there
/// is not.
Plan make_plan(const TrainOptions& options);

/// A hash of the names of training pictures, relative to the data's root.
std::string hash_names(const std::vector<vision::Sample>& samples, const std::filesystem::path& root);

/// All that the numbers of a run depend on: a resumed run must have the same.
nlohmann::json run_settings(const TrainOptions& options, const Plan& plan, const Engine& engine);

/// Prints what is trained, on what, and how.
void describe_run(const TrainOptions& options, const Plan& plan, const Engine& engine, int threads);

}  // namespace dinomaly::program
