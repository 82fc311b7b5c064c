// SPDX-License-Identifier: Apache-2.0
// What the verbs of every backend are called with, besides grids and formulas (core/view.hpp, core/expr.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dinomaly/core/view.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// A matrix in memory: row-major with `stride` elements from row to row, read as its transpose on request.
template <class T> struct Matrix {
    T* data;
    std::int64_t stride;
    bool transposed = false;
    std::int64_t batch_stride = 0;  // from one matrix of a batch to the next; 0 shares one

    Matrix at(std::int64_t batch) const { return {data + batch * batch_stride, stride, transposed, batch_stride}; }
    /// The part that begins at this row and column of what is read.
    Matrix from(std::int64_t row, std::int64_t col) const {
        return {data + (transposed ? col * stride + row : row * stride + col), stride, transposed, batch_stride};
    }
};

/// Sizes of an attention: qkv [batch, tokens, 3, heads, head_dim].
struct AttentionSizes {
    std::int64_t batch, tokens, heads, head_dim;

    DINOMALY_HD std::int64_t width() const { return heads * head_dim; }
};

/// Cosines and sines [patches, head_dim / 2] of the angles by which the last tokens' queries and keys are turned.
template <class T> struct RotaryTable {
    std::int64_t patches = 0;
    const T *cos = nullptr, *sin = nullptr;
};

// --- a product z = x w^T and the formulas around it

/// The rows of x as they stand in memory.
template <class S> struct StoredRows { const S* data; };

/// The rows of x as values of a formula over a grid whose rows are those of x.
template <class Formula> struct ComputedRows {
    Grid grid;
    Formula formula;
};

/// What follows the product: y = formula over the grid, with the product's sums among its leaves. Where nothing else
/// follows the formula is the product itself.
template <class S, class Formula> struct MapAfter {
    Grid grid;
    Formula formula;
    S* y;
};

/// The formula after the product, backward: dy goes through it where `runs`, which leaves the product's share in dz;
/// otherwise dz is dy.
template <class S, class Formula> struct PushAfter {
    Grid grid;
    Formula formula;
    bool runs;
    const S *dy, *dz;
};

/// The formula before the product, backward: where `runs`, dx goes through it.
template <class Formula> struct PushBefore {
    Grid grid;
    Formula formula;
    bool runs;
};

// --- StableAdamW (optim/stable_adamw.hpp)

/// Where one parameter and its moments lie, and which of the learning rates is its own.
template <class T> struct AdamPlaces {
    T *p, *m, *v, *vmax;
    std::int64_t count;
    std::size_t rate;

    bool operator==(const AdamPlaces&) const = default;
};

/// What stays the same in a run.
struct AdamConstants {
    float beta1, rest1;  // beta1 and 1 - beta1
    float beta2, rest2;
    float eps;
    float limit;      // of the gradients' joint norm
    bool is_amsgrad;  // divides by the largest v so far, else by the last one
};

/// What changes from step to step; two kinds of parameters may have learning rates of their own.
struct AdamScalars {
    double rates[2];   // lr / (1 - beta1^t)
    double decays[2];  // 1 - lr weight_decay
    double correct2;   // sqrt(1 - beta2^t)
};

// --- whole ops that only some devices have

/// All parameters' clipping and StableAdamW at once.
template <class D> class AdamTensors;

/// Trained parameters as products read them during a step: most devices' as they are, others' rounded once.
template <class D> class RoundedWeights {
public:
    struct AsTheyAre {};

    template <class Tensors> explicit RoundedWeights(const Tensors&) {}
    [[nodiscard]] AsTheyAre round() const { return {}; }
};

/// All gradients of a layer norm in one pass.
template <class D> struct LayerNormPass;

// --- transformer blocks whose weights never change (nn/frozen.hpp); Linear is the device's layer for that

/// fc2(gelu(fc1(x))), or fc2(silu(fc1(x)) * gated(x)) where there is such a layer.
template <class Linear> struct FrozenMlp {
    Linear fc1, fc2;
    std::optional<Linear> gated = {};
};

/// The weights of one block: x += proj(mix(qkv(norm x))), x += mlp(norm x), norms without an affine part.
template <class Linear> struct FrozenBlock {
    double norm1_eps, norm2_eps;
    std::int64_t heads;
    bool is_linear;        // which attention mixes the tokens
    double attention_eps;  // of the linear one
    Linear qkv, proj;
    FrozenMlp<Linear> mlp;
};

/// What blocks are told of where tokens lie, besides what the tokens hold of it themselves.
template <class T> struct FrozenPlaces {
    RotaryTable<T> rotation;            // without patches nothing is turned
    std::vector<const T*> biases = {};  // added to the scores [H, N, N] of each block, or empty
};

/// Pictures [batch, planes, height, width], cut into patches of patch x patch; what is left at the right and at the
/// bottom is not looked at.
struct PatchSizes {
    std::int64_t batch, planes, height, width, patch;

    DINOMALY_HD std::int64_t cols() const { return width / patch; }
    DINOMALY_HD std::int64_t count() const { return height / patch * cols(); }
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
