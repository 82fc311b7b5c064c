// SPDX-License-Identifier: Apache-2.0
// What the kernel tells of a folder's files (inotify): which were written to their end, moved in, or are gone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

/// What happened since one asked last; names of files without their folder.
struct FolderNews {
    std::vector<std::string> complete;  ///< closed after writing, moved in, or linked
    std::vector<std::string> gone;      ///< removed or moved away
    bool is_incomplete = false;         ///< more happened than the kernel kept: look at all files
    bool is_folder_gone = false;        ///< removed, moved or unmounted
};

class FolderEvents {
public:
    /// Begins to listen; see is_listening().
    explicit FolderEvents(const std::filesystem::path& folder);

    /// Whether the system lets us; otherwise reason() says why not.
    bool is_listening() const { return reason_.empty(); }
    const std::string& reason() const { return reason_; }
    /// Readable when there is news.
    int descriptor() const { return events_.get(); }
    /// Never waits.
    FolderNews read();

private:
    std::filesystem::path folder_;
    io::Descriptor events_;
    std::string reason_;
};

/// Whether a folder lies on a file system whose other users' changes the kernel does not tell: NFS, SMB, FUSE, 9p.
bool is_network_folder(const std::filesystem::path& folder);

}  // namespace dinomaly::program
