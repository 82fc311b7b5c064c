// SPDX-License-Identifier: Apache-2.0
#include "engine/model_on_device.hpp"

namespace dinomaly::program {

std::unique_ptr<AnyModel> make_model_cuda_fp32(const ModelSource& source) {
    return std::make_unique<ModelOnDevice<Cuda<float>>>(source);
}

}  // namespace dinomaly::program
