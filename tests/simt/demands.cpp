// SPDX-License-Identifier: Apache-2.0
// What ViT-B with 16 pictures of 448/392 asks of a GPU in bfloat16: memory, kernels, products. Kernels are counted
// here, not run, so this is what a GPU sees of the host's part at full size. The bounds are those of the project, or
// just above what was found: to be lowered with it.
#define BOOST_TEST_MODULE simt_demands
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "dinomaly/memory_estimate.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/simt/options.hpp"

using namespace dinomaly;
using D = Cuda<bfloat16>;
using backend::DeviceHeap;

namespace {

struct NothingRuns {
    NothingRuns() {
        ::simt::options().runs = false;
        ::simt::options().device_bytes = std::size_t{80'000'000'000};
    }
};
BOOST_TEST_GLOBAL_FIXTURE(NothingRuns);

constexpr std::int64_t crop = 392;

DinomalyConfig base() {
    DinomalyConfig config;
    config.encoder = {.width = 768, .depth = 12, .heads = 12, .patch = 14, .registers = 4, .grid = 37, .eps = 1e-6};
    return config;
}

/// Pictures as the loader hands them over.
std::vector<float> pictures(std::int64_t batch) {
    return std::vector<float>(static_cast<std::size_t>(batch * 3 * crop * crop));
}
Tensor<Full<D>> uploaded(const std::vector<float>& pixels) {
    return Tensor<Full<D>>({static_cast<std::int64_t>(pixels.size()) / (3 * crop * crop), 3, crop, crop}, pixels);
}

struct Demand {
    ::simt::Counts counts;
    std::size_t held, peak;  // bytes: at the end, and the most from the beginning on
};

std::size_t held_bytes() {
    return DeviceHeap::statistics().held + backend::cuda::bytes_apart;  // uploads go through the latter
}

/// What the fifth run asks for, which is replayed, and the memory that all of them do.
Demand demand_of(const std::function<void()>& run) {
    std::size_t most = held_bytes();
    const auto look = [&] { most = std::max(most, held_bytes()); };
    for (int i = 0; i < 4; ++i) run(), look();
    const auto fresh = DeviceHeap::statistics().fresh;
    const ::simt::Counts before = ::simt::counts();
    run();
    BOOST_TEST(DeviceHeap::statistics().fresh == fresh);  // a steady run takes no memory
    const ::simt::Counts after = ::simt::counts();
    const Demand demand{{after.kernels - before.kernels, after.products - before.products}, held_bytes(), most};
    BOOST_TEST_MESSAGE(demand.counts.kernels << " kernels, " << demand.counts.products << " products, "
                                             << demand.held / 1'000'000 << " MB held, " << demand.peak / 1'000'000
                                             << " MB at most");
    return demand;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_training_step) {
    DeviceHeap::trim();
    Dinomaly<D> model(base());
    Trainer<D> trainer(model, {});
    const auto images = pictures(16);
    const Demand demand = demand_of([&] { trainer.submit(uploaded(images)); });
    BOOST_TEST(demand.peak <= 4'500'000'000U);
    BOOST_TEST(demand.held <= 4'300'000'000U);
    BOOST_TEST(demand.counts.products == 157U);
    BOOST_TEST(demand.counts.kernels <= 320U);

    const MemoryUse use{.crop = crop, .batch = 16, .element_size = 2, .on_gpu = true};
    const double estimate = static_cast<double>(memory_estimate(base(), use).total());
    BOOST_TEST_MESSAGE("estimate / held = " << estimate / static_cast<double>(demand.held));
    BOOST_TEST(std::abs(estimate / static_cast<double>(demand.held) - 1) < 0.1);
}

BOOST_AUTO_TEST_CASE(a_step_on_kept_features) {
    DeviceHeap::trim();
    Dinomaly<D> model(base());
    Trainer<D> trainer(model, {});
    const auto features = trainer.encoder()->encode(uploaded(pictures(16)));
    const Demand demand = demand_of([&] { trainer.submit(features); });
    BOOST_TEST(demand.peak <= 4'500'000'000U);
    BOOST_TEST(demand.counts.products == 101U);
    BOOST_TEST(demand.counts.kernels <= 270U);
}

BOOST_AUTO_TEST_CASE(judging) {
    for (const std::int64_t batch : {1, 16}) {
        DeviceHeap::trim();
        const FrozenDinomaly<D> model{Dinomaly<D>(base())};
        DeviceHeap::trim();  // the weights that it was made of
        const auto images = pictures(batch);
        const Demand demand = demand_of([&] { model.anomaly_map(uploaded(images)); });
        BOOST_TEST(demand.held <= (batch == 1 ? 550'000'000U : 950'000'000U));
    }
}
