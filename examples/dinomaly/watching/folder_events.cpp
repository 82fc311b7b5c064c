// SPDX-License-Identifier: Apache-2.0
#include "watching/folder_events.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace dinomaly::program {

namespace {

/// Whether a name that just appeared belongs to a file that was complete before: a link. Any other new file will be
/// closed after writing.
bool is_link(const std::filesystem::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && (S_ISLNK(status.st_mode) || status.st_nlink > 1);
}

}  // namespace

FolderEvents::FolderEvents(const std::filesystem::path& folder)
    : folder_(folder), events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    constexpr std::uint32_t wanted = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (!events_.valid() || ::inotify_add_watch(events_.get(), folder.c_str(), wanted) < 0) reason_ = io::errno_text();
}

FolderNews FolderEvents::read() {
    FolderNews news;
    alignas(inotify_event) std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t count = ::read(events_.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return news;
        for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const char* name = event.len > 0 ? buffer.data() + at + sizeof event : "";
            at += sizeof event + event.len;
            if ((event.mask & IN_Q_OVERFLOW) != 0) news.is_incomplete = true;
            if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0)
                news.is_folder_gone = true;
            if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) news.gone.emplace_back(name);
            if ((event.mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0 ||
                ((event.mask & IN_CREATE) != 0 && is_link(folder_ / name)))
                news.complete.emplace_back(name);
        }
    }
}

bool is_network_folder(const std::filesystem::path& folder) {
    struct statfs system {};
    if (::statfs(folder.c_str(), &system) != 0) return false;
    const auto type = static_cast<std::uint32_t>(system.f_type);
    // NFS, SMB as cifs and as smb2, FUSE (sshfs), 9p (virtual machines, WSL): linux/magic.h
    const std::initializer_list<std::uint32_t> network = {0x6969, 0xFF534D42, 0xFE534D42, 0x65735546, 0x01021997};
    return std::ranges::find(network, type) != network.end();
}

}  // namespace dinomaly::program
