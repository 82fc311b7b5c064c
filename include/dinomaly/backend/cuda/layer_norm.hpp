// SPDX-License-Identifier: Apache-2.0
// The gradients of a layer norm (ops/layer_norm.hpp) in one pass over x and dy.
//
// A warp takes row after row, its values in registers from the load to the store, and keeps the sums over its rows for
// dw and db in registers too. The warps of a block add theirs up in shared memory, and a second launch adds the blocks'
// sums, in fixed order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cuda/reduce.hpp"
#include "dinomaly/backend/operands.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// What the kernel reads and writes; x, dy and dx [rows, cols], w [cols], mean and rstd [rows]. dx may be null.
template <class S> struct LayerNormGradients {
    std::int64_t rows, cols;
    const S *x, *dy;
    const float *w, *mean, *rstd;
    S* dx;
    bool adds;
    float* partial;  // [blocks, 2, cols], the sums for dw and db
};

inline constexpr int layer_norm_threads = 256;

/// packets: how many of a row a thread has, at most.
template <class S, int packets> __global__ void layer_norm_backward_kernel(LayerNormGradients<S> g) {
    using P = Packet<float>;
    const std::int64_t lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, warps = blockDim.x / warp_size;
    const auto place = [&](int i) { return part_at<float>((i * warp_size + lane) * P::width, g.cols); };
    P dw[packets], db[packets];
    for (int i = 0; i < packets; ++i) dw[i] = db[i] = P(0.0F);
    for (std::int64_t row = blockIdx.x * warps + warp; row < g.rows; row += gridDim.x * warps) {
        const P mean(g.mean[row]), rstd(g.rstd[row]);
        P normal[packets], slope[packets], sum(0.0F), sum_normal(0.0F);
        for (int i = 0; i < packets; ++i) {
            const kernel::Part<float> at = place(i);
            if (at.count <= 0) continue;
            const P dy = at.load(g.dy + row * g.cols);
            normal[i] = at.keep((at.load(g.x + row * g.cols) - mean) * rstd);
            slope[i] = dy * at.load(g.w);
            dw[i] += dy * normal[i];
            db[i] += dy;
            sum += slope[i];
            sum_normal += slope[i] * normal[i];
        }
        const float count = static_cast<float>(g.cols);
        const P mean_slope(reduce_warp<Sum>(sum.sum()) / count);
        const P mean_slope_normal(reduce_warp<Sum>(sum_normal.sum()) / count);
        if (g.dx == nullptr) continue;
        for (int i = 0; i < packets; ++i) {
            const kernel::Part<float> at = place(i);
            if (at.count <= 0) continue;
            S* out = g.dx + row * g.cols;
            const P d = rstd * (slope[i] - mean_slope - normal[i] * mean_slope_normal);
            at.store(out, g.adds ? at.load(out) + d : d);
        }
    }

    float* shared = reinterpret_cast<float*>(shared_memory());  // [warps, cols]
    for (int which = 0; which < 2; ++which) {
        __syncthreads();
        for (int i = 0; i < packets; ++i)
            if (const kernel::Part<float> at = place(i); at.count > 0)
                at.store(shared + warp * g.cols, which == 0 ? dw[i] : db[i]);
        __syncthreads();
        float* out = g.partial + (static_cast<std::int64_t>(blockIdx.x) * 2 + which) * g.cols;
        for (std::int64_t col = threadIdx.x; col < g.cols; col += blockDim.x) {
            float total = 0;
            for (std::int64_t i = 0; i < warps; ++i) total += shared[i * g.cols + col];
            out[col] = total;
        }
    }
}

}  // namespace cuda

template <class S> struct LayerNormPass<Cuda<S>> {
    static constexpr std::int64_t most = 1024;  // of a row, whose values are kept in registers

    /// dx = or += the gradient of x [rows, cols], where dx is not null; sums [2, cols] = those of w and b.
    static void backward(std::int64_t rows, std::int64_t cols, const S* x, const float* w, const S* dy,
                         const float* mean, const float* rstd, S* dx, bool adds, float* sums) {
        constexpr std::int64_t warps = cuda::layer_norm_threads / cuda::warp_size, most_blocks = 264;
        constexpr std::int64_t a_warp = cuda::warp_size * Packet<float>::width;
        const std::int64_t blocks = std::clamp<std::int64_t>((rows + warps - 1) / warps, 1, most_blocks);
        const std::shared_ptr<float> partial = cuda::scratch<float>(blocks * 2 * cols);
        const cuda::LayerNormGradients<S> gradients{rows, cols, x, dy, w, mean, rstd, dx, adds, partial.get()};
        const cuda::Layout layout{static_cast<unsigned>(blocks), cuda::layer_norm_threads,
                                  static_cast<std::size_t>(warps * cols) * sizeof(float)};
        if (cols <= 3 * a_warp)
            cuda::launch(layout, cuda::layer_norm_backward_kernel<S, 3>, gradients);
        else if (cols <= 6 * a_warp)
            cuda::launch(layout, cuda::layer_norm_backward_kernel<S, 6>, gradients);
        else
            cuda::launch(layout, cuda::layer_norm_backward_kernel<S, 8>, gradients);
        reduce(Cuda<float>{}, Sum{}, 1, blocks, 2 * cols, static_cast<const float*>(partial.get()), sums);
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
