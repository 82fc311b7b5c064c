// SPDX-License-Identifier: Apache-2.0
// Cuda<T> as a place for tensors: transfers of all sizes, filling, and what it says when memory runs out.
#define BOOST_TEST_MODULE cuda_device
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "dinomaly/core/tensor.hpp"
#include "tests/cuda/on_cuda.hpp"

using namespace dinomaly;
using D = Cuda<float>;

namespace {

/// Numbers that floats hold exactly, and no two of which in a row are the same.
std::vector<float> rising(std::int64_t count, float first) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i % 99991);
    return values;
}

__global__ void add_kernel(std::int64_t count, float* sum, const float* x) {
    const std::int64_t i = backend::cuda::thread_index();
    if (i < count) sum[i] += x[i];
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_goes_up_comes_down) {
    constexpr std::int64_t staged = backend::cuda::Staging::least / sizeof(float);
    constexpr std::int64_t piece = backend::cuda::Staging::piece / sizeof(float);
    for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, staged - 1, staged, staged + 1,
                                     piece - 1, piece, piece + 1, 2 * piece + 7})
        BOOST_TEST((Tensor<D>({count}, rising(count, 3)).to_vector() == rising(count, 3)), count << " values");
}

/// More of them than there are buffers, of growing size; each source is changed as soon as it was handed over.
BOOST_AUTO_TEST_CASE(uploads_do_not_disturb_each_other) {
    std::vector<Tensor<D>> tensors;
    std::vector<float> source;
    for (int i = 0; i < 10; ++i) {
        source = rising(20000 + 5000 * i, static_cast<float>(i));
        tensors.emplace_back(Shape{static_cast<std::int64_t>(source.size())}, source);
        source.assign(source.size(), -1.0F);
    }
    for (int i = 0; i < 10; ++i)
        BOOST_TEST(
            (tensors[static_cast<std::size_t>(i)].to_vector() == rising(20000 + 5000 * i, static_cast<float>(i))));
}

/// So many that every buffer is filled several times before the first tensor is asked for.
BOOST_AUTO_TEST_CASE(a_buffer_is_filled_again_when_its_content_was_taken) {
    constexpr std::int64_t count = 30000;
    constexpr std::size_t uploads = 5 * backend::cuda::Staging::buffers + 1;
    std::vector<Tensor<D>> tensors(uploads);
    for (Tensor<D>& tensor : tensors) tensor = Tensor<D>({count});
    for (std::size_t i = 0; i < uploads; ++i) {
        std::vector<float> source = rising(count, static_cast<float>(i));
        D::upload(tensors[i].data(), source.data(), source.size() * sizeof(float));
        source.assign(source.size(), -1.0F);
    }
    for (std::size_t i = 0; i < uploads; ++i)
        BOOST_TEST((tensors[i].to_vector() == rising(count, static_cast<float>(i))), "upload " << i);
}

/// Each takes the memory of the one before, which kernels that were handed out earlier still read.
BOOST_AUTO_TEST_CASE(uploads_keep_their_place_among_kernels) {
    constexpr std::int64_t most = 40000;
    constexpr int threads = 256;
    const Tensor<D> sum = zeros<D>({most});
    std::vector<float> expected(most);
    for (int i = 0; i < 12; ++i) {
        const std::int64_t count = i % 3 == 0 ? 100 : most - 1000 * i;  // some too short for the buffers
        std::vector<float> source = rising(count, static_cast<float>(i));
        const Tensor<D> x({count}, source);
        backend::cuda::launch({backend::cuda::blocks_for(count, threads), threads}, add_kernel, count,
                              Tensor<D>(sum).data(), x.data());
        for (std::size_t k = 0; k < source.size(); ++k) expected[k] += source[k];
    }
    BOOST_TEST((sum.to_vector() == expected));
}

BOOST_AUTO_TEST_CASE(filling_and_copying) {
    BOOST_TEST((zeros<D>({5}).to_vector() == std::vector<float>(5, 0.0F)));
    BOOST_TEST((full<D>({1000}, 1.5).to_vector() == std::vector<float>(1000, 1.5F)));
    const Tensor<D> x({3}, {1.0F, 2.0F, 3.0F});
    const Tensor<D> y = clone(x);
    D::zero(Tensor<D>(x).data(), 3 * sizeof(float));
    BOOST_TEST((y.to_vector() == std::vector<float>{1, 2, 3}));
    const Tensor<Cuda<bfloat16>> half = ones<Cuda<bfloat16>>({3});
    for (const bfloat16 value : half.to_vector()) BOOST_TEST(static_cast<float>(value) == 1.0F);
}

BOOST_AUTO_TEST_CASE(freed_memory_is_used_again) {
    if (!backend::DeviceHeap::keeps()) return;
    const auto fresh = [] { return backend::DeviceHeap::statistics().fresh; };
    { const Tensor<D> x({1000}); }
    const auto before = fresh();
    for (int i = 0; i < 5; ++i) const Tensor<D> x({1000});
    BOOST_TEST(fresh() == before);
}

BOOST_AUTO_TEST_CASE(too_large_a_tensor_is_an_error_with_its_size) {
    BOOST_CHECK_EXCEPTION(Tensor<D>({std::int64_t{1} << 42}), Error, [](const Error& error) {
        const std::string text = error.what();
        return text.find("[cuda] out of memory: 16777216 MB asked for, ") == 0 &&
               text.find(" MB are free") != std::string::npos;
    });
    BOOST_TEST((ones<D>({2}).to_vector() == std::vector<float>(2, 1.0F)));
}
