// SPDX-License-Identifier: Apache-2.0
#include "watching/judged_record.hpp"

#include <algorithm>
#include <sstream>

#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

JudgedRecord::JudgedRecord(const std::filesystem::path& file, const std::filesystem::path& folder, bool sync)
    : file_(std::make_unique<LineFile>(file, sync)) {
    check(file_->hold_alone(), file.c_str(),
          "is in use by another 'dinomaly predict --watch'; two would judge each picture twice");
    std::istringstream lines(io::read_text(file));
    bool is_first = true;
    for (std::string text; std::getline(lines, text); is_first = false) {
        const nlohmann::json line = nlohmann::json::parse(text, nullptr, false);
        const bool is_ours = line.is_object() && line.contains("name") && line["name"].is_string() &&
                             line.contains("size") && line["size"].is_number_unsigned() && line.contains("mtime") &&
                             line["mtime"].is_number_integer();
        check(is_ours || !is_first, file.c_str(),
              "line 1 is not of a record of judged pictures: a JSON object with name, size and mtime expected");
        if (!is_ours) continue;  // cut short when the power went
        known_.insert_or_assign(line["name"].get<std::string>(), FileState{line["size"], line["mtime"]});
    }
    std::erase_if(known_, [&](const auto& entry) { return state_of(folder / entry.first) != entry.second; });
}

bool JudgedRecord::knows(const std::string& name, const FileState& state) const {
    const auto found = known_.find(name);
    return found != known_.end() && found->second == state;
}

void JudgedRecord::add(const std::string& name, const FileState& state, const nlohmann::ordered_json& result) {
    pass_over(name, state);
    if (!file_) return;
    nlohmann::ordered_json line{{"name", name}, {"size", state.size}, {"mtime", state.mtime}};
    for (const char* field : {"score", "verdict", "error"})
        if (result.contains(field)) line[field] = result[field];
    file_->append(json_line(line));
}

void JudgedRecord::forget_all_but(const std::vector<std::string>& names) {
    std::erase_if(known_, [&](const auto& entry) { return !std::ranges::binary_search(names, entry.first); });
}

}  // namespace dinomaly::program
