// SPDX-License-Identifier: Apache-2.0
// The published DINOv2 ViT-S/14 checkpoint; the expected values were read with PyTorch.
#define BOOST_TEST_MODULE io_shared_weights
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>

#include "dinomaly/io/hash.hpp"
#include "dinomaly/io/weights.hpp"
#include "tests/support.hpp"

using namespace dinomaly;

BOOST_AUTO_TEST_CASE(published_checkpoint) {
    const auto shared = test::shared_dir();
    BOOST_REQUIRE(shared.has_value());
    const io::StateDict dict = io::load_state_dict(*shared / "weights" / "dinov2_vits14.pth");
    std::int64_t parameters = 0;
    for (const auto& [name, tensor] : dict) {
        BOOST_CHECK(tensor.dtype == io::DType::f32);
        parameters += tensor.shape.count();
    }
    BOOST_TEST(dict.size() == 175U);
    BOOST_TEST(parameters == 22'056'576);
    BOOST_TEST(dict.begin()->first == "cls_token");

    const auto check_tensor = [&dict](const char* name, const Shape& shape, float first, float last) {
        BOOST_TEST(dict.at(name).shape == shape, name);
        BOOST_TEST(dict.as<float>(name).front() == first, name);
        BOOST_TEST(dict.as<float>(name).back() == last, name);
    };
    check_tensor("cls_token", Shape{1, 1, 384}, -0x1.89a0eep-8F, -0x1.ce918ap-9F);
    check_tensor("pos_embed", Shape{1, 1370, 384}, -0x1.89a0eep-8F, -0x1.89e4dcp-4F);
    check_tensor("patch_embed.proj.weight", Shape{384, 3, 14, 14}, -0x1.63cb74p-8F, -0x1.6da132p-11F);
    check_tensor("blocks.0.attn.qkv.weight", Shape{1152, 384}, 0x1.11a6aap-8F, 0x1.ed00fcp-10F);
    check_tensor("blocks.11.ls2.gamma", Shape{384}, -0x1.8f79c6p+2F, -0x1.a6572ap+0F);
    check_tensor("norm.bias", Shape{384}, 0x1.03f9e2p-3F, -0x1.52f78p-1F);
}

BOOST_AUTO_TEST_CASE(it_survives_conversion) {
    const io::StateDict dict = io::load_state_dict(*test::shared_dir() / "weights" / "dinov2_vits14.pth");
    const std::filesystem::path path = test::scratch_dir("shared_weights") / "dinov2.safetensors";
    io::write_safetensors(path, dict);
    BOOST_TEST(io::hash(io::load_state_dict(path)) == io::hash(dict));
}
