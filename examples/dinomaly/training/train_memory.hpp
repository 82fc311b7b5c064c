// SPDX-License-Identifier: Apache-2.0
// Where a training run keeps features and pictures, and whether all has room.
#pragma once

#include <cstddef>

#include "commands.hpp"
#include "training/plan.hpp"
#include "training/run_folder.hpp"

namespace dinomaly::program {

/// What was settled for a training run.
struct MemoryPlan {
    FeatureStore features;
    std::size_t feature_bytes = 0, total = 0;  ///< of the features when all are there; of all memory, or the GPU's
};

/// Decides where features are kept and sees that all has room; throws Error, or warns, when it has not.
MemoryPlan plan_memory(const TrainOptions& options, const Plan& plan, const Engine& engine, const RunFolder& folder);

/// What a loader keeps of decoded pictures, in bytes: nothing where their features are kept.
std::size_t kept_pixels(const Plan& plan, const Engine& engine, const FeatureStore& features);

/// "memory", "disk" or "off".
const char* store_name(const FeatureStore& store);

/// Prints where features are kept and what the run takes.
void describe_memory(const TrainOptions& options, const Engine& engine, const MemoryPlan& memory);

}  // namespace dinomaly::program
