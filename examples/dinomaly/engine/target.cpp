// SPDX-License-Identifier: Apache-2.0
#include "engine/target.hpp"

#include "engine/gpu.hpp"

namespace dinomaly::program {

Target choose_target(const std::string& device, const std::string& precision) {
    Target target{.gpu = {}, .precision = find_precision(precision)};
    if (device == "cpu") {
        check(target.precision != Precision::tf32, "--device cpu",
              "--precision tf32 is for GPUs; fp32, bf16 or int8 expected");
        return target;
    }
    const std::string place = "--device " + device;
    check(target.precision != Precision::int8, place.c_str(),
          "--precision int8 is for the CPU; fp32, bf16 or tf32 expected");
    const std::size_t colon = device.find(':');
    const int number = colon == std::string::npos ? 0 : std::stoi(device.substr(colon + 1));
    const Gpus gpus = find_gpus();
    check(gpus.problem.empty(), place.c_str(), gpus.problem);
    check(static_cast<std::size_t>(number) < gpus.found.size(), place.c_str(), "no such GPU: ", gpus.found.size(),
          " found, numbered from 0");
    use_gpu(number, target.precision == Precision::tf32);
    target.gpu = number;
    return target;
}

}  // namespace dinomaly::program
