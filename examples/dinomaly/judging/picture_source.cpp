// SPDX-License-Identifier: Apache-2.0
#include "judging/picture_source.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>

#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/dataset.hpp"

namespace dinomaly::program {

namespace fs = std::filesystem;

namespace {

constexpr const char* standard_input = "-";

/// The pictures of a folder and of the folders in it, sorted.
void add_folder(const fs::path& folder, std::deque<fs::path>& pictures) {
    const std::vector<fs::path> here = vision::list_pictures(folder);
    pictures.insert(pictures.end(), here.begin(), here.end());
    std::vector<fs::path> inner;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        if (entry.is_directory() && !entry.path().filename().string().starts_with('.')) inner.push_back(entry.path());
    std::ranges::sort(inner);
    for (const fs::path& path : inner) add_folder(path, pictures);
}

/// Waits until standard input has something, its end or an error; or looks whether it has.
bool has_input(bool wait) {
    struct pollfd input {
        STDIN_FILENO, POLLIN, 0
    };
    return ::poll(&input, 1, wait ? -1 : 0) > 0;
}

}  // namespace

ArgumentSource::ArgumentSource(const std::vector<fs::path>& arguments) {
    for (const fs::path& argument : arguments) {
        if (argument == standard_input) {
            check(!reads_lines_, standard_input, "standard input can be read once only");
            reads_lines_ = true;
            arguments_.push_back(argument);
            continue;
        }
        std::error_code ignored;
        check(fs::exists(argument, ignored), argument.c_str(), "no such picture or folder");
        if (!fs::is_directory(argument, ignored)) {
            arguments_.push_back(argument);
            continue;
        }
        const std::size_t before = arguments_.size();
        add_folder(argument, arguments_);
        check(arguments_.size() > before, argument.c_str(), "no pictures (", vision::picture_extensions,
              ") in this folder");
    }
}

std::vector<fs::path> ArgumentSource::known() const {
    std::vector<fs::path> pictures(arguments_.begin(), arguments_.end());
    std::erase(pictures, standard_input);
    return pictures;
}

void ArgumentSource::keep(const std::vector<fs::path>& pictures) {
    const std::set<fs::path> kept(pictures.begin(), pictures.end());
    std::erase_if(arguments_,
                  [&](const fs::path& argument) { return argument != standard_input && !kept.contains(argument); });
}

std::optional<fs::path> ArgumentSource::next(bool wait) {
    while (!arguments_.empty()) {
        if (arguments_.front() != standard_input) {
            fs::path picture = std::move(arguments_.front());
            arguments_.pop_front();
            return picture;
        }
        if (std::optional<fs::path> line = next_line(wait)) return line;
        if (!is_ended_) return {};
        arguments_.pop_front();
    }
    return {};
}

std::optional<fs::path> ArgumentSource::next_line(bool wait) {
    constexpr std::size_t max_line = 1 << 20;
    for (;;) {
        std::size_t end = buffer_.find('\n');
        if (end == std::string::npos && is_ended_) end = buffer_.size();  // the last line may lack it
        if (end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            if (line.ends_with('\r')) line.pop_back();
            if (!line.empty()) return line;
            if (is_ended_ && buffer_.empty()) return {};
            continue;
        }
        check(buffer_.size() < max_line, "standard input", "a line of more than ", max_line,
              " bytes found, the path of one picture a line expected");
        if (!wait && !has_input(false)) return {};
        std::array<char, 65536> part;
        const ssize_t count = ::read(STDIN_FILENO, part.data(), part.size());
        if (count > 0)
            buffer_.append(part.data(), static_cast<std::size_t>(count));
        else if (count == 0)
            is_ended_ = true;
        else if (errno == EAGAIN)
            has_input(true);
        else
            check(errno == EINTR, "standard input", "cannot be read: ", io::errno_text());
    }
}

}  // namespace dinomaly::program
