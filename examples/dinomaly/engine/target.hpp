// SPDX-License-Identifier: Apache-2.0
// Target: what a model computes on and in, as --device and --precision ask for it.
#pragma once

#include <optional>
#include <string>

#include "dinomaly/core/precision.hpp"

namespace dinomaly::program {

struct Target {
    std::optional<int> gpu;  ///< its number; none is the CPU
    Precision precision = Precision::fp32;
};

/// The target of --device ("cpu", "cuda" or "cuda:2") and --precision; a GPU is chosen by it for the whole process.
/// Throws Error that says what is missing when there is no such GPU, and for a precision that it does not have.
Target choose_target(const std::string& device, const std::string& precision);

}  // namespace dinomaly::program
