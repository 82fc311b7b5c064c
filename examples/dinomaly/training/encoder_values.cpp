// SPDX-License-Identifier: Apache-2.0
#include "training/encoder_values.hpp"

#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/encoders/recommended.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/io/weights.hpp"

namespace dinomaly::program {

nlohmann::ordered_json encoder_values(const std::filesystem::path& encoder,
                                      const encoders::EncoderOptions& encoder_options) {
    const nn::VitConfig vit = encoders::read_encoder(io::load_state_dict(encoder), encoder_options).config;
    const vision::Preprocess sizes = encoders::recommended_sizes(vit);
    nlohmann::ordered_json values = {{"size", sizes.size.width}, {"crop", sizes.crop.width}};
    const encoders::TrainingChoice usual, choice = encoders::recommended_training(vit);
    if (choice.amsgrad != usual.amsgrad) values["amsgrad"] = "off";
    if (choice.batch != usual.batch) values["batch"] = choice.batch;
    return values;
}

vision::Preprocess encoder_sizes(const std::filesystem::path& encoder) {
    return encoders::recommended_sizes(encoders::read_encoder(io::load_state_dict(encoder)).config);
}

}  // namespace dinomaly::program
