// SPDX-License-Identifier: Apache-2.0
// A reader for the zip archives that PyTorch and Python write: stored and deflated entries, zip64, one disk, no
// encryption. Stored entries are taken from the mapping without a copy; every entry's CRC-32 is compared.
//
// All sizes in an archive are claims. Before anything is unpacked: every entry lies inside the file, none overlaps
// another, none claims more than deflate can reach (1032:1), and together they stay within `max_expansion`.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/io/byte_reader.hpp"
#include "dinomaly/io/file.hpp"

namespace dinomaly::io {

class ZipArchive {
public:
    enum class Method : std::uint16_t { stored = 0, deflated = 8 };

    struct Entry {
        std::string name;
        Method method;
        std::uint32_t crc;
        std::uint64_t packed_size, size;  // bytes in the archive, bytes unpacked
        std::uint64_t header, data, end;  // offsets of the local header, of the data, behind the data
    };

    /// All entries together may unpack to this multiple of the archive's size, and 16 MiB.
    static constexpr std::uint64_t max_expansion = 20;

    /// Reads the directory of an archive in memory; `place` opens the messages. Throws Error when it is damaged.
    ZipArchive(SharedBytes file, std::string place) : file_(std::move(file)), place_(std::move(place)) {
        read_directory(find_directory());
        check_layout();
    }

    const std::vector<Entry>& entries() const { return entries_; }

    /// The entry of this name, or null.
    const Entry* find(const std::string& name) const {
        const auto found = index_.find(name);
        return found == index_.end() ? nullptr : &entries_[found->second];
    }

    /// The unpacked bytes: a view of the file where they are stored, memory of their own where they are deflated.
    /// Throws Error when they do not unpack to the size and the CRC-32 that the directory gives.
    SharedBytes read(const Entry& entry) const {
        const SharedBytes packed = file_.slice(entry.data, entry.packed_size);
        SharedBytes bytes = entry.method == Method::stored ? packed : inflate(entry, packed.view);
        const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.view.data()), bytes.size());
        check(crc == entry.crc, place_.c_str(), "entry ", entry.name, " is damaged: CRC-32 ", crc, ", expected ",
              entry.crc);
        return bytes;
    }

private:
    static constexpr std::uint32_t end64_signature = 0x06064b50, locator_signature = 0x07064b50,
                                   entry_signature = 0x02014b50, local_signature = 0x04034b50;
    static constexpr std::uint32_t saturated = 0xffffffff;  // "see the zip64 field"

    struct Directory {
        std::uint64_t count, size, offset;
    };

    ByteReader reader_at(std::uint64_t offset) const { return {file_.view, place_, offset}; }

    /// The end record: the last 22 bytes, or earlier when a comment of up to 65535 bytes follows it.
    std::size_t find_end_record() const {
        constexpr std::size_t record_size = 22, max_comment = 65535;
        const std::size_t first = file_.size() - std::min(file_.size(), record_size + max_comment);
        const std::string_view tail = file_.text().substr(first);
        for (std::size_t at = tail.rfind("PK\x05\x06"); at != std::string_view::npos;
             at = at == 0 ? std::string_view::npos : tail.rfind("PK\x05\x06", at - 1)) {
            if (tail.size() - at < record_size) continue;
            const auto comment = reader_at(first + at + record_size - 2).read<std::uint16_t>();
            if (at + record_size + comment == tail.size()) return first + at;
        }
        fail(place_, "is cut short or not a zip archive: there is no end record");
    }

    Directory find_directory() {
        const std::size_t end = find_end_record();
        ByteReader reader = reader_at(end + 4);
        const auto disk = reader.read<std::uint16_t>();
        const auto directory_disk = reader.read<std::uint16_t>();
        const auto count_here = reader.read<std::uint16_t>();
        Directory directory{reader.read<std::uint16_t>(), 0, 0};
        directory.size = reader.read<std::uint32_t>();
        directory.offset = reader.read<std::uint32_t>();
        std::uint64_t directory_end = end;

        const bool is_zip64 = end >= 20 && reader_at(end - 20).read<std::uint32_t>() == locator_signature;
        if (is_zip64) {
            directory_end = read_end64(end - 20, directory);
        } else {
            check(disk == 0 && directory_disk == 0 && count_here == directory.count, place_.c_str(),
                  "is a zip archive of several files, expected one");
        }
        check(directory.offset <= directory_end && directory.size <= directory_end - directory.offset, place_.c_str(),
              "zip directory at ", directory.offset, " of ", directory.size, " bytes reaches behind its end at ",
              directory_end);
        return directory;
    }

    /// Replaces `directory` by the zip64 end record's; returns that record's offset.
    std::uint64_t read_end64(std::size_t locator, Directory& directory) const {
        ByteReader reader = reader_at(locator + 4);
        const auto disk = reader.read<std::uint32_t>();
        const auto offset = reader.read<std::uint64_t>();
        const auto disks = reader.read<std::uint32_t>();
        check(disk == 0 && disks <= 1, place_.c_str(), "is a zip archive of several files, expected one");
        check(offset <= locator, place_.c_str(), "zip64 end record at ", offset, " lies behind its locator");

        ByteReader record = reader_at(offset);
        check(record.read<std::uint32_t>() == end64_signature, place_.c_str(), "has no zip64 end record at ", offset);
        record.take(8 + 2 + 2);  // size of the record, versions
        const auto this_disk = record.read<std::uint32_t>();
        const auto directory_disk = record.read<std::uint32_t>();
        const auto count_here = record.read<std::uint64_t>();
        directory.count = record.read<std::uint64_t>();
        directory.size = record.read<std::uint64_t>();
        directory.offset = record.read<std::uint64_t>();
        check(this_disk == 0 && directory_disk == 0 && count_here == directory.count, place_.c_str(),
              "is a zip archive of several files, expected one");
        return offset;
    }

    void read_directory(const Directory& directory) {
        ByteReader reader(file_.view.subspan(directory.offset, directory.size), place_ + ": zip directory");
        for (std::uint64_t i = 0; i < directory.count; ++i) {
            const Entry entry = read_entry(reader, directory.offset);
            check(index_.emplace(entry.name, entries_.size()).second, place_.c_str(), "has two entries ", entry.name);
            entries_.push_back(entry);
        }
        check(reader.remaining() == 0, place_.c_str(), "zip directory has ", reader.remaining(), " bytes behind its ",
              directory.count, " entries");
    }

    Entry read_entry(ByteReader& reader, std::uint64_t directory_offset) const {
        check(reader.read<std::uint32_t>() == entry_signature, place_.c_str(), "zip directory is damaged");
        reader.take(2 + 2);  // versions
        const auto flags = reader.read<std::uint16_t>();
        const auto method = reader.read<std::uint16_t>();
        reader.take(2 + 2);  // time
        Entry entry{};
        entry.crc = reader.read<std::uint32_t>();
        entry.packed_size = reader.read<std::uint32_t>();
        entry.size = reader.read<std::uint32_t>();
        const auto name_size = reader.read<std::uint16_t>();
        const auto extra_size = reader.read<std::uint16_t>();
        const auto comment_size = reader.read<std::uint16_t>();
        const auto disk = reader.read<std::uint16_t>();
        reader.take(2 + 4);  // attributes
        entry.header = reader.read<std::uint32_t>();
        entry.name = reader.text(name_size);
        ByteReader extra(reader.take(extra_size), reader.place());
        reader.take(comment_size);

        read_zip64_sizes(extra, entry);
        constexpr unsigned encrypted = 0x0001 | 0x0040 | 0x2000;
        check((flags & encrypted) == 0, place_.c_str(), "entry ", entry.name, " is encrypted");
        check(disk == 0 || disk == 0xffff, place_.c_str(), "entry ", entry.name, " lies on disk ", disk);
        check(method == 0 || method == 8, place_.c_str(), "entry ", entry.name, " is compressed by method ", method,
              ", expected 0 (stored) or 8 (deflate)");
        entry.method = static_cast<Method>(method);
        locate_data(entry, directory_offset);
        return entry;
    }

    /// The zip64 field holds those of size, packed size and offset that are saturated, in this order.
    static void read_zip64_sizes(ByteReader& extra, Entry& entry) {
        while (extra.remaining() >= 4) {
            const auto tag = extra.read<std::uint16_t>();
            ByteReader field(extra.take(extra.read<std::uint16_t>()), extra.place());
            if (tag != 0x0001) continue;
            for (std::uint64_t* value : {&entry.size, &entry.packed_size, &entry.header}) {
                if (*value == saturated) *value = field.read<std::uint64_t>();
            }
        }
    }

    void locate_data(Entry& entry, std::uint64_t directory_offset) const {
        ByteReader local = reader_at(entry.header);
        check(local.read<std::uint32_t>() == local_signature, place_.c_str(), "entry ", entry.name,
              " has no local header at ", entry.header);
        local.take(22);
        const auto name_size = local.read<std::uint16_t>();
        const auto extra_size = local.read<std::uint16_t>();
        check(local.text(name_size) == entry.name, place_.c_str(), "entry ", entry.name,
              " has another name in its local header");
        local.take(extra_size);
        entry.data = local.position();
        check(entry.data <= directory_offset && entry.packed_size <= directory_offset - entry.data, place_.c_str(),
              "entry ", entry.name, " of ", entry.packed_size, " bytes at ", entry.data,
              " reaches into the directory at ", directory_offset);
        entry.end = entry.data + entry.packed_size;
    }

    void check_layout() const {
        std::vector<const Entry*> sorted;
        std::uint64_t left = max_expansion * file_.size() + (std::uint64_t{16} << 20);
        for (const Entry& entry : entries_) {
            constexpr std::uint64_t deflate_limit = 1032;
            const bool is_possible = entry.method == Method::stored ? entry.size == entry.packed_size
                                                                    : entry.size / deflate_limit <= entry.packed_size;
            check(is_possible, place_.c_str(), "entry ", entry.name, " cannot unpack from ", entry.packed_size, " to ",
                  entry.size, " bytes");
            check(entry.size <= left, place_.c_str(), "unpacks to more than ", max_expansion, " times its size");
            left -= entry.size;
            sorted.push_back(&entry);
        }
        std::ranges::sort(sorted, {}, &Entry::header);
        for (std::size_t i = 1; i < sorted.size(); ++i) {
            check(sorted[i - 1]->end <= sorted[i]->header, place_.c_str(), "entries ", sorted[i - 1]->name, " and ",
                  sorted[i]->name, " overlap");
        }
    }

    SharedBytes inflate(const Entry& entry, std::span<const std::byte> packed) const {
        if (entry.size == 0) return {};
        std::vector<std::byte> unpacked(entry.size);
        z_stream stream{};
        check(::inflateInit2(&stream, -MAX_WBITS) == Z_OK, place_.c_str(), "zlib cannot start");
        const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, ::inflateEnd);

        std::size_t consumed = 0, produced = 0;
        int status = Z_OK;
        while (status == Z_OK) {  // zlib counts in 32 bits: at most 1 GiB at a time
            constexpr std::size_t step = std::size_t{1} << 30;
            const std::size_t input = std::min(step, packed.size() - consumed);
            const std::size_t output = std::min(step, unpacked.size() - produced);
            stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + consumed));
            stream.avail_in = static_cast<uInt>(input);
            stream.next_out = reinterpret_cast<Bytef*>(unpacked.data() + produced);
            stream.avail_out = static_cast<uInt>(output);
            status = ::inflate(&stream, Z_NO_FLUSH);
            consumed += input - stream.avail_in;
            produced += output - stream.avail_out;
        }
        check(status == Z_STREAM_END && consumed == packed.size() && produced == unpacked.size(), place_.c_str(),
              "entry ", entry.name, " does not unpack to ", entry.size, " bytes");
        return SharedBytes::own(std::move(unpacked));
    }

    SharedBytes file_;
    std::string place_;
    std::vector<Entry> entries_;
    std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace dinomaly::io
