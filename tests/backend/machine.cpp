// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE machine
#include "dinomaly/backend/cpu/machine.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <vector>

#include "tests/support.hpp"

using namespace dinomaly;

BOOST_AUTO_TEST_CASE(fields_of_kernel_files) {
    const auto file = test::scratch_dir("fields") / "cpuinfo";
    std::ofstream(file)
        << "no colon here\nmodel\t\t: 17\nmodel name\t: Some Processor: fast\nflags\t\t:\nVmHWM:\t  2048 kB\n";
    BOOST_TEST(backend::detail::kernel_field(file.c_str(), "model name") == "Some Processor: fast");
    BOOST_TEST(backend::detail::kernel_field(file.c_str(), "VmHWM") == "2048 kB");
    BOOST_TEST(backend::detail::kernel_field(file.c_str(), "flags") == "");
    BOOST_TEST(backend::detail::kernel_field(file.c_str(), "bogomips") == "");
    BOOST_TEST(backend::detail::kernel_field("no such file", "flags") == "");
    BOOST_TEST(!backend::processor_name().empty());
}

BOOST_AUTO_TEST_CASE(peak_memory_rises_and_stays) {
    constexpr std::size_t bytes = std::size_t{64} << 20;
    const double before = backend::peak_memory();
    { const std::vector<char> block(bytes, 1); }
    const double after = backend::peak_memory();
    BOOST_TEST(after - before > 0.9 * bytes);
    BOOST_TEST(after - before < 1.5 * bytes);
}
