// SPDX-License-Identifier: Apache-2.0
#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/cuda/devices.hpp"
#include "gpu.hpp"

namespace dinomaly::program {

Gpus find_gpus() {
    const backend::cuda::Devices devices = backend::cuda::find_devices();
    Gpus gpus{.found = {}, .problem = devices.problem};
    for (const backend::cuda::DeviceInfo& device : devices.found) gpus.found.push_back({device.name, device.memory});
    return gpus;
}

void use_gpu(int number) {
    backend::cuda::use_device(number);
}

GpuMemory gpu_memory() {
    return {backend::DeviceCache::statistics().held, backend::cuda::free_memory()};
}

bool gpu_has_room(std::size_t bytes) {
    return backend::has_own_room(Cuda<float>{}, bytes);
}

void trim_gpu_memory() {
    backend::DeviceCache::trim();
}

}  // namespace dinomaly::program
