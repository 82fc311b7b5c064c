// SPDX-License-Identifier: Apache-2.0
// What every test of GPU code begins with: a GPU, or the emulation in its place.
//
//   for_each_schedule(f)   f(), or f(name), once on a GPU; in the emulation once for each way of running threads and
//   copies
//
// In the emulation streams do nothing before something waits for them, so that a missing wait shows. Without a GPU such
// a test says so and ends as skipped. DINOMALY_EXACT_BLOCKS=1 gives tensors memory of exactly their size, for
// compute-sanitizer; in the emulation the address sanitizer does.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <string>
#include <type_traits>

#include "dinomaly/backend/cuda/device.hpp"
#ifdef DINOMALY_SIMT
#include "tests/simt/combinations.hpp"
#endif

namespace dinomaly::test {

struct NeedsGpu {
    NeedsGpu() {
        int count = 0;
        const cudaError_t status = cudaGetDeviceCount(&count);
        if (status != cudaSuccess || count == 0) {
            std::cout << "skipped: no GPU here (" << cudaGetErrorString(status) << ")\n";
            std::exit(77);
        }
#ifdef DINOMALY_SIMT
        ::simt::options().streams = ::simt::Streams::late;
#endif
#ifdef __SANITIZE_ADDRESS__
        backend::DeviceHeap::keep_nothing();
#endif
        if (std::getenv("DINOMALY_EXACT_BLOCKS") != nullptr) backend::DeviceHeap::keep_nothing();
    }
    /// What no test waited for is done while all that it needs is there: memory is given back as the program ends.
    ~NeedsGpu() {
        static_cast<void>(cudaDeviceSynchronize());
    }
};
BOOST_TEST_GLOBAL_FIXTURE(NeedsGpu);

template <class F> void for_each_schedule(const F& f) {
    const auto run = [&](const std::string& name) {
        BOOST_TEST_INFO_SCOPE(name);
        if constexpr (std::is_invocable_v<F, const std::string&>)
            f(name);
        else
            f();
    };
#ifdef DINOMALY_SIMT
    ::simt::for_all_combinations(run);
#else
    run("on the GPU");
#endif
}

}  // namespace dinomaly::test
