// SPDX-License-Identifier: Apache-2.0
// Stands in for engine_cuda*.cu in a program that was built without CUDA.
#include "engine/any_model.hpp"
#include "engine/gpu.hpp"

namespace dinomaly::program {

namespace {

constexpr const char* problem = "this program was built without CUDA, as no nvcc was found or DINOMALY_CUDA was OFF";

}  // namespace

Gpus find_gpus() {
    return {.found = {}, .problem = problem};
}
void use_gpu(int, bool) {
    fail("cuda", problem);
}
void keep_gpu_choices() {}
GpuMemory gpu_memory() {
    fail("cuda", problem);
}
bool gpu_has_room(std::size_t) {
    fail("cuda", problem);
}
void trim_gpu_memory() {}
std::unique_ptr<AnyModel> make_model_cuda_fp32(const ModelSource&) {
    fail("cuda", problem);
}
std::unique_ptr<AnyModel> make_model_cuda_bf16(const ModelSource&) {
    fail("cuda", problem);
}

}  // namespace dinomaly::program
