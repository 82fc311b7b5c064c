// SPDX-License-Identifier: Apache-2.0
#include "engine/untrained_encoder.hpp"

#include <vector>

#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/nn/init.hpp"
#include "dinomaly/nn/vit.hpp"

namespace dinomaly::program {

void write_untrained_encoder(const std::filesystem::path& file, const UntrainedEncoder& encoder, std::uint64_t seed) {
    using Device = Cpu<float>;
    nn::VitConfig config;
    config.width = encoder.width;
    config.heads = encoder.width / 64;  // as every published encoder has it, and as a reader of the file assumes
    config.grid = encoder.grid;
    nn::VisionTransformer<Device> model(config);
    nn::init_random_features(model, seed);
    const std::vector<float> scale(static_cast<std::size_t>(config.width), encoder.layer_scale);
    for (auto& block : model.blocks) {
        block.ls1.gamma.value() = Tensor<Device>({config.width}, scale);
        block.ls2.gamma.value() = Tensor<Device>({config.width}, scale);
    }
    io::StateDict dict(file.string());
    io::store_weights(model, dict);
    io::write_safetensors(file, dict);
}

}  // namespace dinomaly::program
