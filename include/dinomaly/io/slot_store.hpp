// SPDX-License-Identifier: Apache-2.0
// SlotStore: a table of equally large slots of bytes that are filled one by one and read many times, in memory or in a
// file that outlives the process.
//
// Both are one stretch of address space. Memory is only taken by slots that were filled. The file is written with
// pwrite() and read through a mapping, so that a full disk is an error and not a signal; its pages belong to the
// system's cache, which takes them back when memory is short. Layout: a head, a checksum for each slot (0 where it is
// empty), the slots. A checksum is written after its slot and tested when the file is opened again: a slot that a crash
// cut short counts as empty.
#pragma once

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dinomaly/io/file.hpp"
#include "dinomaly/io/hash.hpp"

namespace dinomaly::io {

/// Used by one thread at a time; reading from several is safe while none writes.
class SlotStore {
public:
    /// Slots in memory. Throws Error, with the sizes, when there is no address space for them.
    SlotStore(std::size_t slots, std::size_t slot_bytes) : SlotStore(slots, slot_bytes, 0, "", -1) {}

    /// Slots in the file `path`, which is reused when it was made for the same `key` (what the slots hold) and sizes,
    /// and made anew when not. Throws Error, leaving no file, when the disk has no room or the file cannot be made.
    SlotStore(const std::filesystem::path& path, std::size_t slots, std::size_t slot_bytes, std::string_view key)
        : SlotStore(slots, slot_bytes, data_offset(slots), path, open_file(path, slots, slot_bytes, key)) {
        for (std::size_t slot = 0; slot < slots; ++slot)
            if (checksum_in_file(slot) != 0 && checksum_in_file(slot) == checksum(read(slot))) mark(slot);
    }

    SlotStore(const SlotStore&) = delete;
    SlotStore& operator=(const SlotStore&) = delete;
    ~SlotStore() {
        if (base_ != nullptr) ::munmap(base_, mapped_bytes());
    }

    std::size_t slots() const { return is_filled_.size(); }
    std::size_t slot_bytes() const { return slot_bytes_; }
    /// How many slots hold something.
    std::size_t filled() const { return filled_; }
    bool is_filled(std::size_t slot) const { return is_filled_.at(slot); }

    /// The bytes of a slot that is filled.
    std::span<const std::byte> read(std::size_t slot) const {
        return {base_ + offset_ + slot * slot_bytes_, slot_bytes_};
    }

    /// Fills a slot with exactly slot_bytes() bytes. Throws Error when they cannot be written.
    void write(std::size_t slot, std::span<const std::byte> bytes) {
        check(slot < slots() && bytes.size() == slot_bytes_, "slot store", "slot ", slot, " and ", bytes.size(),
              " bytes: a slot below ", slots(), " and ", slot_bytes_, " bytes expected");
        if (file_.valid()) {
            write_at(file_.get(), path_, offset_ + slot * slot_bytes_, bytes);
            const std::uint64_t sum = checksum(bytes);
            write_at(file_.get(), path_, sizeof(Head) + slot * sizeof sum, std::as_bytes(std::span(&sum, 1)));
        } else {
            std::memcpy(base_ + slot * slot_bytes_, bytes.data(), bytes.size());
        }
        mark(slot);
    }

private:
    /// The first bytes of a file.
    struct Head {
        std::array<char, 16> magic = {'d', 'i', 'n', 'o', 'm', 'a', 'l', 'y', ' ', 's', 'l', 'o', 't', 's', ' ', '1'};
        std::uint64_t key, slots, slot_bytes;

        friend bool operator==(const Head&, const Head&) = default;
    };

    SlotStore(std::size_t slots, std::size_t slot_bytes, std::size_t offset, std::filesystem::path path, int file)
        : path_(std::move(path)), file_(file), offset_(offset), slot_bytes_(slot_bytes), is_filled_(slots) {
        if (mapped_bytes() == 0) return;  // mmap refuses an empty range
        const int kind = file_.valid() ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void* const address =
            ::mmap(nullptr, mapped_bytes(), file_.valid() ? PROT_READ : PROT_READ | PROT_WRITE, kind, file, 0);
        if (address == MAP_FAILED) {
            const std::string reason = errno_text();
            std::error_code ignored;
            std::filesystem::remove(path_, ignored);
            fail(path_.empty() ? "slot store" : path_.string(), slots, " slots of ", slot_bytes,
                 " bytes cannot be mapped into memory: ", reason);
        }
        base_ = static_cast<std::byte*>(address);
    }

    static std::size_t data_offset(std::size_t slots) {
        constexpr std::size_t page = 4096;
        return (sizeof(Head) + slots * sizeof(std::uint64_t) + page - 1) / page * page;
    }
    std::size_t mapped_bytes() const { return offset_ + slots() * slot_bytes_; }

    static std::uint64_t checksum(std::span<const std::byte> bytes) {
        return std::max<std::uint64_t>(1, hash_bytes(bytes));  // 0 marks an empty slot
    }
    std::uint64_t checksum_in_file(std::size_t slot) const {
        std::uint64_t sum;
        std::memcpy(&sum, base_ + sizeof(Head) + slot * sizeof sum, sizeof sum);
        return sum;
    }

    static void write_at(int file, const std::filesystem::path& path, std::size_t offset,
                         std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (written < 0 && errno == EINTR) continue;
            check(written > 0, path.c_str(), "cannot be written: ", errno_text());
            bytes = bytes.subspan(static_cast<std::size_t>(written));
            offset += static_cast<std::size_t>(written);
        }
    }

    /// The descriptor of a file that has the right head and size: the one found, or a new one.
    static int open_file(const std::filesystem::path& path, std::size_t slots, std::size_t slot_bytes,
                         std::string_view key) {
        const Head head{.key = hash_bytes(std::as_bytes(std::span(key))), .slots = slots, .slot_bytes = slot_bytes};
        const std::size_t size = data_offset(slots) + slots * slot_bytes;
        if (const int found = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); found >= 0) {
            Head there{};
            struct stat status {};
            if (::fstat(found, &status) == 0 && S_ISREG(status.st_mode) &&
                static_cast<std::size_t>(status.st_size) == size &&
                ::pread(found, &there, sizeof there, 0) == static_cast<ssize_t>(sizeof there) && there == head)
                return found;
            ::close(found);
        }
        std::error_code ignored;
        check(!std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored), path.c_str(),
              "cannot be written: it exists and is not a regular file");
        std::filesystem::remove(path, ignored);
        const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        check(made >= 0, path.c_str(), "cannot be written: ", errno_text());
        try {
            reserve(made, path, size);
            write_at(made, path, 0, std::as_bytes(std::span(&head, 1)));
        } catch (...) {
            ::close(made);
            std::filesystem::remove(path, ignored);
            throw;
        }
        return made;
    }

    /// Takes the file's room on the disk at once, so that it does not run full half-way.
    static void reserve(int file, const std::filesystem::path& path, std::size_t size) {
        int problem;
        do problem = ::posix_fallocate(file, 0, static_cast<off_t>(size));
        while (problem == EINTR);
        if (problem == 0) return;
        struct statvfs disk {};
        const bool known = ::fstatvfs(file, &disk) == 0;
        const auto megabytes = [](double bytes) { return static_cast<std::uint64_t>(bytes / 1e6); };
        const std::string room =
            known ? std::to_string(megabytes(static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize))) +
                        " MB"
                  : "an unknown number of bytes";
        fail(path.string(), megabytes(static_cast<double>(size)), " MB cannot be reserved on the disk, which has ",
             room, " free: ", std::error_code(problem, std::generic_category()).message());
    }

    void mark(std::size_t slot) {
        filled_ += is_filled_[slot] ? 0 : 1;
        is_filled_[slot] = true;
    }

    std::filesystem::path path_;  ///< empty in memory
    Descriptor file_;
    std::byte* base_ = nullptr;
    std::size_t offset_, slot_bytes_;  ///< where the slots begin, and how large one is
    std::vector<bool> is_filled_;
    std::size_t filled_ = 0;
};

}  // namespace dinomaly::io
