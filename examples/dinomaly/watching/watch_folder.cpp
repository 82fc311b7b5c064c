// SPDX-License-Identifier: Apache-2.0
#include "watching/watch_folder.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <system_error>
#include <vector>

#include "console.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "watching/move_file.hpp"

namespace dinomaly::program {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr const char* folder_is_gone = "the folder was removed, moved or unmounted while it was watched";

/// Hidden files are as a rule not complete: rsync and others write .part.png.x1y2 and rename it.
bool is_picture_name(const std::string& name) {
    return !name.starts_with('.') && vision::detail::is_picture_name(name);
}

void check_folder(const fs::path& folder, const char* problem) {
    std::error_code ignored;
    check(fs::is_directory(folder, ignored), folder.c_str(), problem);
}

}  // namespace

WatchFolder::WatchFolder(const WatchOptions& options, const Interruption& interruption)
    : options_(options), interruption_(interruption), interval_(500ms) {
    check_folder(options.folder, "no such folder to watch");
    if (options.move_to.empty()) {
        const fs::path file = options.done.empty() ? options.folder / ".dinomaly-judged.jsonl" : options.done;
        record_ = JudgedRecord(file, options.folder, options.sync);
    } else {
        std::error_code problem;
        fs::create_directories(options.move_to, problem);
        check(!problem, options.move_to.c_str(), "the folder cannot be made: ", problem.message());
        for (const fs::path& folder : {options.move_to, options.folder})
            check(::access(folder.c_str(), W_OK | X_OK) == 0, folder.c_str(), "no permission to move pictures ",
                  folder == options.folder ? "out of" : "into", " this folder");
    }
    if (options.poll == 0 && !is_network_folder(options.folder)) {
        events_.emplace(options.folder);
        if (!events_->is_listening()) {
            warn(options.folder.string() + ": the kernel does not tell what arrives (" + events_->reason() + ")");
            events_.reset();
        }
    }
    if (polls()) {
        const std::chrono::duration<double> seconds(options.poll > 0 ? options.poll : 1.0);
        interval_ = std::chrono::duration_cast<Clock::duration>(seconds);
    }
    note_what_is_there();
}

std::string WatchFolder::description() const {
    std::ostringstream text;
    text << "watching " << options_.folder.string();
    if (polls())
        text << ", looking every " << std::chrono::duration<double>(interval_).count() << " s";
    else
        text << ", told by the kernel";
    return text.str();
}

void WatchFolder::note_what_is_there() {
    if (options_.only_new) {
        for (const fs::path& path : vision::list_pictures(options_.folder))
            if (const auto state = state_of(path)) record_.pass_over(path.filename().string(), *state);
    }
    look_at_all();
    next_look_ = Clock::now() + interval_;
}

// --- from a name to a picture that is complete

void WatchFolder::look_at_all() {
    check_folder(options_.folder, folder_is_gone);
    std::vector<std::string> names;
    for (const fs::path& path : vision::list_pictures(options_.folder)) names.push_back(path.filename().string());
    record_.forget_all_but(names);
    std::erase_if(unsettled_, [&](const auto& entry) { return !std::ranges::binary_search(names, entry.first); });
    for (const std::string& name : names) look_at(name);
}

void WatchFolder::look_at(const std::string& name) {
    const std::optional<FileState> state = state_of(options_.folder / name);
    const auto given = given_.find(name);
    const bool is_given = given != given_.end() && given->second == state;
    if (!state || is_given || is_ready_.contains(name) || record_.knows(name, *state)) {
        unsettled_.erase(name);
        return;
    }
    const auto seen = unsettled_.find(name);
    const bool is_settled =
        seen != unsettled_.end() && seen->second.state == state && Clock::now() - seen->second.since >= interval_;
    const Writing writing = is_being_written(options_.folder / name);
    if (writing != Writing::yes && (is_settled || (!polls() && writing == Writing::no)))
        make_ready(name);
    else
        wait_for(name, *state);
}

void WatchFolder::wait_for(const std::string& name, const FileState& state) {
    const auto seen = unsettled_.find(name);
    if (seen == unsettled_.end() || seen->second.state != state) unsettled_[name] = {state, Clock::now()};
}

void WatchFolder::make_ready(const std::string& name) {
    unsettled_.erase(name);
    if (is_ready_.insert(name).second) ready_.push_back(name);
}

void WatchFolder::take_news() {
    if (events_) {
        const FolderNews news = events_->read();
        check(!news.is_folder_gone, options_.folder.c_str(), folder_is_gone);
        for (const std::string& name : news.gone) record_.forget(name);
        for (const std::string& name : news.complete)
            if (is_picture_name(name)) make_ready(name);
        if (news.is_incomplete) look_at_all();
    }
    if (Clock::now() < next_look_) return;
    if (polls()) {
        look_at_all();
    } else {
        const std::map<std::string, Seen> seen = unsettled_;
        for (const auto& [name, unused] : seen) look_at(name);
    }
    next_look_ = Clock::now() + interval_;
}

std::optional<fs::path> WatchFolder::next(bool wait) {
    for (;;) {
        if (interruption_.asked()) return {};
        take_news();
        while (!ready_.empty()) {
            const std::string name = ready_.front();
            if (given_.contains(name)) return {};  // read ahead: its earlier content has to be put away first
            ready_.pop_front();
            is_ready_.erase(name);
            const fs::path path = options_.folder / name;
            const std::optional<FileState> state = state_of(path);
            if (!state) continue;  // gone already, or no file
            if (is_being_written(path) == Writing::yes) {
                wait_for(name, *state);
                continue;
            }
            given_.insert_or_assign(name, *state);
            return path;
        }
        if (!wait) return {};
        sleep();
    }
}

void WatchFolder::sleep() const {
    std::array<struct pollfd, 2> waited{{{interruption_.descriptor(), POLLIN, 0}, {-1, POLLIN, 0}}};
    if (events_) waited[1].fd = events_->descriptor();
    int milliseconds = -1;
    if (polls() || !unsettled_.empty()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_look_ - Clock::now());
        milliseconds = static_cast<int>(std::max(left, 0ms).count());
    }
    ::poll(waited.data(), waited.size(), milliseconds);
}

// --- from a judged picture to its place

bool WatchFolder::is_current(const fs::path& picture) {
    const auto given = given_.find(picture.filename().string());
    const std::optional<FileState> state = state_of(picture);
    if (given == given_.end() || state == given->second) return true;
    if (state) wait_for(given->first, *state);
    given_.erase(given);
    return false;
}

fs::path WatchFolder::place_for(const nlohmann::ordered_json& line) const {
    return options_.move_to / (line.contains("error") ? "error" : line.value("verdict", "judged"));
}

void WatchFolder::announce(const fs::path& picture, nlohmann::ordered_json& line) {
    if (!options_.move_to.empty()) line["moved_to"] = free_place(place_for(line), picture.filename()).string();
}

void WatchFolder::put_away(const fs::path& picture, const nlohmann::ordered_json& line) {
    const std::string name = picture.filename().string();
    const auto given = given_.extract(name);
    const bool is_as_judged = !given.empty() && state_of(picture) == given.mapped();
    if (!is_as_judged) return;  // another one took its place: it comes by itself
    record_.add(name, given.mapped(), line);
    if (options_.move_to.empty()) return;
    try {
        const fs::path place = move_into(place_for(line), picture);
        if (place != line.value("moved_to", "")) warn(picture.string() + " was moved to " + place.string());
    } catch (const Error& error) {
        warn(std::string(error.what()) + "; it stays, and is not judged again");
    }
}

}  // namespace dinomaly::program
