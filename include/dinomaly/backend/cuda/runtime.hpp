// SPDX-License-Identifier: Apache-2.0
// The CUDA runtime as the backend uses it: errors as exceptions, one compute stream, kernel launches.
//
// All work of a process on its tensors goes through one stream, in order, so a block of memory may be handed on as soon
// as the call that used it last was made. Beside it only uploads travel, on a stream and in memory of their own; the
// compute stream waits for each and copies it into its place (staging.hpp). Streams are made at their first use:
// programs start without a GPU.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "dinomaly/core/error.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend::cuda {

inline constexpr int warp_size = 32;

/// Throws Error with the runtime's name and text for a status that is not success.
inline void expect_success(cudaError_t status, const char* call) {
    if (status != cudaSuccess) fail("cuda", call, ": ", cudaGetErrorName(status), ", ", cudaGetErrorString(status));
}

/// A stream that does not wait for the default one.
inline cudaStream_t make_stream() {
    cudaStream_t made = nullptr;
    expect_success(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return made;
}

/// The compute stream of the current device.
inline cudaStream_t stream() {
    static const cudaStream_t compute = make_stream();
    return compute;
}

/// Waits until all work handed out so far is done, uploads included, as the compute stream waits for them. Throws Error
/// when some of it failed.
inline void synchronize() {
    expect_success(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
}

/// Whether work for the stream is recorded into a graph instead of being done.
inline bool is_recording() {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    expect_success(cudaStreamIsCapturing(stream(), &status), "cudaStreamIsCapturing");
    return status != cudaStreamCaptureStatusNone;
}

/// While one lives, this thread may ask for memory although work is being recorded: that is no part of the work.
class MayAllocate {
public:
    MayAllocate() { exchange(); }
    ~MayAllocate() { exchange(); }
    MayAllocate(const MayAllocate&) = delete;
    MayAllocate& operator=(const MayAllocate&) = delete;

private:
    /// Without a driver, as at the end of a program, it does not matter that this fails.
    void exchange() { static_cast<void>(cudaThreadExchangeStreamCaptureMode(&mode_)); }

    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

/// Blocks of a launch and threads of a block, and the bytes of dynamic shared memory that a block has.
struct Layout {
    dim3 blocks, threads;
    std::size_t shared_bytes = 0;
};

/// Runs kernel(args...) on the compute stream. Throws Error when it cannot be started.
template <class... Parameters, class... Args>
void launch(const Layout& layout, void (*kernel)(Parameters...), Args&&... args) {
    constexpr std::size_t unasked_bytes = 48 * 1024;  // more must be asked for
    if (layout.shared_bytes > unasked_bytes)
        expect_success(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(layout.shared_bytes)),
                       "cudaFuncSetAttribute");
    cudaLaunchConfig_t config{};
    config.gridDim = layout.blocks;
    config.blockDim = layout.threads;
    config.dynamicSmemBytes = layout.shared_bytes;
    config.stream = stream();
    expect_success(cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Args>(args))...), "cudaLaunchKernelEx");
}

/// The number of this thread in a launch of one dimension.
__device__ inline std::int64_t thread_index() {
    return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

/// Blocks of `threads` that give `count` threads.
inline unsigned blocks_for(std::int64_t count, int threads) {
    return static_cast<unsigned>((count + threads - 1) / threads);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend::cuda
