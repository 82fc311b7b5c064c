// SPDX-License-Identifier: Apache-2.0
// The emulation does what CUDA promises: right kernels give right results under every combination.
#define BOOST_TEST_MODULE simt_emulation
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "combinations.hpp"
#include "launching.hpp"

using namespace simt;
using namespace simt::primitives;

namespace {

template <class T> __device__ T* shared_array() {
    return reinterpret_cast<T*>(shared_memory());
}

std::vector<float> counted(std::size_t size) {
    std::vector<float> values(size);
    std::iota(values.begin(), values.end(), 0.0F);
    return values;
}

__global__ void number_threads(unsigned* out) {
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] += block * 1000 + thread;
}

__global__ void reverse(float* x) {
    float* shared = shared_array<float>();
    shared[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    __syncthreads();
    x[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void shuffle_each_way(int* out, int width) {
    const int lane = static_cast<int>(threadIdx.x);
    int sum = lane;
    for (int step = width / 2; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, step);
    out[lane] = sum;
    out[32 + lane] = __shfl_down_sync(0xffffffffU, lane, 3, width);
    out[64 + lane] = __shfl_up_sync(0xffffffffU, lane, 3, width);
    out[96 + lane] = __shfl_sync(0xffffffffU, lane, 5, width);
}

__global__ void shuffle_in_halves(int* out) {
    const unsigned lane = threadIdx.x, mask = lane < 16 ? 0x0000ffffU : 0xffff0000U;
    if (lane < 16) __syncwarp(mask);  // the halves need not keep step
    out[lane] = __shfl_xor_sync(mask, static_cast<int>(lane), 15);
}

__global__ void vote(unsigned* out) {
    const int odd = threadIdx.x % 2 == 1;
    const unsigned mask = __ballot_sync(0xffffffffU, odd);
    const int any = __any_sync(0xffffffffU, threadIdx.x == 7), none = __any_sync(0xffffffffU, 0);
    const int all = __all_sync(0xffffffffU, 1), not_all = __all_sync(0xffffffffU, odd);
    const int count = __syncthreads_count(odd), either = __syncthreads_or(threadIdx.x == 40),
              both = __syncthreads_and(threadIdx.x != 40);
    if (threadIdx.x != 0) return;
    out[0] = mask;
    out[1] = static_cast<unsigned>(any * 8 + none * 4 + all * 2 + not_all);
    out[2] = static_cast<unsigned>(count * 4 + either * 2 + both);
}

/// out [16, 8] = a [16, 16] b [16, 8], all in rows; a through load_matrices, b through its transposing form.
__global__ void multiply(const std::uint16_t* a, const std::uint16_t* b, float* out) {
    std::uint16_t* left = shared_array<std::uint16_t>();  // [16, 16]
    std::uint16_t* right = left + 256;                    // [16, 8]
    for (unsigned i = threadIdx.x; i < 256; i += 32) left[i] = a[i];
    for (unsigned i = threadIdx.x; i < 128; i += 32) right[i] = b[i];
    __syncwarp();
    const unsigned lane = threadIdx.x;
    std::uint32_t of_a[4], of_b[4];
    load_matrices(of_a, left + lane % 16 * 16 + lane / 16 * 8);
    load_matrices_transposed(of_b, right + lane % 16 * 8);  // both halves of the warp name the same two matrices
    float c[4] = {0, 0, 0, 0};
    multiply_add(c, of_a, of_b[0], of_b[1]);
    multiply_add(c, of_a, of_b[2], of_b[3]);
    for (unsigned i = 0; i < 4; ++i) out[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = c[i];
}

/// Sums tiles of 4 values a thread, two tiles under way; tiles from `tiles` on are zeros that are never read.
__global__ void sum_tiles(const float* x, float* out, int tiles) {
    float* shared = shared_array<float>();  // [2, threads, 4]
    const unsigned stage = blockDim.x * 4;
    const auto fetch = [&](int tile) {
        copy_async(shared + static_cast<unsigned>(tile % 2) * stage + threadIdx.x * 4,
                   x + static_cast<unsigned>(tile) * stage + threadIdx.x * 4, tile < tiles);
        commit_copies();
    };
    float sum = 0;
    fetch(0);
    for (int tile = 0; tile < tiles + 2; ++tile) {
        fetch(tile + 1);
        wait_copies<1>();
        __syncthreads();
        const float* other = shared + static_cast<unsigned>(tile % 2) * stage + (blockDim.x - 1 - threadIdx.x) * 4;
        for (int i = 0; i < 4; ++i) sum += other[i];
        __syncthreads();
    }
    wait_copies<0>();
    out[threadIdx.x] = sum;
}

__global__ void count_and_bound(int* count, unsigned* largest, int* smallest) {
    atomicAdd(count, 1);
    atomicMax(largest, blockIdx.x * blockDim.x + threadIdx.x);
    atomicMin(smallest, -static_cast<int>(threadIdx.x));
}

__global__ void scale(float* x, float factor) {
    x[threadIdx.x] *= factor;
}

/// Which thread of the block came first.
__global__ void race(unsigned* first) {
    unsigned* shared = shared_array<unsigned>();
    if (shared[0] == 0xffffffffU) shared[0] = threadIdx.x;
    __syncthreads();
    if (threadIdx.x == 0) first[blockIdx.x] = shared[0];
}

/// Every warp writes its number down eight times.
__global__ void write_in_turn(int* written, unsigned* log) {
    for (int step = 0; step < 8; ++step) {
        if (threadIdx.x % 32 == 0) log[atomicAdd(written, 1)] = threadIdx.x / 32;
        __syncwarp();
    }
}

std::vector<unsigned> winners(std::uint64_t seed) {
    const Options before = options();
    options().seed = seed;
    DeviceArray<unsigned> first(64);
    launch({64, 64, sizeof(unsigned)}, race, first.data());
    options() = before;
    return first.values();
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_thread_runs_once_and_knows_its_place) {
    for_all_combinations([](const std::string& name) {
        DeviceArray<unsigned> out(std::vector<unsigned>(2 * 3 * 4 * 30));
        launch({dim3(2, 3, 4), dim3(5, 3, 2)}, number_threads, out.data());
        const std::vector<unsigned> values = out.values();
        for (unsigned i = 0; i < values.size(); ++i) BOOST_REQUIRE_MESSAGE(values[i] == i / 30 * 1000 + i % 30, name);
    });
}

BOOST_AUTO_TEST_CASE(a_barrier_parts_writes_from_reads) {
    for (const unsigned threads : {1U, 33U, 256U, 1024U})
        for_all_combinations([&](const std::string& name) {
            const std::vector<float> values = counted(3 * threads);
            DeviceArray<float> x(values);
            launch({3, threads, threads * sizeof(float)}, reverse, x.data());
            std::vector<float> expected = values;
            for (unsigned block = 0; block < 3; ++block)
                std::reverse(expected.begin() + block * threads, expected.begin() + (block + 1) * threads);
            BOOST_TEST(x.values() == expected, name << ", " << threads << " threads");
        });
}

BOOST_AUTO_TEST_CASE(shuffles_move_values_within_their_width) {
    for (const int width : {32, 8})
        for_all_combinations([&](const std::string& name) {
            DeviceArray<int> out(128);
            launch({1, 32}, shuffle_each_way, out.data(), width);
            const std::vector<int> got = out.values();
            for (int lane = 0; lane < 32; ++lane) {
                const auto at = [&](int form) { return got[static_cast<std::size_t>(32 * form + lane)]; };
                const int begin = lane / width * width, end = begin + width;
                BOOST_TEST(at(0) == width * (begin + end - 1) / 2, name);
                BOOST_TEST(at(1) == (lane + 3 < end ? lane + 3 : lane), name);
                BOOST_TEST(at(2) == (lane - 3 >= begin ? lane - 3 : lane), name);
                BOOST_TEST(at(3) == begin + 5, name);
            }
        });
}

BOOST_AUTO_TEST_CASE(lanes_of_two_masks_meet_apart) {
    for_all_combinations([](const std::string& name) {
        DeviceArray<int> out(32);
        launch({1, 32}, shuffle_in_halves, out.data());
        const std::vector<int> got = out.values();
        for (std::size_t lane = 0; lane < 32; ++lane) BOOST_TEST(got[lane] == static_cast<int>(lane ^ 15), name);
    });
}

BOOST_AUTO_TEST_CASE(votes_are_counted) {
    for_all_combinations([](const std::string& name) {
        DeviceArray<unsigned> out(3);
        launch({1, 64}, vote, out.data());
        BOOST_TEST(out.values() == (std::vector<unsigned>{0xaaaaaaaaU, 8 + 2, 32 * 4 + 2}), name);
    });
}

BOOST_AUTO_TEST_CASE(the_matrix_unit_multiplies) {
    std::vector<std::uint16_t> a(256), b(128);
    const auto number = [](std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); };
    const auto small = [](std::size_t i) {  // integers from -6 to 6: every sum is exact
        return static_cast<std::uint16_t>(pack_bfloat16(static_cast<float>(i * 7 % 13) - 6, 0));
    };
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = small(i + i / 16);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = small(i * 3 + i / 8);
    std::vector<float> expected(128);  // twice the product
    for (std::size_t row = 0; row < 16; ++row)
        for (std::size_t column = 0; column < 8; ++column)
            for (std::size_t k = 0; k < 16; ++k)
                expected[row * 8 + column] += 2 * number(a[row * 16 + k]) * number(b[k * 8 + column]);
    for_all_combinations([&](const std::string& name) {
        const DeviceArray<std::uint16_t> left(a), right(b);
        DeviceArray<float> out(128);
        launch({1, 32, 768}, multiply, left.data(), right.data(), out.data());
        BOOST_TEST(out.values() == expected, name);
    });
}

BOOST_AUTO_TEST_CASE(asynchronous_copies_arrive_by_their_wait) {
    const unsigned threads = 96;
    const int tiles = 5;
    for_all_combinations([&](const std::string& name) {
        const DeviceArray<float> x(counted(threads * 4 * tiles));
        DeviceArray<float> out(threads);
        launch({1, threads, 2 * threads * 4 * sizeof(float)}, sum_tiles, x.data(), out.data(), tiles);
        std::vector<float> expected(threads);
        for (std::size_t i = 0; i < threads * 4 * tiles; ++i)
            expected[threads - 1 - i / 4 % threads] += static_cast<float>(i);
        BOOST_TEST(out.values() == expected, name);
    });
}

BOOST_AUTO_TEST_CASE(pairs_are_rounded_to_nearest_even) {
    const auto low = [](float x) { return pack_bfloat16(x, 0) & 0xffffU; };
    BOOST_TEST(pack_bfloat16(1.0F, -2.0F) == 0xc0003f80U);
    BOOST_TEST(low(std::bit_cast<float>(0x3f808000U)) == 0x3f80U);  // halfway, even below
    BOOST_TEST(low(std::bit_cast<float>(0x3f818000U)) == 0x3f82U);  // halfway, even above
    BOOST_TEST(low(std::bit_cast<float>(0x3f808001U)) == 0x3f81U);
    BOOST_TEST(low(std::numeric_limits<float>::max()) == 0x7f80U);
    BOOST_TEST(low(-std::numeric_limits<float>::quiet_NaN()) == 0x7fffU);
}

BOOST_AUTO_TEST_CASE(the_fast_exponential_flushes_small_numbers) {
    BOOST_TEST(exp2_fast(10) == 1024.0F);
    BOOST_TEST(exp2_fast(-126) == std::numeric_limits<float>::min());
    BOOST_TEST(exp2_fast(-127) == 0.0F);
    BOOST_TEST(exp2_fast(-std::numeric_limits<float>::infinity()) == 0.0F);
    BOOST_TEST(std::isnan(exp2_fast(std::numeric_limits<float>::quiet_NaN())));
}

BOOST_AUTO_TEST_CASE(atomics_see_every_thread) {
    for_all_combinations([](const std::string& name) {
        const DeviceArray<int> count(std::vector<int>{0}), smallest(std::vector<int>{0});
        const DeviceArray<unsigned> largest(std::vector<unsigned>{0});
        launch({7, 50}, count_and_bound, count.data(), largest.data(), smallest.data());
        BOOST_TEST(count.values()[0] == 350, name);
        BOOST_TEST(largest.values()[0] == 349U, name);
        BOOST_TEST(smallest.values()[0] == -49, name);
    });
}

BOOST_AUTO_TEST_CASE(the_seed_alone_decides_the_order) {
    for_all_combinations([](const std::string& name) {
        const std::vector<unsigned> once = winners(1);
        BOOST_TEST(once == winners(1), name);
        BOOST_TEST(once != winners(2), name);
        BOOST_TEST(*std::max_element(once.begin(), once.end()) >= 32U, name);  // no warp always comes first
        BOOST_TEST(*std::min_element(once.begin(), once.end()) < 32U, name);
    });
}

BOOST_AUTO_TEST_CASE(a_greedy_warp_runs_as_far_as_it_can_and_in_rounds_none_gets_ahead) {
    for_all_combinations([](const std::string& name) {
        const DeviceArray<int> written(std::vector<int>{0});
        const DeviceArray<unsigned> log(32);
        launch({1, 128}, write_in_turn, written.data(), log.data());
        const std::vector<unsigned> order = log.values();
        for (std::size_t begin = 0; begin < 32; begin += 8) {  // 8 steps of one warp, or 2 of all four
            const auto same = std::count(&order[begin], &order[begin] + 8, order[begin]);
            BOOST_TEST(same == (options().schedule == Schedule::greedy ? 8 : 2), name);
        }
    });
}

BOOST_AUTO_TEST_CASE(bits_are_read_as_the_device_reads_them) {
    BOOST_TEST(__popc(0xf0f0U) == 8);
    BOOST_TEST(__clz(0) == 32);
    BOOST_TEST(__clz(-1) == 0);
    BOOST_TEST(__clz(1 << 4) == 27);
    BOOST_TEST(__float_as_uint(-2.0F) == 0xc0000000U);
    BOOST_TEST(__uint_as_float(0x3f800000U) == 1.0F);
}

BOOST_AUTO_TEST_CASE(pinned_memory_goes_to_the_device_and_back) {
    for_both_streams([](const std::string& name) {
        const PinnedArray pinned(4);
        const DeviceArray<float> x(4);
        std::iota(pinned.data(), pinned.data() + 4, 1.0F);
        expect_success(cudaMemcpyAsync(x.data(), pinned.data(), 4 * sizeof(float), cudaMemcpyHostToDevice));
        launch({1, 4}, scale, x.data(), 3.0F);
        expect_success(cudaMemcpyAsync(pinned.data(), x.data(), 4 * sizeof(float), cudaMemcpyDeviceToHost));
        expect_success(cudaDeviceSynchronize());
        BOOST_TEST(std::vector<float>(pinned.data(), pinned.data() + 4) == (std::vector<float>{3, 6, 9, 12}), name);
    });
}

BOOST_AUTO_TEST_CASE(a_late_stream_works_when_something_waits_for_it) {
    const OptionsGuard guard;
    options().streams = Streams::late;
    void* memory = nullptr;
    float taken = 0;
    const DeviceArray<float> other(1);
    const Event end;
    cudaStream_t stream = nullptr;
    const DeviceArray<float> x(std::vector<float>{1});
    const std::vector<std::function<cudaError_t()>> waits{
        [&] { return cudaStreamSynchronize(stream); },
        [&] { return cudaEventSynchronize(end); },
        [&] { return cudaDeviceSynchronize(); },
        [&] { return cudaMemcpyAsync(&taken, x.data(), sizeof taken, cudaMemcpyDeviceToHost, stream); },
        [&] { return cudaMalloc(&memory, 4) == cudaSuccess ? cudaFree(memory) : cudaErrorMemoryAllocation; },
        [&] { return cudaMallocHost(&memory, 4) == cudaSuccess ? cudaFreeHost(memory) : cudaErrorMemoryAllocation; },
        [&] { return cudaStreamDestroy(stream); },
    };
    for (std::size_t i = 0; i < waits.size(); ++i) {
        if (i == 0 || i + 1 == waits.size()) expect_success(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        const float before = *x.data();  // memory of the device is the host's here
        launch({1, 1, 0, stream}, scale, x.data(), 2.0F);
        expect_success(cudaEventRecord(end, stream));
        expect_success(cudaMemcpy(other.data(), &before, sizeof before, cudaMemcpyHostToDevice));  // is not of it
        BOOST_TEST(*x.data() == before, "wait " << i);
        BOOST_TEST(cudaEventQuery(end) == cudaErrorNotReady);
        expect_success(waits[i]());
        BOOST_TEST(*x.data() == 2 * before, "wait " << i);
        BOOST_TEST(cudaEventQuery(end) == cudaSuccess);
    }
    BOOST_TEST(taken == 16.0F);
    BOOST_TEST(cudaGetLastError() == cudaErrorNotReady);
}

/// The work before the record, and none behind it.
BOOST_AUTO_TEST_CASE(an_event_is_waited_for_as_it_was_recorded_last) {
    const OptionsGuard guard;
    options().streams = Streams::late;
    const Stream first, second;
    const Event event;
    const DeviceArray<float> x(std::vector<float>{1}), y(1);
    expect_success(cudaEventSynchronize(event));        // never recorded:
    expect_success(cudaStreamWaitEvent(first, event));  // nothing to wait for

    launch({1, 1, 0, first}, scale, x.data(), 2.0F);
    expect_success(cudaEventRecord(event, first));
    launch({1, 1, 0, first}, scale, x.data(), 3.0F);
    expect_success(cudaEventSynchronize(event));
    BOOST_TEST(*x.data() == 2.0F);

    expect_success(cudaEventRecord(event, first));
    expect_success(cudaStreamWaitEvent(second, event));
    launch({1, 1, 0, first}, scale, x.data(), 5.0F);
    expect_success(cudaEventRecord(event, first));
    expect_success(cudaMemcpyAsync(y.data(), x.data(), sizeof(float), cudaMemcpyDeviceToDevice, second));
    expect_success(cudaStreamSynchronize(second));
    BOOST_TEST(*y.data() == 6.0F);
    BOOST_TEST(*x.data() == 6.0F);
    expect_success(cudaStreamSynchronize(first));
    BOOST_TEST(*x.data() == 30.0F);
}

BOOST_AUTO_TEST_CASE(an_event_may_outlive_its_stream_and_a_wait_its_event) {
    const OptionsGuard guard;
    options().streams = Streams::late;
    const Stream last;
    const DeviceArray<float> x(std::vector<float>{1});
    const Event kept;
    {
        const Stream stream;
        const Event event;
        launch({1, 1, 0, stream}, scale, x.data(), 2.0F);
        expect_success(cudaEventRecord(event, stream));
        expect_success(cudaEventRecord(kept, stream));
        expect_success(cudaStreamWaitEvent(last, event));
    }
    launch({1, 1, 0, last}, scale, x.data(), 3.0F);
    expect_success(cudaEventSynchronize(kept));
    BOOST_TEST(*x.data() == 2.0F);
    expect_success(cudaStreamSynchronize(last));
    BOOST_TEST(*x.data() == 6.0F);
}

BOOST_AUTO_TEST_CASE(late_copies_read_pinned_memory_late_and_ordinary_memory_at_the_call) {
    const OptionsGuard guard;
    options().streams = Streams::late;
    const Stream stream;
    const PinnedArray pinned(1);
    const DeviceArray<float> x(2);
    float ordinary = pinned.data()[0] = 1;
    expect_success(cudaMemcpyAsync(x.data(), pinned.data(), sizeof(float), cudaMemcpyHostToDevice, stream));
    expect_success(cudaMemcpyAsync(x.data() + 1, &ordinary, sizeof(float), cudaMemcpyHostToDevice, stream));
    ordinary = pinned.data()[0] = 2;
    expect_success(cudaStreamSynchronize(stream));
    BOOST_TEST(x.values() == (std::vector<float>{2, 1}));

    launch({1, 2, 0, stream}, scale, x.data(), 4.0F);
    expect_success(cudaMemcpyAsync(pinned.data(), x.data(), sizeof(float), cudaMemcpyDeviceToHost, stream));
    BOOST_TEST(pinned.data()[0] == 2.0F);
    expect_success(cudaMemcpyAsync(&ordinary, x.data() + 1, sizeof(float), cudaMemcpyDeviceToHost, stream));
    BOOST_TEST(ordinary == 4.0F);
    BOOST_TEST(pinned.data()[0] == 8.0F);
}

BOOST_AUTO_TEST_CASE(a_captured_graph_runs_when_it_is_launched) {
    for_both_streams([](const std::string& name) {
        const Stream stream;
        const DeviceArray<float> x(counted(4));
        DeviceArray<float> copy(4);
        const auto values = [&](const DeviceArray<float>& of) {
            expect_success(cudaStreamSynchronize(stream));
            return of.values();
        };
        expect_success(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        launch({1, 4, 0, stream}, scale, x.data(), 2.0F);
        expect_success(cudaMemcpyAsync(copy.data(), x.data(), 4 * sizeof(float), cudaMemcpyDeviceToDevice, stream));
        expect_success(cudaMemsetAsync(x.data(), 0, sizeof(float) * 2, stream));
        cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
        expect_success(cudaStreamIsCapturing(stream, &status));
        BOOST_TEST(status == cudaStreamCaptureStatusActive);
        cudaGraph_t graph = nullptr;
        expect_success(cudaStreamEndCapture(stream, &graph));
        BOOST_TEST(values(x) == (std::vector<float>{0, 1, 2, 3}), name);

        cudaGraphExec_t ready = nullptr;
        expect_success(cudaGraphInstantiate(&ready, graph));
        expect_success(cudaGraphDestroy(graph));
        expect_success(cudaGraphLaunch(ready, stream));
        BOOST_TEST(x.data()[3] == (options().streams == Streams::late ? 3.0F : 6.0F));
        BOOST_TEST(values(copy) == (std::vector<float>{0, 2, 4, 6}), name);
        expect_success(cudaGraphLaunch(ready, stream));
        expect_success(cudaGraphExecDestroy(ready));  // what was launched still runs
        BOOST_TEST(values(copy) == (std::vector<float>{0, 0, 8, 12}), name);
        BOOST_TEST(values(x) == (std::vector<float>{0, 0, 8, 12}), name);
    });
}

BOOST_AUTO_TEST_CASE(a_capture_ends_with_an_error_after_a_call_that_it_forbids) {
    cudaStream_t stream = nullptr;
    expect_success(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    void* memory = nullptr;
    const auto allocate = [&] { return cudaMalloc(&memory, 16); };
    const auto wait = [&] { return cudaStreamSynchronize(stream); };
    const Event event;
    const auto record = [&] { return cudaEventRecord(event, stream); };
    const auto wait_for_event = [&] { return cudaStreamWaitEvent(stream, event); };
    const auto refused = [&](auto call, cudaStreamCaptureMode mode) {
        expect_success(cudaStreamBeginCapture(stream, mode));
        const cudaError_t at_call = call();
        cudaGraph_t graph = nullptr;
        const cudaError_t at_end = cudaStreamEndCapture(stream, &graph);
        cudaGraphDestroy(graph);
        BOOST_TEST((at_call == cudaSuccess) == (at_end == cudaSuccess));
        return at_call == cudaErrorStreamCaptureUnsupported && at_end == cudaErrorStreamCaptureInvalidated;
    };
    BOOST_TEST(refused(allocate, cudaStreamCaptureModeThreadLocal));
    BOOST_TEST(refused(wait, cudaStreamCaptureModeThreadLocal));
    BOOST_TEST(refused(wait, cudaStreamCaptureModeRelaxed));
    BOOST_TEST(refused(record, cudaStreamCaptureModeRelaxed));
    BOOST_TEST(refused(wait_for_event, cudaStreamCaptureModeRelaxed));
    BOOST_TEST(!refused(allocate, cudaStreamCaptureModeRelaxed));
    expect_success(cudaFree(memory));
    expect_success(cudaStreamDestroy(stream));
}

BOOST_AUTO_TEST_CASE(events_measure_and_the_device_presents_itself) {
    const Event from, to;
    float milliseconds = -1;
    BOOST_TEST(cudaEventElapsedTime(&milliseconds, from, to) == cudaErrorInvalidValue);
    expect_success(cudaEventRecord(from));
    expect_success(cudaEventRecord(to));
    expect_success(cudaEventElapsedTime(&milliseconds, from, to));
    BOOST_TEST(milliseconds >= 0.0F);

    int count = 0;
    expect_success(cudaGetDeviceCount(&count));
    cudaDeviceProp properties;
    expect_success(cudaGetDeviceProperties(&properties, count - 1));
    BOOST_TEST(properties.name == std::string("SIMT emulation"));
    BOOST_TEST(cudaSetDevice(count) == cudaErrorInvalidDevice);
    BOOST_TEST(cudaGetLastError() == cudaErrorInvalidDevice);
    BOOST_TEST(cudaGetLastError() == cudaSuccess);
}
