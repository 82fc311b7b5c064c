// SPDX-License-Identifier: Apache-2.0
// Where predict's results go.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "watching/line_file.hpp"

namespace dinomaly::program {

/// Results on standard output and in the file of --json: line by line where pictures keep coming, else as a whole.
class Results {
public:
    /// Throws Error when standard output is closed, or the file could not be written.
    explicit Results(const PredictOptions& options);

    /// From now on each line goes into the file at once, behind what is there.
    void keep_coming(bool sync);
    /// One picture's result: path and score, or path and error.
    void add(const nlohmann::ordered_json& line);
    /// After the last one.
    void finish() const;

private:
    LineFile output_;  // the first that is opened, lest another file gets a closed output's number
    bool is_json_;
    std::filesystem::path file_;  ///< empty: none
    std::string lines_;           ///< for the file, as a whole
    std::unique_ptr<LineFile> appended_;
};

}  // namespace dinomaly::program
