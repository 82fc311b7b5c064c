// SPDX-License-Identifier: Apache-2.0
#include "watching/move_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "dinomaly/io/file.hpp"

namespace dinomaly::program {

namespace fs = std::filesystem;

namespace {

bool is_taken(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path, ignored));
}

/// rename() that replaces nothing. Returns 0, or the system's error.
int rename_to_new(const fs::path& from, const fs::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    // A file system that cannot promise it; there is no better way than to look first.
    if (is_taken(to)) return EEXIST;
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

/// A copy of `file` in another file system's folder, under a name that nobody takes for a picture.
fs::path copy_beside(const fs::path& folder, const fs::path& file) {
    fs::path copy = folder / ('.' + file.filename().string() + ".part-" + std::to_string(::getpid()));
    std::error_code problem;
    fs::copy(file, copy, fs::copy_options::overwrite_existing | fs::copy_options::copy_symlinks, problem);
    if (!problem && !fs::is_symlink(copy)) fs::last_write_time(copy, fs::last_write_time(file, problem), problem);
    if (problem) {
        std::error_code ignored;
        fs::remove(copy, ignored);
        fail(file.string(), "cannot be copied into ", folder.string(), ": ", problem.message());
    }
    return copy;
}

}  // namespace

fs::path free_place(const fs::path& folder, const fs::path& name) {
    fs::path place = folder / name;
    for (int number = 2; is_taken(place); ++number)
        place = folder / (name.stem().string() + '-' + std::to_string(number) + name.extension().string());
    return place;
}

fs::path move_into(const fs::path& folder, const fs::path& file) {
    std::error_code problem;
    fs::create_directories(folder, problem);
    check(!problem, folder.c_str(), "the folder cannot be made: ", problem.message());
    fs::path from = file;
    for (;;) {
        fs::path place = free_place(folder, file.filename());
        const int error = rename_to_new(from, place);
        if (error == 0) {
            if (from != file) fs::remove(file, problem);
            check(!problem, file.c_str(), "was copied to ", place.string(),
                  " but cannot be removed: ", problem.message());
            return place;
        }
        if (error == EXDEV && from == file) {
            from = copy_beside(folder, file);
        } else if (error != EEXIST) {  // with EEXIST somebody was faster
            if (from != file) fs::remove(from, problem);
            fail(file.string(), "cannot be moved to ", place.string(), ": ", std::generic_category().message(error));
        }
    }
}

}  // namespace dinomaly::program
