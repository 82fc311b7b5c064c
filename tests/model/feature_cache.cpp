// SPDX-License-Identifier: Apache-2.0
// The feature cache: runs with features in memory, in a file and nowhere are equal bit for bit, resumed ones too; the
// pixels of a picture are asked for once.
#define BOOST_TEST_MODULE model_feature_cache
#include "dinomaly/feature_cache.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "dinomaly/trainer.hpp"
#include "tests/io/archive.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

constexpr std::int64_t crop = 42;  // nine patches: the position embedding is resized for other sizes alone

/// Seven pictures; 6 comes once, 2 twice in one batch.
const PictureBatches order = {{0, 1, 2}, {3, 4, 5}, {2, 2, 0}, {6, 5, 3}, {1, 0, 4}, {4, 3, 2}};

/// The pictures of these numbers, [n, 3, crop, crop].
Tensor<D> images_of(const std::vector<std::size_t>& pictures) {
    if (pictures.empty()) return {};
    Tensor<D> images({static_cast<std::int64_t>(pictures.size()), 3, crop, crop});
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        Generator random(300 + pictures[i]);
        const Tensor<D> one = normal<D>({3, crop, crop}, random);
        std::copy_n(one.data(), one.count(), images.data() + static_cast<std::int64_t>(i) * one.count());
    }
    return images;
}

/// A training of the small model with a cache of one kind.
class Run {
public:
    enum class Store { none, memory, file };

    explicit Run(Store store, const std::filesystem::path& file = {}) : trainer(model, config()) {
        const FeatureSizes sizes = FeatureSizes::of(model.config, crop);
        const std::vector<std::size_t> kept = store == Store::none ? std::vector<std::size_t>{} : repeated(order);
        cache = store == Store::file ? std::make_unique<FeatureCache<D>>(sizes, kept, file, "small")
                                     : std::make_unique<FeatureCache<D>>(sizes, kept);
    }

    /// Steps over the batches first .. last-1; losses are appended.
    void learn(std::size_t first, std::size_t last) {
        const PictureBatches batches(order.begin() + static_cast<std::ptrdiff_t>(first),
                                     order.begin() + static_cast<std::ptrdiff_t>(last));
        const PictureBatches unknown = cache->unknown(batches);
        for (std::size_t i = 0; i < batches.size(); ++i) {
            const auto features = cache->features(*trainer.encoder(), batches[i], unknown[i], images_of(unknown[i]));
            losses.push_back(trainer.learn(features).loss);
            encoded += unknown[i].size();
        }
    }

    std::vector<double> weights() {
        auto trained = model.trained();
        return values_of(trained);
    }

    static TrainConfig config() {
        TrainConfig config;
        config.iterations = 6;
        config.warmup = 2;
        config.hard_mining_ramp = 4;
        config.dropout = 0.3;
        return config;
    }

    Dinomaly<D> model = small_model<D>();
    Trainer<D> trainer;
    std::unique_ptr<FeatureCache<D>> cache;
    std::vector<double> losses;
    std::size_t encoded = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(only_pictures_that_come_again_are_kept) {
    BOOST_TEST(repeated(order) == (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}), boost::test_tools::per_element());
    BOOST_TEST(repeated({{4, 2}, {1, 0}}).empty());
}

BOOST_AUTO_TEST_CASE(pixels_are_asked_for_once) {
    const FrozenEncoder<D> encoder(small_model<D>());
    const FeatureSizes sizes = FeatureSizes::of(small_config(), crop);
    FeatureCache<D> cache(sizes, repeated(order));
    BOOST_TEST((cache.unknown(order) == PictureBatches{{0, 1, 2}, {3, 4, 5}, {}, {6}, {}, {}}));
    cache.features(encoder, order[0], order[0], images_of(order[0]));
    BOOST_TEST((cache.unknown(order) == PictureBatches{{}, {3, 4, 5}, {}, {6}, {}, {}}));
    BOOST_TEST(cache.holds(2));
    BOOST_TEST(!cache.holds(3));
    BOOST_TEST(!cache.holds(6));

    const FeatureCache<D> none(sizes, {});
    BOOST_TEST((none.unknown({{2, 2, 0}, {2, 2, 0}}) == PictureBatches{{2, 0}, {2, 0}}));
}

BOOST_AUTO_TEST_CASE(features_are_those_of_the_encoder) {
    const FrozenEncoder<D> encoder(small_model<D>());
    FeatureCache<D> cache(FeatureSizes::of(small_config(), crop), {0, 1, 2, 3});
    const std::vector<std::size_t> first = {2, 0}, second = {0, 3, 2};
    cache.features(encoder, first, first, images_of(first));
    const auto mixed = cache.features(encoder, second, std::vector<std::size_t>{3}, images_of({3}));
    const auto expected = encoder.encode(images_of(second));
    for (std::size_t g = 0; g < 2; ++g) BOOST_TEST((mixed[g].value().to_vector() == expected[g].value().to_vector()));
}

BOOST_AUTO_TEST_CASE(cached_runs_equal_uncached_ones_bit_for_bit) {
    Run none(Run::Store::none), memory(Run::Store::memory),
        file(Run::Store::file, scratch_dir("equal") / "features.cache");
    for (Run* run : {&none, &memory, &file}) run->learn(0, order.size());
    for (Run* run : {&memory, &file}) {
        BOOST_TEST(run->losses == none.losses, boost::test_tools::per_element());
        BOOST_TEST((run->weights() == none.weights()));
        BOOST_TEST(run->encoded == 7U);
        const FeatureCacheStatistics found = run->cache->statistics();
        BOOST_TEST(found.pictures == 6U);
        BOOST_TEST(found.bytes == 6U * 2 * 12 * 16 * sizeof(float));  // 9 patches and 3 tokens before them, width 16
        BOOST_TEST(found.asked == 18U);
        BOOST_TEST(found.hits == 11U);
    }
    BOOST_TEST(none.encoded == 17U);
    BOOST_TEST(none.cache->statistics().bytes == 0U);
}

BOOST_AUTO_TEST_CASE(a_resumed_run_goes_on_with_the_file_or_without) {
    Run whole(Run::Store::none);
    whole.learn(0, order.size());

    const std::filesystem::path file = scratch_dir("resumed") / "features.cache";
    io::StateDict state("state");
    {
        Run before(Run::Store::file, file);
        before.learn(0, 2);
        before.trainer.store(state);
    }
    Run with_file(Run::Store::file, file), anew(Run::Store::memory);
    for (Run* run : {&with_file, &anew}) {
        run->trainer.restore(state);
        run->learn(2, order.size());
        BOOST_TEST(run->losses == std::vector(whole.losses.begin() + 2, whole.losses.end()),
                   boost::test_tools::per_element());
        BOOST_TEST((run->weights() == whole.weights()));
    }
    BOOST_TEST(with_file.encoded == 1U);  // the picture that comes once
    BOOST_TEST(anew.encoded == 7U);
}

BOOST_AUTO_TEST_CASE(a_file_for_other_pictures_or_another_key_is_made_anew) {
    const std::filesystem::path file = scratch_dir("anew") / "features.cache";
    const FrozenEncoder<D> encoder(small_model<D>());
    const FeatureSizes sizes = FeatureSizes::of(small_config(), crop);
    const auto fill = [&](const std::vector<std::size_t>& kept, const std::string& key) {
        FeatureCache<D> cache(sizes, kept, file, key);
        const std::size_t found = cache.statistics().pictures;
        cache.features(encoder, kept, kept, images_of(kept));
        return found;
    };
    BOOST_TEST(fill({0, 1, 2}, "one") == 0U);
    BOOST_TEST(fill({0, 1, 2}, "one") == 3U);
    BOOST_TEST(fill({0, 1, 3}, "one") == 0U);
    BOOST_TEST(fill({0, 1, 3}, "two") == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_missing_or_does_not_fit_is_an_error) {
    const FrozenEncoder<D> encoder(small_model<D>());
    FeatureCache<D> cache(FeatureSizes::of(small_config(), crop), {0, 1});
    const std::vector<std::size_t> zero = {0}, both = {0, 1}, nothing;
    cache.features(encoder, zero, zero, images_of(zero));
    BOOST_TEST(is_refused([&] { cache.features(encoder, both, nothing, Tensor<D>()); }, "picture 1 is not kept"));
    FeatureCache<D> other(FeatureSizes::of(small_config(), 28), {0});
    BOOST_TEST(is_refused([&] { other.features(encoder, zero, zero, images_of(zero)); },
                          "2 groups of shape [1, 12, 16]; 2 of [1, 7, 16] expected"));
}
