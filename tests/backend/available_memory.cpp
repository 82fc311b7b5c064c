// SPDX-License-Identifier: Apache-2.0
// What the system says is available is a part of what it has.
#define BOOST_TEST_MODULE backend_available_memory
#include "dinomaly/backend/cpu/available_memory.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/support.hpp"

using dinomaly::backend::available_memory;
using dinomaly::backend::detail::number_in_file;

BOOST_AUTO_TEST_CASE(a_part_of_what_there_is) {
    const auto available = available_memory();
    BOOST_REQUIRE(available.has_value());
    BOOST_TEST(*available > 0U);
    BOOST_TEST(*available <=
               static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

BOOST_AUTO_TEST_CASE(numbers_are_read_where_they_stand) {
    const auto file = dinomaly::test::scratch_dir("numbers") / "info";
    std::ofstream(file) << "MemFree:    7 kB\nMemAvailable:   12345 kB\nMemory: none\n";
    BOOST_TEST(number_in_file(file.c_str(), "MemAvailable:").value() == 12345U);
    BOOST_TEST(!number_in_file(file.c_str(), "Swap:").has_value());
    BOOST_TEST(!number_in_file(file.c_str(), "Memory:").has_value());
    BOOST_TEST(!number_in_file(file.c_str(), "").has_value());
    BOOST_TEST(!number_in_file("/no/such/file", "MemFree:").has_value());
    std::ofstream(file) << "4096\n";
    BOOST_TEST(number_in_file(file.c_str(), "").value() == 4096U);
    std::ofstream(file) << "max\n";
    BOOST_TEST(!number_in_file(file.c_str(), "").has_value());
}
