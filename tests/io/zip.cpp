// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_zip
#include "dinomaly/io/zip.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/io/archive.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

io::ZipArchive open(const std::string& content) {
    return {bytes_of(content), "f"};
}

/// The offset of a field in the directory's record of the first entry.
std::size_t directory_field(const std::string& archive, std::size_t field) {
    return archive.find("PK\1\2") + field;
}
constexpr std::size_t flags = 8, method = 10, crc = 16, packed_size = 20, unpacked_size = 24, header_offset = 42;

template <class T> bool patched_is_refused(std::string archive, std::size_t field, T number, std::string_view part) {
    patch(archive, directory_field(archive, field), number);
    return is_refused(
        [&] {
            const io::ZipArchive opened = open(archive);
            opened.read(opened.entries().front());
        },
        part);
}

}  // namespace

BOOST_AUTO_TEST_CASE(entries_are_read_in_every_form) {
    const std::string text = "some text, some text, some text, some text";
    for (const std::string& comment : {std::string(), std::string(65535, 'c'), std::string("PK\5\6 is no end")}) {
        const io::ZipArchive archive = open(zip({{"stored", text},
                                                 {"folder/deflated", text, true},
                                                 {"wide", text, false, true},
                                                 {"wide deflated", text, true, true},
                                                 {"empty", ""},
                                                 {"empty deflated", "", true}},
                                                comment));
        BOOST_REQUIRE(archive.entries().size() == 6U);
        for (const io::ZipArchive::Entry& entry : archive.entries()) {
            BOOST_TEST(archive.read(entry).text() == (entry.name.starts_with("empty") ? "" : text));
        }
        BOOST_TEST(archive.find("stored") == &archive.entries()[0]);
        BOOST_TEST(archive.find("absent") == nullptr);
    }
    BOOST_TEST(open(zip({})).entries().empty());
}

BOOST_AUTO_TEST_CASE(stored_entries_are_views_of_the_file) {
    const io::SharedBytes file = bytes_of(zip({{"a", "content"}}));
    const io::ZipArchive archive(file, "f");
    const io::SharedBytes entry = archive.read(archive.entries()[0]);
    BOOST_TEST(entry.view.data() == file.view.data() + 31);
}

BOOST_AUTO_TEST_CASE(zip64_end_record) {
    std::string archive = zip({{"a", "content"}});
    const std::size_t directory = archive.find("PK\1\2"), end = archive.find("PK\5\6");
    const std::uint64_t one = 1, size = end - directory;
    const std::uint32_t no_disk = 0;
    const std::string record = raw(std::uint32_t{0x06064b50}) + raw(std::uint64_t{44}) + raw(std::uint32_t{0}) +
                               raw(no_disk) + raw(no_disk) + raw(one) + raw(one) + raw(size) +
                               raw(std::uint64_t{directory});
    const std::string locator =
        raw(std::uint32_t{0x07064b50}) + raw(no_disk) + raw(std::uint64_t{end}) + raw(std::uint32_t{1});
    patch(archive, end + 8, std::uint32_t{0xffffffff});
    patch(archive, end + 12, ~std::uint64_t{0});
    archive.insert(end, record + locator);
    const io::ZipArchive opened = open(archive);
    BOOST_TEST(opened.read(*opened.find("a")).text() == "content");

    const auto refused = [&](std::size_t offset, std::uint64_t number) {
        std::string bad = archive;
        patch(bad, offset, number);
        return is_refused([&] { open(bad); }, "[f");
    };
    BOOST_CHECK(refused(end + 24, 1U << 31));                          // entries here
    BOOST_CHECK(refused(end + 40, ~std::uint64_t{0}));                 // size of the directory
    BOOST_CHECK(refused(end + 48, ~std::uint64_t{0} - 10));            // its offset
    BOOST_CHECK(refused(end + record.size() + 8, ~std::uint64_t{0}));  // offset of the record
}

BOOST_AUTO_TEST_CASE(damage_is_found) {
    const std::string archive = zip({{"a", "content of a"}, {"b", "content of b", true}});
    BOOST_CHECK(patched_is_refused(archive, crc, std::uint32_t{1}, "entry a is damaged: CRC-32"));
    BOOST_CHECK(patched_is_refused(archive, flags, std::uint16_t{1}, "is encrypted"));
    BOOST_CHECK(patched_is_refused(archive, method, std::uint16_t{12}, "compressed by method 12"));
    BOOST_CHECK(patched_is_refused(archive, method, std::uint16_t{8}, "does not unpack to 12 bytes"));
    BOOST_CHECK(patched_is_refused(archive, unpacked_size, std::uint32_t{13}, "cannot unpack from 12 to 13"));
    BOOST_CHECK(patched_is_refused(archive, packed_size, std::uint32_t{1} << 31, "reaches into the directory"));
    BOOST_CHECK(patched_is_refused(archive, header_offset, std::uint32_t{1}, "no local header at 1"));
    BOOST_CHECK(patched_is_refused(archive, header_offset, std::uint32_t{1} << 31, "lies behind the end"));
    BOOST_CHECK(is_refused([] { open(zip({{"a", "x"}, {"a", "y"}})); }, "two entries a"));
    for (std::size_t size = 0; size < archive.size(); ++size) {
        BOOST_CHECK_THROW(open(archive.substr(0, size)), Error);
    }
}

BOOST_AUTO_TEST_CASE(archives_of_several_files_are_refused) {
    std::string archive = zip({{"a", "x"}});
    patch(archive, archive.find("PK\5\6") + 4, std::uint16_t{1});
    BOOST_CHECK(is_refused([&] { open(archive); }, "archive of several files"));
}

BOOST_AUTO_TEST_CASE(entries_may_not_overlap) {
    std::string archive = zip({{"a", "0123456789"}, {"b", "0123456789"}});
    const std::size_t sizes = directory_field(archive, packed_size);
    patch(archive, sizes, std::uint32_t{20});  // a now ends inside b
    patch(archive, sizes + 4, std::uint32_t{20});
    BOOST_CHECK(is_refused([&] { open(archive); }, "entries a and b overlap"));
}

BOOST_AUTO_TEST_CASE(bombs_are_refused_before_they_unpack) {
    const std::string zeros(std::size_t{64} << 20, '\0');
    const std::string bomb = zip({{"a", zeros, true}});
    BOOST_TEST(bomb.size() < 100'000U);
    BOOST_CHECK(is_refused([&] { open(bomb); }, "unpacks to more than 20 times its size"));
    BOOST_CHECK(patched_is_refused(bomb, unpacked_size, std::uint32_t{0xfffffff0}, "cannot unpack from"));

    std::string liar = zip({{"a", std::string(100'000, '\0'), true}});  // claims less than it holds
    patch(liar, directory_field(liar, unpacked_size), std::uint32_t{1000});
    const io::ZipArchive archive = open(liar);
    BOOST_CHECK(is_refused([&] { archive.read(archive.entries()[0]); }, "does not unpack to 1000 bytes"));
}
