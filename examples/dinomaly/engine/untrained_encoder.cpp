// SPDX-License-Identifier: Apache-2.0
#include "engine/untrained_encoder.hpp"

#include <vector>

#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/nn/init.hpp"
#include "dinomaly/nn/vit.hpp"

namespace dinomaly::program {

namespace {

using Device = Cpu<float>;

/// The encoder as DINOv2's files have it: with the mask token, which is never used. What is drawn for the others
/// depends on its place, so without it this would be another encoder.
struct PublishedForm {
    nn::VisionTransformer<Device>& model;
    Param<Device> mask_token;

    void each(auto&& visit) {
        visit("cls_token", model.cls_token);
        visit("pos_embed", model.pos_embed);
        visit("mask_token", mask_token);
        visit("patch_embed", model.patch_embed);
        visit("blocks", model.blocks);
        visit("norm", model.norm);
    }
};

}  // namespace

void write_untrained_encoder(const std::filesystem::path& file, const UntrainedEncoder& encoder, std::uint64_t seed) {
    nn::VitConfig config;
    config.width = encoder.width;
    config.heads = encoder.width / 64;  // as every published encoder has it, and as a reader of the file assumes
    config.grid = encoder.grid;
    nn::VisionTransformer<Device> model(config);
    PublishedForm published{model, zeros<Device>({1, config.width})};
    nn::init_random_features(published, seed);
    const std::vector<float> scale(static_cast<std::size_t>(config.width), encoder.layer_scale);
    for (auto& block : model.blocks) {
        block.ls1.gamma.value() = Tensor<Device>({config.width}, scale);
        block.ls2.gamma.value() = Tensor<Device>({config.width}, scale);
    }
    io::StateDict dict(file.string());
    io::store_weights(published, dict);
    io::write_safetensors(file, dict);
}

}  // namespace dinomaly::program
