// SPDX-License-Identifier: Apache-2.0
// Kernels with one fault each, and how the emulation shows it: a wrong result under at least one of the four
// combinations, or an error that says what happened. The same kernel without its fault is right under all. Then streams
// with a wait left out, which shows where they work late.
#define BOOST_TEST_MODULE simt_planted_faults
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "combinations.hpp"
#include "launching.hpp"

using namespace simt;
using namespace simt::primitives;

namespace {

template <class T> __device__ T* shared_array() {
    return reinterpret_cast<T*>(shared_memory());
}

/// The names of the combinations under which `run` gives something else than `expected`.
template <class Run, class T> std::vector<std::string> wrong_under(Run run, const std::vector<T>& expected) {
    std::vector<std::string> names;
    for_all_combinations([&](const std::string& name) {
        if (run() != expected) names.push_back(name);
    });
    return names;
}

const std::vector<std::string> nowhere;

/// Checks that `run` fails under every combination with a text that holds `part`.
template <class Run> void check_error(Run run, const std::string& part) {
    for_all_combinations([&](const std::string& name) {
        BOOST_CHECK_EXCEPTION(run(), Error, [&](const Error& error) {
            const bool told = std::string(error.what()).find(part) != std::string::npos;
            BOOST_TEST(told, name << ": " << error.what());
            return told;
        });
    });
}

// ---- wrong results

/// Every warp's sum through shared memory to all threads.
template <bool with_barrier> __global__ void sum_of_warps(float* out) {
    float* sums = shared_array<float>();
    float sum = static_cast<float>(threadIdx.x);
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, step);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    if (with_barrier) __syncthreads();
    float total = 0;
    for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) total += sums[warp];
    out[threadIdx.x] = total;
}

/// Turns a ring of values by one place, several times. In rounds the warps keep step, and no write can overtake a read.
template <bool with_second_barrier> __global__ void turn(float* x) {
    float* ring = shared_array<float>();
    float value = x[threadIdx.x];
    for (int i = 0; i < 5; ++i) {
        ring[threadIdx.x] = value;
        __syncthreads();
        value = ring[(threadIdx.x + 1) % blockDim.x];
        __syncwarp();
        if (with_second_barrier) __syncthreads();
    }
    x[threadIdx.x] = value;
}

/// The tile holds the right values before: a copy that nobody waited for shows because it spoils them.
template <bool with_wait> __global__ void copy_through_shared(const float* x, float* out) {
    float* tile = shared_array<float>();
    for (unsigned i = threadIdx.x * 4; i < threadIdx.x * 4 + 4; ++i) tile[i] = x[i];
    copy_async(tile + threadIdx.x * 4, x + threadIdx.x * 4, true);
    commit_copies();
    if (with_wait) wait_copies<0>();
    __syncthreads();
    for (unsigned i = threadIdx.x; i < blockDim.x * 4; i += blockDim.x) out[i] = tile[i];
}

/// Two groups are under way; waiting for all but one of them leaves the second.
template <int pending> __global__ void copy_in_two_groups(const float* x, float* out) {
    float* tile = shared_array<float>();
    for (int i = 0; i < 2; ++i) {
        copy_async(tile + 4 * i, x + 4 * i, true);
        commit_copies();
    }
    wait_copies<pending>();
    for (int i = 0; i < 8; ++i) out[i] = tile[i];
}

/// Without the barrier a thread that runs ahead refills the tile while others still read it.
template <bool with_barrier> __global__ void refill_too_early(const float* x, float* out) {
    float* tile = shared_array<float>();  // [threads, 4]
    const unsigned mine = threadIdx.x * 4, other = (blockDim.x - 1 - threadIdx.x) * 4;
    float sum = 0;
    for (unsigned i = 0; i < 3; ++i) {
        copy_async(tile + mine, x + i * blockDim.x * 4 + mine, true);
        commit_copies();
        wait_copies<0>();
        __syncthreads();
        sum += tile[other];
        if (with_barrier) __syncthreads();
    }
    out[threadIdx.x] = sum;
}

/// All warps write one place: which one is last?
template <bool all> __global__ void last_warp_wins(unsigned* out) {
    unsigned* shared = shared_array<unsigned>();
    if (all || threadIdx.x / 32 == blockDim.x / 32 - 1) shared[0] = threadIdx.x / 32;
    __syncthreads();
    if (threadIdx.x == 0) out[blockIdx.x] = shared[0];
}

template <bool with_barrier> __global__ void neighbour_in_warp(unsigned* out) {
    unsigned* shared = shared_array<unsigned>();
    shared[threadIdx.x] = threadIdx.x;
    if (with_barrier) __syncwarp();
    out[threadIdx.x] = shared[threadIdx.x ^ 1U];
}

__global__ void sum_with_neighbour_block(const float* x, float* sums) {
    sums[blockIdx.x] = x[blockIdx.x] + (blockIdx.x > 0 ? sums[blockIdx.x - 1] : 0.0F);
}

__global__ void use_unwritten(float* out) {
    const float* shared = shared_array<float>();
    out[threadIdx.x] = shared[threadIdx.x];
}

// ---- errors

__global__ void divergent_barrier() {
    if (threadIdx.x < 12) __syncthreads();
}
__global__ void two_barriers() {
    if (threadIdx.x < 12)
        __syncthreads();
    else
        __syncthreads_count(1);
}
__global__ void mismatched_warp_barrier() {
    __syncwarp(threadIdx.x == 3 ? 0x0000000fU : 0xffffffffU);
}
__global__ void barrier_against_shuffle() {
    if (threadIdx.x < 16)
        __syncwarp();
    else
        __shfl_xor_sync(0xffffffffU, 1, 1);
}
__global__ void lane_missing() {
    if (threadIdx.x != 5) __syncwarp();
}
__global__ void lane_outside_its_mask() {
    __syncwarp(0x7fffffffU);
}
__global__ void read_absent_lane(int* out) {
    out[threadIdx.x] = __shfl_down_sync(0xffffffffU, 1, 4);
}
__global__ void write_at(int byte) {
    shared_memory()[byte] = 1;
}
__global__ void copy_at(const unsigned char* x, unsigned to, unsigned from) {
    copy_async(shared_memory() + to, x + from, true);
}
__global__ void load_at(unsigned byte) {
    std::uint32_t to[4];
    load_matrices(to, shared_memory() + byte);
}
__global__ void multiply_in_part_of_a_warp() {
    float c[4] = {};
    const std::uint32_t a[4] = {};
    multiply_add(c, a, 0, 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_removed_barrier_gives_wrong_sums) {
    const auto run = [](auto kernel) {
        DeviceArray<float> out(128);
        launch({1, 128, 4 * sizeof(float)}, kernel, out.data());
        return out.values();
    };
    const std::vector<float> expected(128, 127 * 64);
    BOOST_TEST(wrong_under([&] { return run(sum_of_warps<true>); }, expected) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(sum_of_warps<false>); }, expected).size() >= 2);
}

BOOST_AUTO_TEST_CASE(a_removed_barrier_that_lockstep_hides_shows_under_the_greedy_schedule) {
    std::vector<float> values(128), expected(128);
    for (std::size_t i = 0; i < 128; ++i) {
        values[i] = static_cast<float>(i);
        expected[i] = static_cast<float>((i + 5) % 128);
    }
    const auto run = [&](auto kernel) {
        DeviceArray<float> x(values);
        launch({1, 128, 128 * sizeof(float)}, kernel, x.data());
        return x.values();
    };
    BOOST_TEST(wrong_under([&] { return run(turn<true>); }, expected) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(turn<false>); }, expected) ==
               (std::vector<std::string>{"greedy, copies at issue", "greedy, copies at wait"}));
}

BOOST_AUTO_TEST_CASE(a_missing_wait_shows_where_copies_are_made_at_the_wait) {
    std::vector<float> values(256);
    for (std::size_t i = 0; i < 256; ++i) values[i] = static_cast<float>(i);
    const std::vector<std::string> at_wait{"rounds, copies at wait", "greedy, copies at wait"};
    const auto run = [&](auto kernel, unsigned threads, std::size_t size) {
        const DeviceArray<float> x(values);
        DeviceArray<float> out(size);
        launch({1, threads, size * sizeof(float)}, kernel, x.data(), out.data());
        return out.values();
    };
    BOOST_TEST(wrong_under([&] { return run(copy_through_shared<true>, 64, 256); }, values) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(copy_through_shared<false>, 64, 256); }, values) == at_wait);
    const std::vector<float> first(values.begin(), values.begin() + 8);
    BOOST_TEST(wrong_under([&] { return run(copy_in_two_groups<0>, 1, 8); }, first) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(copy_in_two_groups<1>, 1, 8); }, first) == at_wait);
}

BOOST_AUTO_TEST_CASE(a_tile_refilled_too_early_shows) {
    std::vector<float> values(3 * 256), expected(64);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<float>(i);
        if (i % 4 == 0) expected[63 - i / 4 % 64] += values[i];
    }
    const auto run = [&](auto kernel) {
        const DeviceArray<float> x(values);
        DeviceArray<float> out(64);
        launch({1, 64, 256 * sizeof(float)}, kernel, x.data(), out.data());
        return out.values();
    };
    BOOST_TEST(wrong_under([&] { return run(refill_too_early<true>); }, expected) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(refill_too_early<false>); }, expected).size() >= 2);
}

BOOST_AUTO_TEST_CASE(a_race_between_warps_has_no_fixed_winner) {
    const auto run = [](auto kernel) {
        DeviceArray<unsigned> out(16);
        launch({16, 128, sizeof(unsigned)}, kernel, out.data());
        return out.values();
    };
    const std::vector<unsigned> expected(16, 3);
    BOOST_TEST(wrong_under([&] { return run(last_warp_wins<false>); }, expected) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(last_warp_wins<true>); }, expected).size() == 4);
}

BOOST_AUTO_TEST_CASE(a_race_within_a_warp_shows) {
    std::vector<unsigned> expected(32);
    for (unsigned i = 0; i < 32; ++i) expected[i] = i ^ 1U;
    const auto run = [](auto kernel) {
        DeviceArray<unsigned> out(32);
        launch({1, 32, 32 * sizeof(unsigned)}, kernel, out.data());
        return out.values();
    };
    BOOST_TEST(wrong_under([&] { return run(neighbour_in_warp<true>); }, expected) == nowhere);
    BOOST_TEST(wrong_under([&] { return run(neighbour_in_warp<false>); }, expected).size() >= 2);
}

BOOST_AUTO_TEST_CASE(a_block_that_needs_another_shows_as_blocks_run_backwards) {
    const std::vector<float> expected{1, 2, 3, 4};
    const auto run = [] {
        const DeviceArray<float> x(std::vector<float>(4, 1.0F));
        DeviceArray<float> sums(4);
        launch({4, 1}, sum_with_neighbour_block, x.data(), sums.data());
        return sums.values();
    };
    BOOST_TEST(wrong_under(run, expected) ==
               (std::vector<std::string>{"rounds, copies at issue", "rounds, copies at wait"}));
}

enum class LeftOut { nothing, wait_of_host, wait_of_copies, wait_of_computing };

/// Brings 1, 2, ... to the device, one after the other through a buffer with memory on both sides: the host fills the
/// pinned half, a stream of copies fetches it, and the stream that computes takes it from there.
std::vector<float> through_a_buffer(LeftOut left_out) {
    const PinnedArray pinned(1);
    const DeviceArray<float> on_device(1), targets(6);
    const Stream copies, computing;
    const Event arrived, taken;
    for (int i = 0; i < 6; ++i) {
        if (left_out != LeftOut::wait_of_host) expect_success(cudaEventSynchronize(arrived));
        *pinned.data() = static_cast<float>(i + 1);
        if (left_out != LeftOut::wait_of_copies) expect_success(cudaStreamWaitEvent(copies, taken));
        expect_success(cudaMemcpyAsync(on_device.data(), pinned.data(), sizeof(float), cudaMemcpyHostToDevice, copies));
        expect_success(cudaEventRecord(arrived, copies));
        if (left_out != LeftOut::wait_of_computing) expect_success(cudaStreamWaitEvent(computing, arrived));
        expect_success(
            cudaMemcpyAsync(targets.data() + i, on_device.data(), sizeof(float), cudaMemcpyDeviceToDevice, computing));
        expect_success(cudaEventRecord(taken, computing));
    }
    expect_success(cudaStreamSynchronize(computing));
    return targets.values();
}

BOOST_AUTO_TEST_CASE(a_wait_left_out_shows_where_streams_work_late) {
    const std::vector<float> expected{1, 2, 3, 4, 5, 6};
    const auto wrong = [&](LeftOut left_out) {
        std::vector<std::string> names;
        for_both_streams([&](const std::string& name) {
            if (through_a_buffer(left_out) != expected) names.push_back(name);
        });
        return names;
    };
    const std::vector<std::string> late{"late"};
    BOOST_TEST(wrong(LeftOut::nothing) == nowhere);
    BOOST_TEST(wrong(LeftOut::wait_of_host) == late);       // a pinned buffer is filled anew before it was fetched
    BOOST_TEST(wrong(LeftOut::wait_of_copies) == late);     // memory of the device, before it was taken
    BOOST_TEST(wrong(LeftOut::wait_of_computing) == late);  // what has not arrived is taken
}

/// Work on one stream is seen by the host alone that waits for it, not by one that waits for the default stream.
BOOST_AUTO_TEST_CASE(a_result_read_too_early_shows_where_streams_work_late) {
    const auto run = [](bool waits) {
        const DeviceArray<float> x(std::vector<float>{1, 2});
        const Stream stream;
        expect_success(cudaMemsetAsync(x.data(), 0, sizeof(float), stream));
        if (waits) expect_success(cudaStreamSynchronize(stream));
        return x.values();
    };
    for_both_streams([&](const std::string& name) {
        BOOST_TEST(run(true) == (std::vector<float>{0, 2}), name);
        BOOST_TEST(run(false) == (std::vector<float>{options().streams == Streams::late ? 1.0F : 0.0F, 2}), name);
    });
}

BOOST_AUTO_TEST_CASE(memory_that_nobody_wrote_holds_nan) {
    const auto is_nan = [](float x) { return std::isnan(x); };
    const std::vector<float> fresh = DeviceArray<float>(8).values();
    BOOST_TEST(std::all_of(fresh.begin(), fresh.end(), is_nan));
    for_all_combinations([&](const std::string& name) {
        DeviceArray<float> out(std::vector<float>(8, 1.0F));
        launch({2, 8, 8 * sizeof(float)}, use_unwritten, out.data());
        const std::vector<float> got = out.values();
        BOOST_TEST(std::all_of(got.begin(), got.end(), is_nan), name);
    });
}

BOOST_AUTO_TEST_CASE(a_divergent_barrier_is_named) {
    check_error(
        [] {
            launch({1, 64}, divergent_barrier);
        },
        "block (0, 0, 0) is stuck: 12 of 64 threads wait at __syncthreads, 52 have returned");
    check_error([] { launch({1, 64}, two_barriers); }, "52 of 64 threads wait at __syncthreads_count");
}

BOOST_AUTO_TEST_CASE(a_warp_that_does_not_meet_is_named) {
    check_error(
        [] {
            launch({1, 64}, mismatched_warp_barrier);
        },
        "lanes 0xfffffff7 of warp 0 wait at __syncwarp for lanes 0xffffffff");
    check_error(
        [] {
            launch({1, 32}, barrier_against_shuffle);
        },
        "lanes 0xffff0000 of warp 0 wait at __shfl_xor_sync for lanes 0xffffffff");
    check_error([] { launch({1, 32}, lane_missing); }, "lanes 0xffffffdf of warp 0 wait at __syncwarp");
    check_error([] { launch({1, 32}, lane_outside_its_mask); }, "lane 31 is not in the mask 0x7fffffff");
    DeviceArray<int> out(20);
    check_error([&] { launch({1, 20}, read_absent_lane, out.data()); }, "lane 16 reads lane 20");
    check_error([] { launch({1, 16}, multiply_in_part_of_a_warp); }, "multiply_add in a warp of fewer than 32 lanes");
}

BOOST_AUTO_TEST_CASE(an_index_outside_shared_memory_is_found) {
    for (const int bytes : {4, 13, 4096}) {
        const Layout layout{1, 1, static_cast<std::size_t>(bytes)};
        launch(layout, write_at, bytes - 1);
#if defined(__SANITIZE_ADDRESS__)
        detail::SharedBuffer buffer(layout.shared_bytes);  // the sanitizer would end the program at the write
        BOOST_TEST(!__asan_address_is_poisoned(buffer.data() + bytes - 1));
        BOOST_TEST(__asan_address_is_poisoned(buffer.data() + bytes));
        BOOST_TEST(__asan_address_is_poisoned(buffer.data() - 1));
#else
        check_error([&] { launch(layout, write_at, bytes); }, "block (0, 0, 0) wrote outside its shared memory");
        check_error([&] { launch(layout, write_at, -1); }, "block (0, 0, 0) wrote outside its shared memory");
#endif
    }
    const DeviceArray<unsigned char> x(64);
    check_error([&] { launch({1, 1, 64}, copy_at, x.data(), 64U, 0U); }, "copy_async reaches outside");
    check_error([&] { launch({1, 1, 64}, copy_at, x.data(), 8U, 0U); }, "copy_async was given an address");
    check_error([&] { launch({1, 1, 64}, copy_at, x.data(), 0U, 4U); }, "copy_async reads from an address");
    check_error([] { launch({1, 32, 64}, load_at, 64U); }, "load_matrices reaches outside");
    check_error([] { launch({1, 32, 64}, load_at, 8U); }, "load_matrices was given an address");
}

BOOST_AUTO_TEST_CASE(device_functions_fail_outside_kernels) {
    BOOST_CHECK_THROW(__syncthreads(), Error);
    BOOST_CHECK_THROW(shared_memory(), Error);
    try {
        launch({1, 64}, divergent_barrier);
    } catch (const Error&) {
        BOOST_CHECK_THROW(__syncthreads(), Error);  // a kernel that failed has ended too
    }
}

BOOST_AUTO_TEST_CASE(device_memory_is_as_large_as_asked_for) {
    const DeviceArray<float> x(3);
    std::vector<float> host(4);
    BOOST_TEST(cudaMemcpy(host.data(), x.data(), 16, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
    BOOST_TEST(cudaMemcpy(host.data(), x.data(), 12, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    BOOST_TEST(cudaMemcpy(host.data() + 1, host.data(), 12, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
    BOOST_TEST(cudaMemset(x.data(), 0, 13) == cudaErrorInvalidValue);
    BOOST_TEST(cudaFree(x.data() + 1) == cudaErrorInvalidValue);
#if defined(__SANITIZE_ADDRESS__)
    BOOST_TEST(__asan_address_is_poisoned(x.data() + 3));
#endif
    std::size_t free = 0, total = 0;
    expect_success(cudaMemGetInfo(&free, &total));
    BOOST_TEST(free == total - 12);
    void* memory = nullptr;
    BOOST_TEST(cudaMalloc(&memory, free + 1) == cudaErrorMemoryAllocation);
    BOOST_TEST(!memory);
}

BOOST_AUTO_TEST_CASE(a_launch_beyond_the_hardware_is_refused) {
    const auto status = [](dim3 blocks, dim3 threads, std::size_t shared_bytes) {
        cudaLaunchConfig_t config{};
        config.gridDim = blocks;
        config.blockDim = threads;
        config.dynamicSmemBytes = shared_bytes;
        return cudaLaunchKernelEx(&config, write_at, 0);
    };
    BOOST_TEST(status(1, 1025, 16) == cudaErrorInvalidConfiguration);
    BOOST_TEST(status(0, 32, 16) == cudaErrorInvalidConfiguration);
    BOOST_TEST(status(dim3(1, 65536), 32, 16) == cudaErrorInvalidConfiguration);
    BOOST_TEST(status(1, dim3(1, 1, 65), 16) == cudaErrorInvalidConfiguration);
    BOOST_TEST(status(1, 32, 64 * 1024) == cudaErrorInvalidValue);
    BOOST_TEST(cudaFuncSetAttribute(write_at, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20) ==
               cudaErrorInvalidValue);
    expect_success(cudaFuncSetAttribute(write_at, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 * 1024));
    BOOST_TEST(status(1, 32, 64 * 1024) == cudaSuccess);
}
