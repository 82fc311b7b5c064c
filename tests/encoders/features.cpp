// SPDX-License-Identifier: Apache-2.0
// What a published encoder's blocks give, against the oracle: names, sizes and arithmetic in one.
#define BOOST_TEST_MODULE encoders_features
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/nn/vit.hpp"
#include "tests/close.hpp"
#include "tests/encoders/cases.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

using D = Cpu<float>;

Tensor<D> tensor_of(const io::StateDict& dict, const std::string& name) {
    return Tensor<D>(dict.at(name).shape, dict.as<float>(name));
}

/// The final norm is not applied, and not every file has it; a mask token serves training alone.
bool not_used(const std::string& name) {
    return name.starts_with("norm.") || name == "mask_token";
}

}  // namespace

BOOST_AUTO_TEST_CASE(blocks_give_what_the_oracle_gives) {
    constexpr double tolerance = 1e-5;  // of the largest value
    for (const std::string& name : encoder_cases()) {
        BOOST_TEST_CONTEXT(name) {
            const EncoderCase golden = encoder_case(name);
            const auto file = encoders::read_encoder(golden.file, {.heads = golden.expected.at("heads")});
            nn::VisionTransformer<D> vit(file.config);
            io::load_weights(vit, file.tensors, "", not_used);
            std::int64_t visits = 0;
            vit(Var<D>(tensor_of(golden.values, "picture")), file.config.depth - 1,
                [&](std::int64_t i, const Var<D>& x) {
                    const Tensor<D> wanted = tensor_of(golden.values, "block." + std::to_string(i));
                    BOOST_TEST(mismatch(x.value(), wanted, tolerance) == "");
                    ++visits;
                });
            BOOST_TEST(visits == file.config.depth);
        }
    }
}
