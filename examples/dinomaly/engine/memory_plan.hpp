// SPDX-License-Identifier: Apache-2.0
// What a command is allowed to take of the memory that its model computes in, settled before it begins.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "commands.hpp"
#include "dinomaly/memory_estimate.hpp"

namespace dinomaly::program {

/// "1,234 MB", "2.5 MB" (millions of bytes).
std::string megabytes(std::size_t bytes);

/// "memory" or "GPU memory": where the model computes.
const char* memory_name(const Engine& engine);

/// The estimate for `use`, on a GPU of what it has to hold. Throws Error when it exceeds `limit` bytes (0: no
/// limit), with its parts and what would fit; warns when it exceeds what is left.
std::size_t check_memory(const Engine& engine, const MemoryUse& use, std::size_t limit);

/// Where the features of the pictures that the batches ask for again are kept: as the options say, else in memory
/// where the GPU or half of what is available to the host has room, and the limit beside `use`, else in `file` where
/// the disk has room.
FeatureStore choose_feature_store(const TrainOptions& options, const Engine& engine, const MemoryUse& use,
                                  const std::vector<std::vector<std::size_t>>& batches,
                                  const std::filesystem::path& file);

/// Bytes of the features that a store keeps when all are there.
std::size_t feature_bytes(const Engine& engine, const FeatureStore& store);

}  // namespace dinomaly::program
