// SPDX-License-Identifier: Apache-2.0
// Results as they come: a file, or standard output, to which whole lines are appended.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

/// An object as one line. Bytes that are no UTF-8, as names of files may hold, are replaced.
std::string json_line(const nlohmann::ordered_json& object);

/// Each line goes out at once and by one write(), so that whoever reads along never sees half of one.
class LineFile {
public:
    /// Appends to a file, which is made where there is none. With `sync`, each line is on the disk before append()
    /// returns. Throws Error when it cannot be opened.
    explicit LineFile(const std::filesystem::path& path, bool sync = false);
    /// Standard output. Throws Error when it is closed. SIGPIPE is ignored from now on: append() says what it would.
    LineFile();

    /// Adds the end of the line. Throws Error when it cannot be written; then a file is left as it was before.
    void append(std::string line);
    /// Whether this is the only one that holds the file so, on this machine; asked once, and held from then on.
    bool hold_alone();

private:
    std::string place_;  ///< for messages
    io::Descriptor file_;
    bool is_file_, sync_ = false;
};

}  // namespace dinomaly::program
