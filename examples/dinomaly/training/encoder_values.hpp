// SPDX-License-Identifier: Apache-2.0
// What the encoder says about a run that neither the command line nor a preset settled.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "dinomaly/encoders/encoder_options.hpp"
#include "dinomaly/vision/preprocess.hpp"

namespace dinomaly::program {

/// Values of options, as --config takes them, that Dinomaly is used with on the encoder of a file: picture sizes and,
/// where the family has its own, more. Throws Error when the file cannot be read or holds no encoder.
nlohmann::ordered_json encoder_values(const std::filesystem::path& encoder,
                                      const encoders::EncoderOptions& encoder_options);

/// The picture sizes that Dinomaly is used with on the encoder of a file. Throws Error as encoder_values() does.
vision::Preprocess encoder_sizes(const std::filesystem::path& encoder);

}  // namespace dinomaly::program
