// SPDX-License-Identifier: Apache-2.0
// Moving a file into a folder without replacing what is there.
#pragma once

#include <filesystem>

namespace dinomaly::program {

/// Where a file of this name could go: folder/part.png, or folder/part-2.png, ... where that is taken.
std::filesystem::path free_place(const std::filesystem::path& folder, const std::filesystem::path& name);

/// Moves a file, or a link as it is, into a folder, which is made where there is none: to its own name, or to the next
/// that is free. Across file systems it is copied whole, with its time, and then removed. Returns where it is now.
/// Throws Error when it cannot be moved; then it stays where it was.
std::filesystem::path move_into(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace dinomaly::program
