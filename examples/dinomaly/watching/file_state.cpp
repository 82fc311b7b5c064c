// SPDX-License-Identifier: Apache-2.0
#include "watching/file_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

std::optional<FileState> state_of(const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
    constexpr std::int64_t nano = 1'000'000'000;
    return FileState{static_cast<std::uint64_t>(status.st_size),
                     std::int64_t{status.st_mtim.tv_sec} * nano + status.st_mtim.tv_nsec};
}

Writing is_being_written(const std::filesystem::path& path) {
    static const auto ignored [[maybe_unused]] = ::signal(SIGIO, SIG_IGN);
    const io::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return Writing::unknown;
    if (::fcntl(file.get(), F_SETLEASE, F_RDLCK) == 0) return Writing::no;  // closing the file gives it back
    return errno == EAGAIN ? Writing::yes : Writing::unknown;
}

}  // namespace dinomaly::program
