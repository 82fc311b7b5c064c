// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "dinomaly/backend/cuda/blas.hpp"
#include "dinomaly/backend/cuda/device.hpp"
#include "dinomaly/backend/cuda/devices.hpp"
#include "dinomaly/io/file.hpp"
#include "engine/gpu.hpp"

namespace dinomaly::program {

namespace {

/// Where the algorithms of a GPU's products are kept from run to run; empty where a user has no place for that.
std::filesystem::path choices_file(std::string gpu_name) {
    std::ranges::replace_if(
        gpu_name, [](unsigned char c) { return std::isalnum(c) == 0; }, '-');
    std::filesystem::path folder;
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
        folder = cache;
    else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
        folder = std::filesystem::path(home) / ".cache";
    return folder.empty() ? folder : folder / "dinomaly" / ("products-" + gpu_name + ".txt");
}

std::filesystem::path used_choices;  // of the GPU that was chosen

}  // namespace

Gpus find_gpus() {
    const backend::cuda::Devices devices = backend::cuda::find_devices();
    Gpus gpus{.found = {}, .problem = devices.problem};
    for (const backend::cuda::DeviceInfo& device : devices.found) gpus.found.push_back({device.name, device.memory});
    return gpus;
}

void use_gpu(int number, bool allows_tf32) {
    backend::cuda::use_device(number);
    backend::cuda::allow_tf32 = allows_tf32;
    used_choices = choices_file(find_gpus().found.at(static_cast<std::size_t>(number)).name);
    if (std::ifstream file(used_choices); file) backend::cuda::load_algorithms(file);
}

void keep_gpu_choices() {
    if (used_choices.empty()) return;
    try {
        std::ostringstream chosen;
        backend::cuda::save_algorithms(chosen);
        std::error_code absent;
        if (std::filesystem::exists(used_choices, absent) && io::read_text(used_choices) == chosen.str()) return;
        std::filesystem::create_directories(used_choices.parent_path());
        io::write_text(used_choices, chosen.str());
    } catch (const std::exception& error) {  // the work itself is done
        std::cerr << "warning: how products are computed could not be kept for the next run: " << error.what() << '\n';
    }
}

GpuMemory gpu_memory() {
    const backend::SlabHeapStatistics heap = backend::DeviceHeap::statistics();
    return {heap.held, backend::cuda::free_memory(), heap.most + backend::cuda::bytes_apart};
}

bool gpu_has_room(std::size_t bytes) {
    return backend::has_own_room(Cuda<float>{}, bytes);
}

void trim_gpu_memory() {
    backend::DeviceHeap::trim();
}

}  // namespace dinomaly::program
