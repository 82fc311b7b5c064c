// SPDX-License-Identifier: Apache-2.0
// Files as the readers and writers of this folder need them: mapped into memory to be read, replaced as a whole when
// written, so that a reader of a path sees the old file or the complete new one and never half of it.
// POSIX only. A mapped file that another program shortens while it is in use ends the process (SIGBUS), as with any
// mapping; write_atomically() never shortens a file in place.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::io {

/// A read-only range of bytes together with whatever keeps it alive; copies are cheap and share the owner.
struct SharedBytes {
    std::span<const std::byte> view;
    std::shared_ptr<const void> owner;

    /// Takes over a vector.
    static SharedBytes own(std::vector<std::byte> bytes) {
        const auto kept = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
        return {*kept, kept};
    }
    std::size_t size() const { return view.size(); }
    /// The bytes offset .. offset+count-1; the caller has checked that they exist.
    SharedBytes slice(std::size_t offset, std::size_t count) const { return {view.subspan(offset, count), owner}; }
    /// The same bytes as characters.
    std::string_view text() const { return {reinterpret_cast<const char*>(view.data()), view.size()}; }
};

/// The text of the current errno, for messages.
inline std::string errno_text() {
    return std::error_code(errno, std::generic_category()).message();
}

/// Owns a file descriptor.
class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    int get() const { return value_; }
    bool valid() const { return value_ >= 0; }

private:
    int value_;
};

/// Maps a regular file into memory for reading. Throws Error, with the path and the system's reason, when it cannot.
inline SharedBytes map_file(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    check(file.valid(), path.c_str(), "cannot be opened: ", errno_text());
    struct stat status {};
    check(::fstat(file.get(), &status) == 0, path.c_str(), "cannot be examined: ", errno_text());
    check(S_ISREG(status.st_mode), path.c_str(), "is not a regular file");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return {};  // mmap refuses an empty range

    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    check(address != MAP_FAILED, path.c_str(), "cannot be mapped into memory: ", errno_text());
    const std::shared_ptr<const void> owner(address,
                                            [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
    return {{static_cast<const std::byte*>(address), size}, owner};
}

/// The whole file as text.
inline std::string read_text(const std::filesystem::path& path) {
    return std::string(map_file(path).text());
}

/// The file being filled inside write_atomically().
class OutputFile {
public:
    /// Creates `path`, which must not exist; invalid (see created()) when that fails, with the reason in errno.
    explicit OutputFile(std::filesystem::path path)
        : path_(std::move(path)), file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {}
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    /// Removes the file unless it was moved to its final place.
    ~OutputFile() {
        if (created() && !published_) ::unlink(path_.c_str());
    }

    bool created() const { return file_.valid(); }

    /// Appends bytes.
    void write(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            check(written > 0, path_.c_str(), "cannot be written: ", errno_text());
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }
    void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

    /// Forces the bytes to the disk and gives the file its final name.
    void publish(const std::filesystem::path& target) {
        check(::fsync(file_.get()) == 0, path_.c_str(), "cannot be flushed to the disk: ", errno_text());
        check(::rename(path_.c_str(), target.c_str()) == 0, target.c_str(), "cannot be replaced: ", errno_text());
        published_ = true;
        const Descriptor directory(::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory.valid()) ::fsync(directory.get());  // best effort: some file systems refuse it
    }

private:
    std::filesystem::path path_;
    Descriptor file_;
    bool published_ = false;
};

/// Calls write(OutputFile&) on a temporary file beside `path`, then renames it to `path`. When anything throws, the
/// temporary file is removed and `path` is left as it was. A symbolic link at `path` is followed.
/// Throws Error when the directory does not exist or cannot be written, or `path` is not a regular file.
template <class Write> void write_atomically(const std::filesystem::path& path, Write&& write) {
    std::error_code ignored;
    std::filesystem::path target = std::filesystem::canonical(path, ignored);
    if (target.empty()) target = std::filesystem::absolute(path);
    check(!std::filesystem::exists(target, ignored) || std::filesystem::is_regular_file(target, ignored), path.c_str(),
          "cannot be written: it exists and is not a regular file");
    const std::filesystem::path directory = target.parent_path();
    check(std::filesystem::is_directory(directory, ignored), path.c_str(), "cannot be written: there is no directory ",
          directory.string());

    for (int attempt = 0;; ++attempt) {
        const std::string suffix = ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
        OutputFile file(directory / (target.filename().string() + suffix));
        if (!file.created() && errno == EEXIST) continue;  // another thread, or the rest of a killed process
        check(file.created(), path.c_str(), "cannot be written: ", errno_text());
        std::forward<Write>(write)(file);
        file.publish(target);
        return;
    }
}

/// Replaces the contents of `path` by `text`, as above.
inline void write_text(const std::filesystem::path& path, std::string_view text) {
    write_atomically(path, [text](OutputFile& file) { file.write(text); });
}

}  // namespace dinomaly::io
