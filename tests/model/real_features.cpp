// SPDX-License-Identifier: Apache-2.0
// A published encoder on a real picture: what enters it and what it makes of it, against PyTorch.
#define BOOST_TEST_MODULE model_real_features
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "dinomaly/model_file.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/normalize.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using D = Cpu<float>;

namespace {

constexpr double tolerance = 1e-3;  // of the largest value

/// Every eighth token, as the expected values have them.
std::vector<float> every_eighth(const Var<D>& tokens) {
    const std::vector<float> all = tokens.value().to_vector();
    const auto width = tokens.size(2);
    std::vector<float> some;
    for (std::int64_t i = 0; i < tokens.size(1); i += 8)
        some.insert(some.end(), all.begin() + i * width, all.begin() + (i + 1) * width);
    return some;
}

}  // namespace

BOOST_DATA_TEST_CASE(features_of_a_broken_bottle,
                     boost::unit_test::data::make({448, 256}) ^ boost::unit_test::data::make({392, 224}), size, crop) {
    const auto shared = shared_dir();
    BOOST_REQUIRE(shared.has_value());
    const io::StateDict expected =
        io::load_state_dict(*shared / "golden/real/dinov2_vits14_bottle_broken_large_000.safetensors");
    const auto check_values = [&](const std::string& kind, const std::vector<float>& found) {
        const std::string name = std::to_string(crop) + '/' + kind;
        BOOST_TEST_CONTEXT(name) {
            BOOST_TEST(relative_difference(found, expected.as<double>(name)) < tolerance);
        }
    };

    const vision::Preprocess sizes{.size = size, .crop = crop};
    const LoadedModel<D> loaded = new_model<D>(*shared / "weights/dinov2_vits14.pth", sizes, 1);
    const std::vector<float> pixels =
        vision::to_input(vision::read_rgb(*shared / "real/mvtec/bottle/test/broken_large/000.png"), sizes);
    const auto plane = static_cast<std::size_t>(crop) * static_cast<std::size_t>(crop);
    std::vector<float> mean, corner;
    for (std::size_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (std::size_t i = 0; i < plane; ++i) sum += static_cast<double>(pixels[c * plane + i]);
        mean.push_back(static_cast<float>(sum / static_cast<double>(plane)));
        for (std::size_t y = 0; y < 4; ++y)
            for (std::size_t x = 0; x < 4; ++x)
                corner.push_back(pixels[c * plane + y * static_cast<std::size_t>(crop) + x]);
    }
    check_values("input_mean", mean);
    check_values("input_corner", corner);

    const Var<D> image(Tensor<D>({1, 3, crop, crop}, pixels));
    const auto groups = loaded.model.encode(image);
    check_values("group_0", every_eighth(groups[0]));
    check_values("group_1", every_eighth(groups[1]));
    loaded.model.encoder(image, 9, [&](std::int64_t block, const Var<D>& x) {
        if (block == 9) check_values("block_9", every_eighth(x));
    });
}
