// SPDX-License-Identifier: Apache-2.0
// Slots in memory and in files: what was written is read, a file is reused for its own key alone, damage and full disks
// are noticed.
#define BOOST_TEST_MODULE io_slot_store
#include "dinomaly/io/slot_store.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/io/archive.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using dinomaly::io::SlotStore;
using dinomaly::test::is_refused;

namespace fs = std::filesystem;

namespace {

constexpr std::size_t slots = 5, slot_bytes = 10'007;

/// What slot i holds in these tests.
std::vector<std::byte> content(std::size_t i) {
    std::vector<std::byte> bytes(slot_bytes);
    for (std::size_t k = 0; k < bytes.size(); ++k) bytes[k] = static_cast<std::byte>(i * 37 + k * k);
    return bytes;
}

bool is_right(const SlotStore& store, std::size_t i) {
    const auto found = store.read(i);
    const auto expected = content(i);
    return store.is_filled(i) && std::equal(found.begin(), found.end(), expected.begin(), expected.end());
}

void check_filling(SlotStore& store) {
    BOOST_TEST(store.filled() == 0U);
    for (const std::size_t i : {3U, 0U}) {
        BOOST_TEST(!store.is_filled(i));
        store.write(i, content(i));
    }
    store.write(3, content(1));
    store.write(3, content(3));
    BOOST_TEST(store.filled() == 2U);
    BOOST_TEST(is_right(store, 0));
    BOOST_TEST(is_right(store, 3));
    BOOST_TEST(!store.is_filled(1));
    BOOST_TEST(is_refused([&] { store.write(slots, content(0)); }, "slot 5"));
    BOOST_TEST(is_refused([&] { store.write(1, std::vector<std::byte>(7)); }, "10007 bytes expected"));
    BOOST_TEST(!store.is_filled(1));
}

fs::path filled_file(const std::string& folder) {
    fs::path path = test::scratch_dir(folder) / "slots";
    SlotStore store(path, slots, slot_bytes, "key");
    for (const std::size_t i : {1U, 2U, 4U}) store.write(i, content(i));
    return path;
}

std::size_t filled_with(const fs::path& path, std::size_t count, std::size_t bytes, const std::string& key) {
    return SlotStore(path, count, bytes, key).filled();
}

}  // namespace

BOOST_AUTO_TEST_CASE(memory_and_file_keep_what_was_written) {
    SlotStore memory(slots, slot_bytes), file(test::scratch_dir("both") / "slots", slots, slot_bytes, "key");
    check_filling(memory);
    check_filling(file);
    BOOST_TEST(SlotStore(0, 0).filled() == 0U);
}

BOOST_AUTO_TEST_CASE(a_file_is_used_again_for_the_same_key_and_sizes_alone) {
    const fs::path path = filled_file("again");
    {
        SlotStore store(path, slots, slot_bytes, "key");
        BOOST_TEST(store.filled() == 3U);
        for (const std::size_t i : {1U, 2U, 4U}) BOOST_TEST(is_right(store, i));
        store.write(0, content(0));
    }
    BOOST_TEST(filled_with(path, slots, slot_bytes, "key") == 4U);
    BOOST_TEST(filled_with(path, slots, slot_bytes, "another") == 0U);
    BOOST_TEST(filled_with(path, slots, slot_bytes, "key") == 0U);  // it was made anew for the other key
    BOOST_TEST(filled_with(filled_file("count"), slots + 1, slot_bytes, "key") == 0U);
    BOOST_TEST(filled_with(filled_file("bytes"), slots, slot_bytes + 1, "key") == 0U);
}

BOOST_AUTO_TEST_CASE(damaged_slots_count_as_empty) {
    const fs::path path = filled_file("damaged");
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-5, std::ios::end);  // in slot 4
        file.put('\x5a');
    }
    SlotStore store(path, slots, slot_bytes, "key");
    BOOST_TEST(store.filled() == 2U);
    BOOST_TEST(!store.is_filled(4));
    BOOST_TEST(is_right(store, 1));

    const fs::path cut = filled_file("cut");
    fs::resize_file(cut, 100);
    BOOST_TEST(filled_with(cut, slots, slot_bytes, "key") == 0U);
    const fs::path other = filled_file("other");
    std::ofstream(other, std::ios::binary) << "something else";
    BOOST_TEST(filled_with(other, slots, slot_bytes, "key") == 0U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_is_an_error_and_leaves_nothing) {
    const fs::path folder = test::scratch_dir("refused");
    const std::uintmax_t too_much = 2 * fs::space(folder).available + (std::uintmax_t{1} << 40);
    BOOST_TEST(is_refused([&] { SlotStore(folder / "slots", 4, too_much / 4, "key"); }, "cannot be reserved"));
    BOOST_TEST(fs::is_empty(folder));
    BOOST_TEST(is_refused([&] { SlotStore(folder / "no" / "slots", slots, slot_bytes, "key"); }, "cannot be written"));
    BOOST_TEST(is_refused([&] { SlotStore(folder, slots, slot_bytes, "key"); }, "not a regular file"));
    BOOST_TEST(fs::is_directory(folder));
    BOOST_TEST(is_refused([&] { SlotStore(1 << 20, std::size_t{1} << 40); }, "cannot be mapped"));
}
