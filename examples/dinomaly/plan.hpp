// SPDX-License-Identifier: Apache-2.0
// What a training run learns from, and in which order.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "dinomaly/vision/dataset.hpp"

namespace dinomaly::program {

/// Numbers of pictures, a list an iteration.
using Batches = std::vector<std::vector<std::size_t>>;

struct Plan {
    std::vector<vision::ClassData> classes;
    std::vector<std::filesystem::path> pictures;
    std::vector<std::string> names;  ///< of the pictures, relative to the data's root
    Batches batches;                 ///< one an iteration
    std::string order_hash;          ///< of the order's file; empty without one
};

/// The classes that the options ask for, with their pictures. Throws as vision::scan does.
std::vector<vision::ClassData> find_classes(const TrainOptions& options);

/// Finds the classes and draws the order of their pictures, or reads it from --order. Throws when a class
/// has nothing to learn from, or the order asks for what there is not.
Plan make_plan(const TrainOptions& options);

/// All that the numbers of a run depend on: a resumed run must have the same.
nlohmann::json run_settings(const TrainOptions& options, const Plan& plan, const Engine& engine);

/// Prints how many pictures each class has, and warns of masks that are missing.
void describe_classes(const std::vector<vision::ClassData>& classes);

/// Prints what is trained, on what, and how.
void describe_run(const TrainOptions& options, const Plan& plan, const Engine& engine, int threads);

}  // namespace dinomaly::program
