// SPDX-License-Identifier: Apache-2.0
// What tests of the emulation need to run a kernel: memory, streams and events that free themselves, and a short
// launch.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace simt {

inline void expect_success(cudaError_t status) {
    if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorName(status));
}

template <class T> class DeviceArray {
public:
    explicit DeviceArray(std::size_t size) : size_(size) { expect_success(cudaMalloc(&data_, size * sizeof(T))); }
    explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
        expect_success(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
    }
    ~DeviceArray() { cudaFree(data_); }
    DeviceArray(const DeviceArray&) = delete;
    DeviceArray& operator=(const DeviceArray&) = delete;

    T* data() const { return data_; }
    std::vector<T> values() const {
        std::vector<T> copy(size_);
        expect_success(cudaMemcpy(copy.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
        return copy;
    }

private:
    T* data_ = nullptr;
    std::size_t size_;
};

/// Streams and events that live as long as this.
class Stream {
public:
    Stream() { expect_success(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
    ~Stream() { cudaStreamDestroy(stream_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    operator cudaStream_t() const { return stream_; }

private:
    cudaStream_t stream_ = nullptr;
};
class Event {
public:
    Event() { expect_success(cudaEventCreate(&event_)); }
    ~Event() { cudaEventDestroy(event_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    operator cudaEvent_t() const { return event_; }

private:
    cudaEvent_t event_ = nullptr;
};

/// Numbers in pinned memory.
class PinnedArray {
public:
    explicit PinnedArray(std::size_t size) { expect_success(cudaMallocHost(&data_, size * sizeof(float))); }
    ~PinnedArray() { cudaFreeHost(data_); }
    PinnedArray(const PinnedArray&) = delete;
    PinnedArray& operator=(const PinnedArray&) = delete;

    float* data() const { return data_; }

private:
    float* data_ = nullptr;
};

struct Layout {
    dim3 blocks, threads;
    std::size_t shared_bytes = 0;
    cudaStream_t stream = nullptr;
};

template <class... Parameters, class... Args>
void launch(const Layout& layout, void (*kernel)(Parameters...), Args&&... args) {
    cudaLaunchConfig_t config{};
    config.gridDim = layout.blocks;
    config.blockDim = layout.threads;
    config.dynamicSmemBytes = layout.shared_bytes;
    config.stream = layout.stream;
    expect_success(cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...));
}

}  // namespace simt
