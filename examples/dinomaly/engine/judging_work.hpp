// SPDX-License-Identifier: Apache-2.0
// The arithmetic of a model that need not exist.
#pragma once

#include <cstdint>

#include "dinomaly/model_config.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::program {

/// Multiply-adds of judging one picture of which `crop` is seen (dinomaly/work.hpp).
std::int64_t judging_work(const DinomalyConfig& config, vision::PictureSize crop);

}  // namespace dinomaly::program
