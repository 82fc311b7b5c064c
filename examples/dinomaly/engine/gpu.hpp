// SPDX-License-Identifier: Apache-2.0
// GPUs behind an interface of plain types: engine_cuda.cu stands behind it, or, in a program that was built without
// CUDA, without_cuda.cpp.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace dinomaly::program {

/// A GPU, its memory in bytes.
struct Gpu {
    std::string name;
    std::size_t memory = 0;
};

/// The GPUs by number; where none can be used, the reason.
struct Gpus {
    std::vector<Gpu> found;
    std::string problem;
};
Gpus find_gpus();

/// Computes on GPU number `number` from now on, products as an earlier run chose to and, where that is allowed, those
/// of floats in TF32. Throws Error when it is too old, or taken.
void use_gpu(int number, bool allows_tf32);
/// Keeps the algorithms that products were found fastest with, in the user's cache folder: the next run then gives the
/// same bits. Does nothing where no GPU was used.
void keep_gpu_choices();

/// Bytes of the chosen GPU: those of our tensors or waiting for reuse, those that nobody has, and the most that we had,
/// what uploads go through included.
struct GpuMemory {
    std::size_t held = 0, free = 0, most = 0;
};
GpuMemory gpu_memory();
/// Whether the features of that many bytes are kept by the GPU; where not, the host keeps them.
bool gpu_has_room(std::size_t bytes);

/// Gives memory that waits for reuse back. Does nothing where no GPU was used.
void trim_gpu_memory();

}  // namespace dinomaly::program
