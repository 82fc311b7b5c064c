// SPDX-License-Identifier: Apache-2.0
// Clipping and StableAdamW (optim/stable_adamw.hpp) for all parameters at once, in three launches and without a word
// to the host:
//
//   1. the sum of g^2 of each chunk
//   2. adds these up to the joint norm and so to the clipping factor; updates v and vmax; the sum of (g / den)^2
//   3. adds these up to each tensor's rms and so to its rate; updates m and p
//
// A chunk is a stretch of one tensor, a block's work. Sums are added in a fixed order. Where the norm is not finite
// nothing changes. 50 bytes a value go over the bus.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dinomaly/backend/cuda/map.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// One parameter: its values, its moments, and which chunks are its own.
struct AdamTensor {
    float *p, *m, *v, *vmax;
    std::int64_t count, first_chunk, chunks;
    std::size_t rate;
};

/// A stretch of a tensor.
struct AdamChunk {
    static constexpr std::int64_t most = 65536;

    std::int64_t tensor, first;
};

/// Gradients of the tensors of a launch: their addresses differ from step to step.
struct AdamGradients {
    static constexpr std::size_t most = 256;

    std::array<const float*, most> of;
};

/// What all launches of a step share.
struct AdamStep {
    const AdamTensor* tensors;
    const AdamChunk* chunks;
    std::int64_t chunk_count;
    double* squares;  // of the gradient, a chunk each
    double* ratios;   // the sums of (g / den)^2 likewise
    AdamConstants constants;
    const AdamScalars* scalars;
};

/// The block's chunk: the launch's gradients begin at tensor `first_tensor`.
struct AdamWork {
    AdamTensor tensor;
    std::int64_t chunk;
    const float* g;
    std::int64_t first, last;

    __device__ AdamWork(const AdamStep& step, const AdamGradients& gradients, std::int64_t first_tensor,
                        std::int64_t first_chunk)
        : chunk(first_chunk + blockIdx.x) {
        const AdamChunk place = step.chunks[chunk];
        tensor = step.tensors[place.tensor];
        g = gradients.of[static_cast<std::size_t>(place.tensor - first_tensor)];
        first = place.first;
        last = first + AdamChunk::most < tensor.count ? first + AdamChunk::most : tensor.count;
    }

    /// Calls f(at) for this thread's packets of the chunk.
    template <class F> __device__ void each(const F& f) const {
        const std::int64_t stride = static_cast<std::int64_t>(blockDim.x) * Packet<float>::width;
        for (std::int64_t col = first + threadIdx.x * Packet<float>::width; col < last; col += stride)
            f(part_at<float>(col, last));
    }
};

/// The sum of count values by the block, the same for all threads.
__device__ inline double sum_by_block(const double* values, std::int64_t count) {
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += values[i];
    return BlockTeam{}.sum(sum);
}

template <class T>
__global__ void adam_squares_kernel(AdamStep step, AdamGradients gradients, std::int64_t first_tensor,
                                    std::int64_t first_chunk) {
    const AdamWork work(step, gradients, first_tensor, first_chunk);
    Packet<T> sum(T(0));
    work.each([&](auto at) {
        const Packet<T> g = at.load(work.g);
        sum += at.keep(g * g);
    });
    const double total = BlockTeam{}.sum(static_cast<double>(sum.sum()));
    if (threadIdx.x == 0) step.squares[work.chunk] = total;
}

/// PyTorch's rule of clipping; not finite where the gradient is not.
__device__ inline float clipping_factor(double norm, float limit) {
    const float factor = static_cast<float>(static_cast<double>(limit) / (norm + 1e-6));
    return factor < 1 || !(norm - norm == 0) ? factor : 1.0F;
}

template <class T>
__global__ void adam_moments_kernel(AdamStep step, AdamGradients gradients, std::int64_t first_tensor,
                                    std::int64_t first_chunk, float* norm) {
    const AdamWork work(step, gradients, first_tensor, first_chunk);
    const double length = sqrt(sum_by_block(step.squares, step.chunk_count));
    if (work.chunk == 0 && threadIdx.x == 0) *norm = static_cast<float>(length);
    if (!(length - length == 0)) return;
    const AdamConstants& c = step.constants;
    const Packet<T> factor(clipping_factor(length, c.limit)), correct(static_cast<T>(step.scalars->correct2)),
        keep(c.beta2), take(c.rest2), eps(c.eps);
    Packet<T> sum(T(0));
    work.each([&](auto at) {
        const Packet<T> g = at.load(work.g) * factor;
        const Packet<T> v = keep * at.load(work.tensor.v) + take * (g * g);
        Packet<T> second = v;
        if (c.is_amsgrad) {
            second = math::max(at.load(work.tensor.vmax), v);
            at.store(work.tensor.vmax, second);
        }
        at.store(work.tensor.v, v);
        const Packet<T> ratio = g / (math::sqrt(second) / correct + eps);
        sum += at.keep(ratio * ratio);
    });
    const double total = BlockTeam{}.sum(static_cast<double>(sum.sum()));
    if (threadIdx.x == 0) step.ratios[work.chunk] = total;
}

template <class T>
__global__ void adam_update_kernel(AdamStep step, AdamGradients gradients, std::int64_t first_tensor,
                                   std::int64_t first_chunk) {
    const AdamWork work(step, gradients, first_tensor, first_chunk);
    const double length = sqrt(sum_by_block(step.squares, step.chunk_count));
    if (!(length - length == 0)) return;
    const AdamTensor& tensor = work.tensor;
    const double ratios = sum_by_block(step.ratios + tensor.first_chunk, tensor.chunks);
    const double rms = sqrt(ratios / static_cast<double>(tensor.count));
    const AdamConstants& c = step.constants;
    const Packet<T> factor(clipping_factor(length, c.limit)), correct(static_cast<T>(step.scalars->correct2)),
        keep(c.beta1), take(c.rest1), eps(c.eps), decay(static_cast<T>(step.scalars->decays[tensor.rate])),
        rate(static_cast<T>(step.scalars->rates[tensor.rate] / (rms > 1 ? rms : 1.0)));
    work.each([&](auto at) {
        const Packet<T> m = keep * at.load(tensor.m) + take * (at.load(work.g) * factor);
        at.store(tensor.m, m);
        const Packet<T> den = math::sqrt(at.load(c.is_amsgrad ? tensor.vmax : tensor.v)) / correct + eps;
        at.store(tensor.p, at.load(tensor.p) * decay - rate * (m / den));
    });
}

}  // namespace cuda

/// All parameters of an optimiser, laid out for the three launches.
template <> class AdamTensors<Cuda<float>> {
public:
    /// Lays out tensors that stay where they are.
    explicit AdamTensors(const std::vector<AdamPlaces<float>>& places) {
        std::vector<cuda::AdamTensor> tensors;
        std::vector<cuda::AdamChunk> chunks;
        for (const AdamPlaces<float>& at : places) {
            const auto first_chunk = static_cast<std::int64_t>(chunks.size());
            for (std::int64_t first = 0; first < at.count; first += cuda::AdamChunk::most)
                chunks.push_back({static_cast<std::int64_t>(tensors.size()), first});
            tensors.push_back({at.p, at.m, at.v, at.vmax, at.count, first_chunk,
                               static_cast<std::int64_t>(chunks.size()) - first_chunk, at.rate});
        }
        first_chunks_.clear();
        for (const cuda::AdamTensor& tensor : tensors) first_chunks_.push_back(tensor.first_chunk);
        first_chunks_.push_back(static_cast<std::int64_t>(chunks.size()));
        tensors_ = stored(tensors);
        chunks_ = stored(chunks);
        squares_ = cuda::scratch<double>(first_chunks_.back());
        ratios_ = cuda::scratch<double>(first_chunks_.back());
    }

    /// One update from the gradients, in the order of the parameters; *norm is their joint norm before clipping.
    void update(std::span<const float* const> gradients, const AdamConstants& constants, const AdamScalars* scalars,
                float* norm) const {
        constexpr int threads = 256;
        const cuda::AdamStep step{tensors_.get(), chunks_.get(), first_chunks_.back(), squares_.get(), ratios_.get(),
                                  constants,      scalars};
        const auto each_launch = [&](auto kernel, auto... more) {
            for (std::size_t first = 0; first < gradients.size(); first += cuda::AdamGradients::most) {
                const std::size_t count = std::min(gradients.size() - first, cuda::AdamGradients::most);
                cuda::AdamGradients part{};
                std::ranges::copy(gradients.subspan(first, count), part.of.begin());
                const std::int64_t chunk = first_chunks_[first], chunks = first_chunks_[first + count] - chunk;
                if (chunks == 0) continue;
                cuda::launch({static_cast<unsigned>(chunks), threads, cuda::block_bytes<double>(threads)}, kernel, step,
                             part, static_cast<std::int64_t>(first), chunk, more...);
            }
        };
        each_launch(cuda::adam_squares_kernel<float>);
        each_launch(cuda::adam_moments_kernel<float>, norm);
        each_launch(cuda::adam_update_kernel<float>);
    }

private:
    template <class S> static std::shared_ptr<const S> stored(const std::vector<S>& values) {
        const std::shared_ptr<S> memory = cuda::scratch<S>(static_cast<std::int64_t>(values.size()));
        Cuda<float>::upload(memory.get(), values.data(), values.size() * sizeof(S));
        return memory;
    }

    std::vector<std::int64_t> first_chunks_;  // of each tensor, and one past the last
    std::shared_ptr<const cuda::AdamTensor> tensors_;
    std::shared_ptr<const cuda::AdamChunk> chunks_;
    std::shared_ptr<double> squares_, ratios_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
