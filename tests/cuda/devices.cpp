// SPDX-License-Identifier: Apache-2.0
// The list of GPUs and the choice of one.
#define BOOST_TEST_MODULE cuda_devices
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <string>

#include "dinomaly/backend/cuda/devices.hpp"
#include "dinomaly/core/tensor.hpp"
#include "tests/cuda/on_cuda.hpp"

using namespace dinomaly;
using namespace dinomaly::backend::cuda;

BOOST_AUTO_TEST_CASE(a_gpu_that_is_there_is_listed_and_chosen) {
    const Devices devices = find_devices();
    BOOST_TEST(devices.problem.empty(), devices.problem);
    BOOST_REQUIRE(!devices.found.empty());
    for (const DeviceInfo& device : devices.found) {
        BOOST_TEST(!device.name.empty());
        BOOST_TEST(device.memory > (std::size_t{1} << 20));
    }
    const auto last = static_cast<int>(devices.found.size()) - 1;
    use_device(last);
    int current = -1;
    expect_success(cudaGetDevice(&current), "cudaGetDevice");
    BOOST_TEST(current == last);
    BOOST_CHECK_THROW(use_device(last + 1), Error);
}

BOOST_AUTO_TEST_CASE(tensors_take_free_memory) {
    const std::size_t before = free_memory();
    BOOST_TEST(before <= find_devices().found.back().memory);
    const Tensor<Cuda<float>> x({64, 1024, 1024});
    BOOST_TEST(free_memory() + 128 * 1024 * 1024 < before);
}

/// What is said when no GPU answers although the driver is new enough.
BOOST_AUTO_TEST_CASE(the_reason_is_told) {
    BOOST_TEST(detail::what_is_missing(cudaErrorInvalidDevice) ==
               std::string("no GPU was found: ") + cudaGetErrorString(cudaErrorInvalidDevice));
}
