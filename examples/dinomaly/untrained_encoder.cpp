// SPDX-License-Identifier: Apache-2.0
#include "untrained_encoder.hpp"

#include <cmath>
#include <numbers>
#include <vector>

#include "dinomaly/core/random.hpp"
#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/nn/init.hpp"
#include "dinomaly/nn/vit.hpp"

namespace dinomaly::program {

namespace {

using Device = Cpu<float>;

/// Filters [width, 3, patch, patch]: sums of cosines in both directions, the higher the weaker. Scaled so that a
/// filter's response to a plain patch of value 1 in all colours has deviation 1.
Tensor<Device> smooth_filters(std::int64_t width, std::int64_t patch, int frequencies, Generator& random) {
    const auto cosine = [&](int frequency, std::int64_t at) {
        return std::cos(std::numbers::pi * frequency * (static_cast<double>(at) + 0.5) / static_cast<double>(patch));
    };
    const double scale = 1 / (std::sqrt(3.0) * static_cast<double>(patch * patch));
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(width * 3 * patch * patch));
    for (std::int64_t filter = 0; filter < width * 3; ++filter) {
        std::vector<double> weights;
        for (int v = 0; v < frequencies; ++v)
            for (int u = 0; u < frequencies; ++u) weights.push_back(random.normal() / (1 + u * u + v * v));
        for (std::int64_t y = 0; y < patch; ++y) {
            for (std::int64_t x = 0; x < patch; ++x) {
                double sum = 0;
                for (int v = 0; v < frequencies; ++v)
                    for (int u = 0; u < frequencies; ++u)
                        sum += weights[static_cast<std::size_t>(v * frequencies + u)] * cosine(u, x) * cosine(v, y);
                values.push_back(static_cast<float>(scale * sum));
            }
        }
    }
    return {{width, 3, patch, patch}, values};
}

void scale_normal(Tensor<Device>& tensor, double deviation, Generator& random) {
    std::vector<float> values(static_cast<std::size_t>(tensor.count()));
    for (float& value : values) value = static_cast<float>(deviation * random.normal());
    tensor = Tensor<Device>(tensor.shape(), values);
}

}  // namespace

void write_untrained_encoder(const std::filesystem::path& file, const UntrainedEncoder& encoder, std::uint64_t seed) {
    nn::VitConfig config;
    config.width = encoder.width;
    config.heads = encoder.width / 64;
    config.registers = encoder.registers;
    config.grid = encoder.grid;
    nn::VisionTransformer<Device> model(config);
    nn::init_random_features(model, seed);
    Generator random(seed, std::uint64_t{1} << 32);  // a stream that init_random_features does not reach
    model.patch_embed.proj.weight.value() = smooth_filters(config.width, config.patch, encoder.frequencies, random);
    scale_normal(model.pos_embed.value(), encoder.position, random);
    const std::vector<float> branch(static_cast<std::size_t>(config.width), static_cast<float>(encoder.branch_scale));
    for (auto& block : model.blocks) {
        block.ls1.gamma.value() = Tensor<Device>({config.width}, branch);
        block.ls2.gamma.value() = Tensor<Device>({config.width}, branch);
    }
    io::StateDict dict(file.string());
    io::store_weights(model, dict);
    io::write_safetensors(file, dict);
}

}  // namespace dinomaly::program
