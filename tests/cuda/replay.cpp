// SPDX-License-Identifier: Apache-2.0
// Replay: what runs again and again is recorded once; what changes comes through cells and fed tensors alone.
#define BOOST_TEST_MODULE cuda_replay
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "dinomaly/core/cell.hpp"
#include "dinomaly/tensor.hpp"
#include "tests/cuda/on_cuda.hpp"

using namespace dinomaly;
using D = Cuda<float>;

namespace {

Tensor<D> numbers(float first) {
    return Tensor<D>({3}, {first, first + 1, first + 2});
}

bool says(const Error& error, const std::string& text) {
    return std::string(error.what()).find(text) != std::string::npos;
}

Tensor<D> normal_values(const Shape& shape, std::uint64_t stream) {
    Generator random(5, stream);
    return normal<D>(shape, random);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_host_code_runs_three_times_and_the_work_every_time) {
    if (!backend::DeviceHeap::keeps()) return;
    backend::Replay<D> replay;
    Tensor<D> input, sum = zeros<D>({3});
    int calls = 0;
    for (int i = 0; i < 6; ++i) {
        replay.feed(input, numbers(static_cast<float>(i)));
        replay.run([&] {
            ++calls;
            assign(sum, sum + 2 * input);
        });
    }
    BOOST_TEST(calls == 3);  // twice as it is, once to record it
    BOOST_TEST((sum.to_vector() == std::vector<float>{30, 42, 54}));

    replay.feed(input, Tensor<D>({1}, {5.0F}));  // of another shape
    replay.run([&] { ++calls; });
    BOOST_TEST(calls == 4);
}

BOOST_AUTO_TEST_CASE(a_cell_is_read_when_the_work_is_done) {
    backend::Replay<D> replay;
    const Tensor<D> x({4}, {4.0F, 1.0F, 3.0F, 2.0F});
    Cell<D, std::int64_t> k;
    Tensor<D> found;
    std::vector<float> all;
    for (const std::int64_t i : {1, 2, 3, 4, 2}) {
        k.set(i);
        replay.run([&] { found = kth_largest(Var<D>(x), k); });
        all.push_back(found.item());
    }
    BOOST_TEST((all == std::vector<float>{4, 3, 2, 1, 3}));
}

/// Weights change in place from run to run, as an optimiser changes them.
BOOST_AUTO_TEST_CASE(weights_are_rounded_once_a_run) {
    using Half = Cuda<bfloat16>;
    Var<D> w = normal_values({9, 70}, 1), b = normal_values({9}, 2);
    const Var<Half> x = in<Half>(Var<D>(normal_values({5, 70}, 3)));
    const auto change = [](Var<D>& to, std::uint64_t stream) {
        D::copy(to.value().data(), normal_values(to.shape(), stream).data(),
                static_cast<std::size_t>(to.count()) * sizeof(float));
    };
    const auto product = [&] { return full(Var<Half>(linear(x, w, b))).value(); };
    const backend::RoundedWeights<Half> weights({w.value(), b.value()});
    backend::Replay<Half> replay;
    Tensor<D> found;
    for (std::uint64_t i = 0; i < 5; ++i) {
        change(w, 10 + i), change(b, 20 + i);
        const auto expected = product().to_vector();
        replay.run([&] {
            const auto rounded = weights.round();
            found = product();
        });
        BOOST_TEST((found.to_vector() == expected), "run " << i);
    }
    const auto before = product().to_vector();
    const auto rounded = weights.round();
    change(w, 30), change(b, 31);
    BOOST_TEST((product().to_vector() == before));  // it is the copies that are read
}

/// Tensors that live while the graph runs keep their memory.
BOOST_AUTO_TEST_CASE(memory_of_recorded_work_is_nobody_elses) {
    backend::Replay<D> replay;
    Tensor<D> input, result;
    const auto body = [&] {
        const Var<D> twice = input * 2;
        result = Var<D>(exp(twice) - twice * twice).value();
    };
    for (int i = 0; i < 4; ++i) {
        replay.feed(input, numbers(0));
        replay.run(body);
    }
    const auto expected = result.to_vector();
    std::vector<Tensor<D>> others;
    for (int i = 0; i < 20; ++i) others.push_back(numbers(static_cast<float>(i)));
    replay.feed(input, numbers(0));
    replay.run(body);
    BOOST_TEST((result.to_vector() == expected));
    for (int i = 0; i < 20; ++i)
        BOOST_TEST((others[static_cast<std::size_t>(i)].to_vector() == numbers(static_cast<float>(i)).to_vector()));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_replayed_is_refused_while_recording) {
    if (!backend::DeviceHeap::keeps()) return;
    const Tensor<D> x = numbers(1);
    const auto third_run = [&](const auto& body) {
        backend::Replay<D> replay;
        for (int i = 0; i < 3; ++i) replay.run(body);
    };
    BOOST_CHECK_EXCEPTION(third_run([&] { numbers(2); }), Error, [](const Error& error) {
        return says(error, "12 bytes from the host in work that is being recorded");
    });
    BOOST_CHECK_THROW(third_run([&] { x.to_vector(); }), Error);
    BOOST_TEST((numbers(7).to_vector() == std::vector<float>{7, 8, 9}));  // and the stream goes on
}
