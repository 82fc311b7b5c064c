// SPDX-License-Identifier: Apache-2.0
#include "watching/line_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace dinomaly::program {

namespace {

/// Whether a file ends within a line, as one does that was being written when the power went.
bool ends_within_line(int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) return false;
    char last = '\n';
    return ::pread(file, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

}  // namespace

std::string json_line(const nlohmann::ordered_json& object) {
    return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

LineFile::LineFile(const std::filesystem::path& path, bool sync)
    : place_(path.string()),
      file_(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666)),
      is_file_(true),
      sync_(sync) {
    check(file_.valid(), place_.c_str(), "cannot be opened to append to it: ", io::errno_text());
    if (ends_within_line(file_.get())) append("");
}

LineFile::LineFile()
    : place_("standard output"), file_(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)), is_file_(false) {
    check(file_.valid(), place_.c_str(), "cannot be written: ", io::errno_text());
    ::signal(SIGPIPE, SIG_IGN);
}

void LineFile::append(std::string line) {
    line += '\n';
    struct stat before {};
    const bool can_shorten = is_file_ && ::fstat(file_.get(), &before) == 0 && S_ISREG(before.st_mode);
    std::size_t done = 0;
    while (done < line.size()) {
        const ssize_t written = ::write(file_.get(), line.data() + done, line.size() - done);
        if (written > 0) {
            done += static_cast<std::size_t>(written);
        } else if (errno == EAGAIN) {  // whoever reads made the pipe so
            struct pollfd ready {
                file_.get(), POLLOUT, 0
            };
            ::poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            const std::string reason = io::errno_text();
            const bool shortened = can_shorten && done > 0 && ::ftruncate(file_.get(), before.st_size) == 0;
            fail(place_, "cannot be written: ", reason, done > 0 && !shortened ? "; its last line is not whole" : "");
        }
    }
    check(!sync_ || ::fsync(file_.get()) == 0, place_.c_str(), "cannot be flushed to the disk: ", io::errno_text());
}

bool LineFile::hold_alone() {
    return ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;  // some file systems have no locks
}

}  // namespace dinomaly::program
