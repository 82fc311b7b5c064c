// SPDX-License-Identifier: Apache-2.0
#include "judging/results.hpp"

#include <iomanip>
#include <iostream>
#include <sstream>

#include "console.hpp"
#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

namespace {

/// A result in short: "0.1234  part.png", "0.1234  bad   part.png" where there is a verdict, "error   part.png".
std::string readable_line(const nlohmann::ordered_json& line) {
    std::ostringstream text;
    if (line.contains("error"))
        text << "error ";
    else
        text << std::fixed << std::setprecision(4) << line["score"].get<float>();
    if (line.contains("verdict")) text << "  " << std::setw(4) << std::left << line["verdict"].get<std::string>();
    text << "  " << line["path"].get<std::string>();
    return text.str();
}

}  // namespace

Results::Results(const PredictOptions& options) : is_json_(options.jsonl || options.json == "-") {
    if (options.json != "-") file_ = options.json;
    check_writable(file_);
}

void Results::keep_coming(bool sync) {
    if (!file_.empty()) appended_ = std::make_unique<LineFile>(file_, sync);
}

void Results::add(const nlohmann::ordered_json& line) {
    const std::string text = json_line(line);
    if (appended_)
        appended_->append(text);
    else if (!file_.empty())
        lines_ += text + '\n';
    if (line.contains("error") && !is_json_) std::cerr << "error: " << line["error"].get<std::string>() << std::endl;
    output_.append(is_json_ ? text : readable_line(line));
}

void Results::finish() const {
    if (!file_.empty() && !appended_) io::write_text(file_, lines_);
}

}  // namespace dinomaly::program
