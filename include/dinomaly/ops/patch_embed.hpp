// SPDX-License-Identifier: Apache-2.0
// patch_embed: a picture [B, 3, H, W] cut into p x p patches, each projected: -> [B, (H/p) (W/p), C], row by row.
//
// A convolution whose stride is its kernel size is a matrix product once the patches are laid out as rows:
// [B, 3, h, p, w, p] -> [B, h, w, 3, p, p] -> [B, h w, 3 p p], times w [C, 3 p p].
//
// What is left at the right and at the bottom where a side is no multiple of p is not looked at.
#pragma once

#include "dinomaly/ops/linear.hpp"
#include "dinomaly/ops/permute.hpp"
#include "dinomaly/ops/reshape.hpp"
#include "dinomaly/ops/slice.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// image [B, 3, H, W], w [C, 3, p, p], b [C], all in full precision -> [B, (H/p) (W/p), C] on device D, by default
/// theirs; H / p and W / p are rounded down and must not be zero.
template <class D = void, Device F, Device Out = std::conditional_t<std::is_void_v<D>, F, D>>
Var<Out> patch_embed(const Var<F>& x, const Var<F>& w, const Var<F>& b) {
    check(x.rank() == 4 && w.rank() == 4 && x.size(1) == w.size(1) && w.size(2) == w.size(3), "patch_embed", "image ",
          x.shape(), " and w ", w.shape(), ": image [B, K, H, W] and w [C, K, p, p] expected");
    const std::int64_t p = w.size(2), channels = x.size(1), rows = x.size(2) / p, cols = x.size(3) / p;
    check(rows > 0 && cols > 0, "patch_embed", "image ", x.shape(), ": at least one patch of ", p, " x ", p,
          " expected");
    Var<F> whole = x;
    if (rows * p < x.size(2)) whole = slice(whole, 2, 0, rows * p);
    if (cols * p < x.size(3)) whole = slice(whole, 3, 0, cols * p);
    const Var<F> patches = permute(reshape(whole, {x.size(0), channels, rows, p, cols, p}), {0, 2, 4, 1, 3, 5});
    return linear(in<Out>(reshape(patches, {x.size(0), rows * cols, channels * p * p})),
                  reshape(w, {w.size(0), channels * p * p}), b);
}

}  // namespace dinomaly::inline DINOMALY_ABI
