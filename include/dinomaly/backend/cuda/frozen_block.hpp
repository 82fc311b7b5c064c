// SPDX-License-Identifier: Apache-2.0
// Transformer blocks that never change, on a GPU: x += proj(mix(qkv(norm x))), x += mlp(norm x).
//
// Weights are stored once in the type of products, biases in that of each layer's result. x and the norms' statistics
// are in full precision, what is mixed and the MLP's hidden layer in the device's type. Biases and residuals are taken
// up by the products.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "dinomaly/backend/cuda/attention.hpp"
#include "dinomaly/backend/cuda/gemm.hpp"
#include "dinomaly/backend/cuda/linear_attention.hpp"
#include "dinomaly/backend/cuda/move.hpp"
#include "dinomaly/backend/cuda/product.hpp"
#include "dinomaly/backend/cuda/rows.hpp"
#include "dinomaly/backend/rotary.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace cuda {

/// x w^T + bias for weights w [n, k] that never change.
template <class T> class FrozenLinear {
public:
    FrozenLinear(std::int64_t n, std::int64_t k, const std::vector<float>& w, const std::vector<float>& bias)
        : n_(n), k_(k), weights_(stored<T>(w)), narrow_bias_(stored<T>(bias)), bias_(stored<float>(bias)) {}

    std::int64_t out() const { return n_; }
    std::int64_t in() const { return k_; }

    /// y [rows, n] = x [rows, k] w^T + bias + residual, whose rows like y's lie `stride` apart; it may be y or null.
    template <class Y>
    void apply(std::int64_t rows, const T* x, Y* y, std::int64_t stride, const Y* residual = nullptr) const {
        Addends<Y> addends;
        if constexpr (std::is_same_v<Y, float>)
            addends.bias = bias_.get();
        else
            addends.bias = narrow_bias_.get();
        if (residual != nullptr) addends.residual = {residual, stride};
        gemm<T>(Cuda<T>{}, 1, rows, n_, k_, Matrix<const T>{x, k_}, Matrix<const T>{weights_.get(), k_, true},
                Matrix<Y>{y, stride}, addends);
    }

private:
    template <class S> static std::shared_ptr<const S> stored(const std::vector<float>& values) {
        const std::vector<S> converted(values.begin(), values.end());
        const std::shared_ptr<S> memory = scratch<S>(static_cast<std::int64_t>(values.size()));
        Cuda<S>::upload(memory.get(), converted.data(), converted.size() * sizeof(S));
        return memory;
    }

    std::int64_t n_, k_;
    std::shared_ptr<const T> weights_, narrow_bias_;
    std::shared_ptr<const float> bias_;
};

/// y = (x - mean) / sqrt(variance + eps) for each row, and sum += x where sum is not null.
template <class Y> struct NormalizeRows {
    const float* x;
    Y* y;
    float* sum;
    std::int64_t cols;
    float eps;

    template <class Lane> __device__ void operator()(const Lane& lane, std::int64_t row) const {
        const float* from = x + row * cols;
        Y* to = y + row * cols;
        const float count = static_cast<float>(cols);
        const Packet<float> mean(lane.sum(cols, [&](auto at) { return at.load(from); }) / count);
        const float variance = lane.sum(cols, [&](auto at) {
            const Packet<float> d = at.load(from) - mean;
            return d * d;
        }) / count;
        const Packet<float> scale(1.0F / math::sqrt(variance + eps));
        float* const added = sum == nullptr ? nullptr : sum + row * cols;
        lane.each(cols, [&](auto at) {
            const Packet<float> value = at.load(from);
            at.store(to, (value - mean) * scale);
            if (added != nullptr) at.store(added, at.load(added) + value);
        });
    }
};

/// x = x Phi(x), in place.
template <class S> __global__ void gelu_kernel(std::int64_t count, S* x) {
    const std::int64_t col = thread_index() * Packet<float>::width;
    if (col >= count) return;
    const kernel::Part<float> at = part_at<float>(col, count);
    const Packet<float> value = at.load(x);
    at.store(x, value * math::normal_cdf(value));
}

/// x = silu(x) * factor, in place.
template <class S> __global__ void gate_kernel(std::int64_t count, S* x, const S* factor) {
    const std::int64_t col = thread_index() * Packet<float>::width;
    if (col >= count) return;
    const kernel::Part<float> at = part_at<float>(col, count);
    const Packet<float> value = at.load(x);
    at.store(x, value * math::sigmoid(value) * at.load(factor));
}

/// The rows of patches [batch, h w, planes patch patch] in the order of the weights, from pictures.
template <class S> __global__ void patches_kernel(PatchSizes sizes, std::int64_t count, const float* images, S* rows) {
    const std::int64_t index = thread_index(), area = sizes.patch * sizes.patch, row_length = sizes.planes * area;
    if (index >= count) return;
    const std::int64_t row = quotient(index, row_length), in_row = index - row * row_length;
    const std::int64_t picture = row / sizes.count(), patch = row % sizes.count();
    const std::int64_t plane = in_row / area, line = in_row % area / sizes.patch, col = in_row % sizes.patch;
    rows[index] = static_cast<S>(
        images[((picture * sizes.planes + plane) * sizes.height + patch / sizes.cols() * sizes.patch + line) *
                   sizes.width +
               patch % sizes.cols() * sizes.patch + col]);
}

/// The MLP, into y or added to it.
template <class T, class X>
void run_mlp(const FrozenMlp<FrozenLinear<T>>& mlp, std::int64_t rows, const T* x, X* y, bool adds) {
    const std::int64_t hidden_width = mlp.fc1.out(), count = rows * hidden_width;
    const std::shared_ptr<T> hidden = scratch<T>(count);
    mlp.fc1.apply(rows, x, hidden.get(), hidden_width);
    constexpr int width = Packet<float>::width;
    const Layout layout{blocks_for((count + width - 1) / width, map_threads), map_threads};
    if (mlp.gated) {
        const std::shared_ptr<T> factor = scratch<T>(count);
        mlp.gated->apply(rows, x, factor.get(), hidden_width);
        launch(layout, gate_kernel<T>, count, hidden.get(), static_cast<const T*>(factor.get()));
    } else {
        launch(layout, gelu_kernel<T>, count, hidden.get());
    }
    mlp.fc2.apply(rows, static_cast<const T*>(hidden.get()), y, mlp.fc2.out(), adds ? y : nullptr);
}

}  // namespace cuda

/// The layer that blocks are made of on a device, with products in W.
template <class A, class W>
cuda::FrozenLinear<W> frozen_linear(Cuda<A>, std::type_identity<W>, std::int64_t n, std::int64_t k,
                                    const std::vector<float>& w, const std::vector<float>& bias) {
    static_assert(std::is_same_v<A, W>, "on a GPU products are done in the device's type");
    return {n, k, w, bias};
}

/// Pictures that go through the blocks together: all of them fill a GPU better.
template <class A> std::int64_t pictures_together(Cuda<A>, std::int64_t batch) {
    return batch;
}

/// y [rows, C] = mlp(x) in full precision.
template <class A>
void frozen_mlp(Cuda<A>, const FrozenMlp<cuda::FrozenLinear<A>>& mlp, std::int64_t rows, const float* x, float* y) {
    const cuda::InType<A> input(x, rows * mlp.fc1.in());
    cuda::run_mlp(mlp, rows, input.data(), y, false);
}

/// Runs blocks over x [B, N, C], in full precision and in place. The output of block i is added to sums[i] [B, N, C]
/// where that is not null.
template <class A>
void frozen_blocks(Cuda<A>, const std::vector<FrozenBlock<cuda::FrozenLinear<A>>>& blocks, std::int64_t batch,
                   std::int64_t tokens, float* x, const std::vector<float*>& sums,
                   const FrozenPlaces<float>& places = {}) {
    if (blocks.empty() || batch * tokens == 0) return;
    const std::int64_t rows = batch * tokens, width = blocks[0].qkv.in();
    const std::shared_ptr<A> normal = cuda::scratch<A>(rows * width), qkv = cuda::scratch<A>(rows * 3 * width),
                             mixed = cuda::scratch<A>(rows * width);
    const auto normalize = [&](double eps, float* sum) {
        backend::rows(Cuda<A>{}, rows, width,
                      cuda::NormalizeRows<A>{x, normal.get(), sum, width, static_cast<float>(eps)});
    };
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const FrozenBlock<cuda::FrozenLinear<A>>& block = blocks[i];
        normalize(block.norm1_eps, i == 0 ? nullptr : sums[i - 1]);  // which reads the last block's output anyway
        block.qkv.apply(rows, static_cast<const A*>(normal.get()), qkv.get(), 3 * width);
        const AttentionSizes sizes{batch, tokens, block.heads, width / block.heads};
        if (places.rotation.patches > 0)
            rotary(Cuda<A>{}, sizes, places.rotation, static_cast<const A*>(qkv.get()), qkv.get());
        if (block.is_linear)
            linear_attention_forward(Cuda<A>{}, sizes, static_cast<float>(block.attention_eps), qkv.get(), mixed.get());
        else
            attention_forward(Cuda<A>{}, sizes, qkv.get(), mixed.get(), static_cast<float*>(nullptr),
                              places.biases.empty() ? nullptr : places.biases[i]);
        block.proj.apply(rows, static_cast<const A*>(mixed.get()), x, width, x);
        normalize(block.norm2_eps, nullptr);
        cuda::run_mlp(block.mlp, rows, static_cast<const A*>(normal.get()), x, true);
    }
    if (sums[blocks.size() - 1] != nullptr)
        add(Cuda<float>{}, rows * width, sums[blocks.size() - 1], x, sums[blocks.size() - 1]);
}

/// The tokens of pictures: rows of x, `x_stride` elements from picture to picture, = the projected patches plus their
/// position [h w, C] unless that is null; full precision in and out.
template <class A>
void frozen_patches(Cuda<A>, const cuda::FrozenLinear<A>& projection, const PatchSizes& sizes, const float* images,
                    const float* position, float* x, std::int64_t x_stride) {
    const std::int64_t rows = sizes.batch * sizes.count(), inputs = projection.in(), channels = projection.out();
    if (rows == 0) return;
    const std::shared_ptr<A> patches = cuda::scratch<A>(rows * inputs);
    cuda::launch({cuda::blocks_for(rows * inputs, cuda::map_threads), cuda::map_threads}, cuda::patches_kernel<A>,
                 sizes, rows * inputs, images, patches.get());
    for (std::int64_t b = 0; b < sizes.batch; ++b)
        projection.apply(sizes.count(), static_cast<const A*>(patches.get()) + b * sizes.count() * inputs,
                         x + b * x_stride, channels, position);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
