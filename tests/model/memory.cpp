// SPDX-License-Identifier: Apache-2.0
// Memory: steady steps and predictions take no fresh block, and the estimate is what is really held.
#define BOOST_TEST_MODULE model_memory
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "dinomaly/feature_cache.hpp"
#include "dinomaly/memory_estimate.hpp"
#include "dinomaly/trainer.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;
using backend::HostCache;

namespace {

constexpr std::int64_t crop = 140;  // 100 patches

/// Large enough that weights and activations, not small blocks, decide.
DinomalyConfig middle_config() {
    DinomalyConfig config = small_config();
    config.encoder = {.width = 128, .depth = 5, .heads = 2, .patch = 14, .registers = 2, .grid = 10, .eps = 1e-6};
    return config;
}

Tensor<D> pictures(std::int64_t batch) {
    Generator random(7);
    return normal<D>({batch, 3, crop, crop}, random);
}

/// One thread: with more, how many of them hold scratch memory at a time is chance.
struct OneThread {
    int normally = backend::thread_pool().threads();
    OneThread() { backend::thread_pool().resize(1); }
    ~OneThread() { backend::thread_pool().resize(normally); }
};

/// Steps over one batch whose pictures are encoded anew each time.
class Steps {
public:
    explicit Steps(std::int64_t batch) : images_(pictures(batch)) {
        for (std::int64_t i = 0; i < batch; ++i) numbers_.push_back(static_cast<std::size_t>(i));
    }
    void run(int count) {
        for (int i = 0; i < count; ++i)
            trainer_.learn(cache_.features(*trainer_.encoder(), numbers_, numbers_, images_));
    }

private:
    Tensor<D> images_;
    std::vector<std::size_t> numbers_;
    Dinomaly<D> model_ = small_model<D>(1, middle_config());
    Trainer<D> trainer_{model_, {}};
    FeatureCache<D> cache_{FeatureSizes::of(middle_config(), crop), {}};
};

double ratio_to_held(const MemoryUse& use, std::size_t held_before) {
    const double held = static_cast<double>(HostCache::statistics().held - held_before);
    return static_cast<double>(memory_estimate(middle_config(), use).total()) / held;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(steady_steps_take_no_fresh_memory, OneThread) {
    Steps steps(3);
    steps.run(2);
    const auto fresh = HostCache::statistics().fresh;
    steps.run(3);
    BOOST_TEST(HostCache::statistics().fresh == fresh);
}

BOOST_FIXTURE_TEST_CASE(steady_predictions_take_no_fresh_memory, OneThread) {
    const FrozenDinomaly<D> model(small_model<D>(1, middle_config()));
    const Tensor<D> images = pictures(3);
    model.anomaly_map(images);
    const auto fresh = HostCache::statistics().fresh;
    for (int i = 0; i < 3; ++i) model.anomaly_map(images);
    BOOST_TEST(HostCache::statistics().fresh == fresh);
}

BOOST_FIXTURE_TEST_CASE(the_estimate_is_what_training_holds, OneThread) {
    for (const std::int64_t batch : {2, 8}) {
        HostCache::trim();
        const std::size_t before = HostCache::statistics().held;
        Steps steps(batch);
        steps.run(2);
        const double ratio = ratio_to_held({.crop = crop, .batch = batch, .pictures = 4U * 3 * crop * crop}, before);
        BOOST_TEST_MESSAGE("training, batch " << batch << ": estimate / held = " << ratio);
        BOOST_TEST(std::abs(ratio - 1) < 0.2);
    }
}

BOOST_FIXTURE_TEST_CASE(the_estimate_is_what_predicting_holds, OneThread) {
    for (const std::int64_t batch : {1, 6}) {
        HostCache::trim();
        const std::size_t before = HostCache::statistics().held;
        const Dinomaly<D> whole = small_model<D>(1, middle_config());  // as it was when it was read
        const FrozenDinomaly<D> model(whole);
        for (int i = 0; i < 2; ++i) model.anomaly_map(pictures(batch));
        const double ratio = ratio_to_held({.trains = false, .crop = crop, .batch = batch}, before);
        BOOST_TEST_MESSAGE("predicting, batch " << batch << ": estimate / held = " << ratio);
        BOOST_TEST(std::abs(ratio - 1) < 0.2);
    }
}

BOOST_AUTO_TEST_CASE(the_estimate_follows_what_is_asked) {
    const auto total = [](const MemoryUse& use) { return memory_estimate(middle_config(), use).total(); };
    const MemoryUse use{.crop = crop, .batch = 8};
    MemoryUse half = use, more = use, features = use;
    half.element_size = 2;
    more.batch = 16;
    features.features = 1'000'000;
    BOOST_TEST(total(half) < total(use));
    BOOST_TEST(total(more) > total(use));
    BOOST_TEST(total(features) == total(use) + 1'000'000);
    for (const MemoryPart& part : memory_estimate(middle_config(), features).parts) BOOST_TEST(part.bytes > 0U);
}

BOOST_AUTO_TEST_CASE(the_largest_batch_fits_and_the_next_does_not) {
    MemoryUse use{.crop = crop, .batch = 16};
    const std::size_t limit = memory_estimate(middle_config(), use).total() * 3 / 4;
    const std::int64_t largest = largest_batch(middle_config(), use, limit);
    BOOST_TEST(largest > 1);
    BOOST_TEST(largest < 16);
    use.batch = largest;
    BOOST_TEST(memory_estimate(middle_config(), use).total() <= limit);
    use.batch = largest + 1;
    BOOST_TEST(memory_estimate(middle_config(), use).total() > limit);
    BOOST_TEST(largest_batch(middle_config(), use, 1000) == 0);
    BOOST_TEST(largest_batch(middle_config(), use, std::size_t{1} << 40) == largest + 1);
}
