// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_file
#include "dinomaly/io/file.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <string>

#include "tests/io/archive.hpp"
#include "tests/support.hpp"

namespace fs = std::filesystem;
using namespace dinomaly;
using namespace dinomaly::test;

namespace {

std::ptrdiff_t file_count(const fs::path& directory) {
    return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

}  // namespace

BOOST_AUTO_TEST_CASE(text_survives_writing_and_reading) {
    const fs::path path = scratch_dir("file") / "note.txt";
    const std::string text("two\nlines \0 and a NUL", 21);
    io::write_text(path, text);
    BOOST_TEST(io::read_text(path) == text);
    io::write_text(path, "");
    BOOST_TEST(io::read_text(path) == "");
    BOOST_TEST(io::map_file(path).size() == 0U);
    BOOST_TEST(file_count(path.parent_path()) == 1);
}

BOOST_AUTO_TEST_CASE(bytes_outlive_the_name_and_the_first_handle) {
    const fs::path path = scratch_dir("file") / "data";
    io::write_text(path, "0123456789");
    const io::SharedBytes part = io::map_file(path).slice(3, 4);
    fs::remove(path);
    BOOST_TEST(part.text() == "3456");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_named) {
    const fs::path directory = scratch_dir("file");
    BOOST_CHECK(is_refused([&] { io::map_file(directory / "absent"); }, "absent] cannot be opened: No such file"));
    BOOST_CHECK(is_refused([&] { io::map_file(directory); }, "is not a regular file"));
    const fs::path pipe = directory / "pipe";
    BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    BOOST_CHECK(is_refused([&] { io::map_file(pipe); }, "is not a regular file"));
}

BOOST_AUTO_TEST_CASE(a_failed_write_leaves_the_old_file_alone) {
    const fs::path path = scratch_dir("file") / "weights";
    const auto fail_halfway = [](io::OutputFile& file) {
        file.write("half of");
        throw std::runtime_error("the source broke");
    };
    BOOST_CHECK_THROW(io::write_atomically(path, fail_halfway), std::runtime_error);
    BOOST_TEST(file_count(path.parent_path()) == 0);

    io::write_text(path, "old");
    BOOST_CHECK_THROW(io::write_atomically(path, fail_halfway), std::runtime_error);
    BOOST_TEST(io::read_text(path) == "old");
    BOOST_TEST(file_count(path.parent_path()) == 1);
}

BOOST_AUTO_TEST_CASE(readers_of_the_old_file_keep_it) {
    const fs::path path = scratch_dir("file") / "weights";
    io::write_text(path, "old content");
    const io::SharedBytes old = io::map_file(path);
    io::write_text(path, "new");
    BOOST_TEST(old.text() == "old content");
    BOOST_TEST(io::read_text(path) == "new");
}

BOOST_AUTO_TEST_CASE(targets_that_cannot_be_written_are_refused) {
    const fs::path directory = scratch_dir("file");
    BOOST_CHECK(is_refused([&] { io::write_text(directory / "no" / "such" / "file", "x"); }, "there is no directory"));
    BOOST_CHECK(is_refused([&] { io::write_text(directory, "x"); }, "not a regular file"));
    BOOST_CHECK(is_refused([&] { io::write_text("/dev/null", "x"); }, "not a regular file"));
    BOOST_CHECK(is_refused([&] { io::write_text("/dev/full", "x"); }, "not a regular file"));
    BOOST_TEST(fs::is_character_file("/dev/null"));
    BOOST_CHECK(is_refused([&] { io::write_text("/proc/file", "x"); }, "cannot be written: "));
    BOOST_TEST(file_count(directory) == 0);
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_is_followed) {
    const fs::path directory = scratch_dir("file");
    fs::create_directory(directory / "elsewhere");
    io::write_text(directory / "elsewhere" / "file", "old");
    fs::create_symlink(directory / "elsewhere" / "file", directory / "link");
    io::write_text(directory / "link", "new");
    BOOST_TEST(fs::is_symlink(directory / "link"));
    BOOST_TEST(io::read_text(directory / "elsewhere" / "file") == "new");
}
