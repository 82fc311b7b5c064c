// SPDX-License-Identifier: Apache-2.0
// Pictures as they arrive in a folder, each once it is complete; the folders in it are not looked into.
//
// A file is complete when a program closed it after writing, or it was moved in, and no program of this machine has it
// open for writing. Where the kernel does not tell (network folders), it is when two looks find the same size and time.
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "commands.hpp"
#include "interruption.hpp"
#include "judging/picture_source.hpp"
#include "watching/folder_events.hpp"
#include "watching/judged_record.hpp"

namespace dinomaly::program {

class WatchFolder : public PictureSource {
public:
    /// Begins to watch. Throws Error when there is no such folder, or nothing could be noted or moved.
    WatchFolder(const WatchOptions& options, const Interruption& interruption);

    /// "watching DIR, told by the kernel", or how often it looks.
    std::string description() const;

    /// There is none once the program was asked to end; what is being read then is still judged. Throws Error when the
    /// folder is gone.
    std::optional<std::filesystem::path> next(bool wait) override;
    bool is_current(const std::filesystem::path& picture) override;
    void announce(const std::filesystem::path& picture, nlohmann::ordered_json& line) override;
    void put_away(const std::filesystem::path& picture, const nlohmann::ordered_json& line) override;

private:
    using Clock = std::chrono::steady_clock;
    struct Seen {
        FileState state;
        Clock::time_point since;
    };

    bool polls() const { return !events_; }
    void note_what_is_there();
    void take_news();
    void look_at_all();
    void look_at(const std::string& name);
    void make_ready(const std::string& name);
    void wait_for(const std::string& name, const FileState& state);
    void sleep() const;
    std::filesystem::path place_for(const nlohmann::ordered_json& line) const;

    WatchOptions options_;
    const Interruption& interruption_;
    JudgedRecord record_;
    std::optional<FolderEvents> events_;  ///< none: looks every interval_
    Clock::duration interval_;
    Clock::time_point next_look_;
    std::map<std::string, Seen> unsettled_;  ///< complete when they stay as they are
    std::deque<std::string> ready_;
    std::set<std::string> is_ready_;          ///< those in ready_
    std::map<std::string, FileState> given_;  ///< handed out and not put away
};

}  // namespace dinomaly::program
