// SPDX-License-Identifier: Apache-2.0
// Where the pictures come from that are to be judged: arguments, lines of standard input; watch_folder.hpp has a third.
#pragma once

#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace dinomaly::program {

/// Hands out the paths of pictures, one after the other, and is told what became of each.
class PictureSource {
public:
    PictureSource() = default;
    PictureSource(const PictureSource&) = delete;
    PictureSource& operator=(const PictureSource&) = delete;
    virtual ~PictureSource() = default;

    /// The next picture. Waits for it if so told, and has none at the end; else it has none too while none is known.
    virtual std::optional<std::filesystem::path> next(bool wait) = 0;
    /// Whether the file still is what next() found: what was overwritten or removed while it was read is not judged.
    virtual bool is_current(const std::filesystem::path&) { return true; }
    /// Adds to the result of a picture, before it is written, what this source does with the picture.
    virtual void announce(const std::filesystem::path&, nlohmann::ordered_json&) {}
    /// Does so, after the result was written.
    virtual void put_away(const std::filesystem::path&, const nlohmann::ordered_json&) {}
};

/// Pictures, folders with the folders in them, and, where an argument is "-", the lines of standard input.
class ArgumentSource : public PictureSource {
public:
    /// Throws Error for a picture or folder that does not exist, a folder without pictures, and a second "-".
    explicit ArgumentSource(const std::vector<std::filesystem::path>& arguments);

    /// Whether there are lines to come that nobody knows yet.
    bool reads_lines() const { return reads_lines_; }
    /// Replaces the pictures that are known by some of them.
    void keep(const std::vector<std::filesystem::path>& pictures);
    /// The pictures that are known now, in order.
    std::vector<std::filesystem::path> known() const;

    std::optional<std::filesystem::path> next(bool wait) override;

private:
    std::optional<std::filesystem::path> next_line(bool wait);

    std::deque<std::filesystem::path> arguments_;
    bool reads_lines_ = false;
    bool is_ended_ = false;  ///< standard input is
    std::string buffer_;     ///< what was read of it but not handed out
};

}  // namespace dinomaly::program
