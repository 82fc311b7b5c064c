// SPDX-License-Identifier: Apache-2.0
#include "training/run_folder.hpp"

#include <algorithm>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"

namespace dinomaly::program {

namespace fs = std::filesystem;

void RunFolder::check_state(bool resume) const {
    std::error_code ignored;
    const bool exists = fs::exists(path_, ignored);
    check(!exists || fs::is_directory(path_, ignored), path_.c_str(), "is not a directory; a run needs one of its own");
    if (resume) {
        check(fs::is_regular_file(state(), ignored), path_.c_str(),
              "nothing to resume: there is no state.safetensors (it is written every --save-every iterations)");
    } else {
        check(!exists || fs::is_empty(path_, ignored), path_.c_str(),
              "the run exists already; give another --out, or --resume to go on with it");
    }
}

void RunFolder::make() const {
    std::error_code problem;
    fs::create_directories(path_, problem);
    check(!problem && fs::is_directory(path_), path_.c_str(), "the folder cannot be made: ", problem.message());
}

void RunFolder::discard() const {
    std::error_code ignored;  // whatever cannot be removed stays
    if (fs::is_empty(log(), ignored)) fs::remove(log(), ignored);
    remove_features();
    if (!fs::exists(log(), ignored)) fs::remove(config(), ignored);
    if (fs::is_empty(path_, ignored)) fs::remove(path_, ignored);
}

void RunFolder::clear() const {
    std::error_code ignored;  // what is left shows when the run is made
    for (const fs::path& file : {config(), log(), state(), model(), features(), metrics(), csv(), markdown(), report()})
        fs::remove(file, ignored);
}

void RunFolder::remove_features() const {
    std::error_code ignored;  // there are none, as a rule
    fs::remove(features(), ignored);
}

fs::path model_file(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) return path;
    fs::path file = RunFolder(path).model();
    if (fs::is_regular_file(file, ignored)) return file;
    std::vector<std::string> found;
    for (fs::recursive_directory_iterator at(path, ignored), end; at != end; at.increment(ignored)) {
        if (at.depth() > 1) at.disable_recursion_pending();  // seed-N/CLASS/model.safetensors
        if (at->path().filename() == file.filename()) found.push_back(at->path().string());
    }
    check(!found.empty(), path.c_str(), "a folder without a model: a run's folder or its model.safetensors expected");
    std::ranges::sort(found);
    constexpr std::size_t shown = 5;
    std::string list;
    for (std::size_t i = 0; i < std::min(shown, found.size()); ++i) list += (i > 0 ? ", " : "") + found[i];
    fail(path.string(), "a folder of several runs, one of their models expected: ", list,
         found.size() > shown ? ", .." : "");
}

void save_state(const RunFolder& folder, const Training& training, const nlohmann::json& settings, double seconds) {
    io::StateDict dict(folder.state().string());
    training.store(dict);
    dict.metadata["settings"] = settings.dump();
    dict.metadata["seconds"] = nlohmann::json(seconds).dump();
    io::write_safetensors(folder.state(), dict);
}

double resume_state(const RunFolder& folder, Training& training, const nlohmann::json& settings) {
    const io::StateDict dict = io::read_safetensors(folder.state());
    const std::string place = folder.state().string();
    nlohmann::json saved;
    double seconds = 0;
    try {
        saved = nlohmann::json::parse(dict.metadata.at("settings"));
        seconds = nlohmann::json::parse(dict.metadata.at("seconds")).get<double>();
        check(saved.is_object(), place.c_str(), "the metadata field \"settings\" is no object");
    } catch (const std::out_of_range&) {
        fail(place, "not the state of a training run: the metadata fields \"settings\" and \"seconds\" are missing");
    } catch (const nlohmann::json::exception& error) {
        fail(place, "the metadata are damaged: ", error.what());
    }
    for (const auto& [name, value] : settings.items())
        check(saved.contains(name) && saved[name] == value, place.c_str(), "cannot be resumed with another ", name,
              ": the run has ", saved.value(name, nlohmann::json()).dump(), ", now asked for ", value.dump());
    training.restore(dict);
    return seconds;
}

RunLog::RunLog(const fs::path& path, std::int64_t iterations) : path_(path) {
    std::string kept;
    if (std::ifstream before(path); iterations > 0 && before.is_open()) {
        for (std::string line; std::getline(before, line);) {
            const nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
            const bool is_ours = entry.is_object() && entry.contains("iteration") && entry["iteration"].is_number() &&
                                 entry["iteration"].get<std::int64_t>() < iterations;
            if (!is_ours) break;  // what an interrupted run did after its last state is done again
            kept += line + '\n';
        }
    }
    io::write_text(path, kept);
    file_.open(path, std::ios::app);
    check(file_.is_open(), path.c_str(), "cannot be opened: ", io::errno_text());
}

void RunLog::append(const Step& step, double seconds) {
    const nlohmann::ordered_json entry = {{"iteration", step.iteration},
                                          {"loss", step.loss},
                                          {"grad_norm", step.grad_norm},
                                          {"lr", step.lr},
                                          {"seconds", seconds}};
    file_ << entry.dump() << std::endl;
    check(file_.good(), path_.c_str(), "cannot be written: ", io::errno_text());
}

}  // namespace dinomaly::program
