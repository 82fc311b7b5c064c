// SPDX-License-Identifier: Apache-2.0
// The vision layer on the real pictures beside the checkout: counts, masks, and the network's input to the last figure.
#define BOOST_TEST_MODULE vision_real

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <numeric>
#include <vector>

#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/loader.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;

namespace fs = std::filesystem;

namespace {

fs::path real() {
    return dinomaly::test::shared_dir().value() / "real";
}

}  // namespace

BOOST_AUTO_TEST_CASE(bottle_has_its_pictures_and_masks) {
    const ClassData bottle = scan(real() / "mvtec").at(0);
    BOOST_TEST(bottle.name == "bottle");
    BOOST_TEST(bottle.train.size() == 48U);
    BOOST_TEST(bottle.test.size() == 62U);
    BOOST_TEST(std::ranges::count_if(bottle.test, &Sample::anomalous) == 42);
    BOOST_REQUIRE(bottle.pairings.size() == 3U);
    for (const MaskPairing& pairing : bottle.pairings) {
        BOOST_CHECK(pairing.rule == MaskRule::by_name);
        BOOST_TEST(pairing.masks == 14U);
    }
    for (const Sample& sample : bottle.test) {
        BOOST_TEST(sample.mask.has_value() == sample.anomalous);
        if (sample.mask) BOOST_CHECK(read_size(*sample.mask) == read_size(sample.picture));
        const std::vector<float> truth = load_mask(sample, {});
        BOOST_TEST(std::ranges::any_of(truth, [](float value) { return value > 0; }) == sample.anomalous);
    }
}

BOOST_AUTO_TEST_CASE(hazelnut_masks_have_the_pictures_names) {
    const ClassData hazelnut = scan(real() / "hazelnut", {"hazelnut"}).at(0);
    BOOST_TEST(hazelnut.train.size() == 28U);
    BOOST_TEST(hazelnut.test.size() == 23U);
    BOOST_REQUIRE(hazelnut.pairings.size() == 1U);
    BOOST_CHECK(hazelnut.pairings[0].rule == MaskRule::by_name);
    BOOST_TEST(hazelnut.pairings[0].masks == 17U);
    for (const Sample& sample : hazelnut.test)
        if (sample.mask) BOOST_CHECK(sample.mask->stem() == sample.picture.stem());
}

BOOST_AUTO_TEST_CASE(network_input_has_pytorchs_means) {
    struct Expected {
        Preprocess sizes;
        float mean[3];
    };
    const Expected cases[] = {{{.size = 448, .crop = 392}, {-0.34426963F, -0.24086292F, 0.08487406F}},
                              {{.size = 256, .crop = 224}, {-0.34419024F, -0.24090625F, 0.08489644F}}};
    const fs::path picture = real() / "mvtec/bottle/test/broken_large/000.png";
    for (const Expected& expected : cases) {
        const std::vector<float> x = to_input(read_rgb(picture), expected.sizes);
        BOOST_REQUIRE(x.size() == expected.sizes.count());
        const std::size_t plane = x.size() / 3;
        for (std::size_t c = 0; c < 3; ++c) {
            const auto begin = x.begin() + static_cast<std::ptrdiff_t>(c * plane);
            const double sum = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(plane), 0.0);
            BOOST_TEST(std::abs(sum / static_cast<double>(plane) - static_cast<double>(expected.mean[c])) < 2e-6);
        }
        BOOST_TEST(x[0] == 2.2489083F);
        BOOST_TEST(x[plane] == 2.4285715F);
        BOOST_TEST(x[2 * plane] == 2.64F);
    }
}

BOOST_AUTO_TEST_CASE(the_loader_gives_what_direct_reading_gives) {
    const std::vector<Sample> samples = training_samples(scan(real() / "hazelnut"));
    std::vector<fs::path> pictures;
    for (const Sample& sample : samples) pictures.push_back(sample.picture);
    Loader loader(pictures, {{27, 3}, {0, 14}}, {}, {.threads = 2});
    for (int i = 0; i < 2; ++i) {
        const std::optional<Batch> batch = loader.next();
        BOOST_REQUIRE(batch.has_value());
        std::vector<float> expected;
        for (std::size_t index : batch->indices) {
            const std::vector<float> one = to_input(read_rgb(pictures[index]), {});
            expected.insert(expected.end(), one.begin(), one.end());
        }
        BOOST_CHECK(batch->pixels == expected);
    }
}
