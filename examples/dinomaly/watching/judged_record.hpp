// SPDX-License-Identifier: Apache-2.0
// Which files of a folder were judged, so that none is judged again unless it changed. Kept in memory and, where a
// restarted program is to know it too, in a file of JSON lines: name, size, mtime (ns since 1970), and score or error.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "watching/file_state.hpp"
#include "watching/line_file.hpp"

namespace dinomaly::program {

class JudgedRecord {
public:
    /// Kept in memory alone.
    JudgedRecord() = default;
    /// Goes on with the record in `file`, which is made where there is none, of the files in `folder`. Throws Error
    /// when it is no such record, cannot be written, or another program holds it.
    JudgedRecord(const std::filesystem::path& file, const std::filesystem::path& folder, bool sync);

    /// Whether the file was judged as it is.
    bool knows(const std::string& name, const FileState& state) const;
    /// Notes it, in memory alone.
    void pass_over(const std::string& name, const FileState& state) { known_.insert_or_assign(name, state); }
    /// Notes a result.
    void add(const std::string& name, const FileState& state, const nlohmann::ordered_json& result);
    /// The file is gone: another one of this name is new.
    void forget(const std::string& name) { known_.erase(name); }
    /// The same for all but these, which are sorted.
    void forget_all_but(const std::vector<std::string>& names);

private:
    std::unordered_map<std::string, FileState> known_;
    std::unique_ptr<LineFile> file_;  ///< none: in memory alone
};

}  // namespace dinomaly::program
