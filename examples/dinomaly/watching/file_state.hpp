// SPDX-License-Identifier: Apache-2.0
// What tells whether a file is another one than before, and whether somebody still writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace dinomaly::program {

struct FileState {
    std::uint64_t size = 0;
    std::int64_t mtime = 0;  ///< nanoseconds since 1970
    bool operator==(const FileState&) const = default;
};

/// Of a regular file, or of what a link points to; nothing for all else, and where there is nothing.
std::optional<FileState> state_of(const std::filesystem::path& path);

enum class Writing { no, yes, unknown };

/// Whether any program of this machine has the file open for writing. The kernel tells for files of one's own on local
/// file systems: it grants a lease for reading only on a file that nobody writes. SIGIO is ignored from then on, which
/// a lease that is broken would send.
Writing is_being_written(const std::filesystem::path& path);

}  // namespace dinomaly::program
