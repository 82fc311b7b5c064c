// SPDX-License-Identifier: Apache-2.0
// The gemm verb on the GPU: C = A B or C += A B for row-major matrices, each operand transposed or not, batched; and
// the same with a bias and a residual taken up before the result is rounded.
//
// The products are cuBLASLt's (backend/cuda/blas.hpp), summed in float. Both operands are of one type: bfloat16 into
// bfloat16 or float, or float into float. Trained weights are rounded once a step (backend/cuda/rounded.hpp).
#pragma once

#include <cstdint>
#include <type_traits>

#include "dinomaly/backend/cuda/blas.hpp"
#include "dinomaly/backend/cuda/move.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// What a product takes up on its way: bias [n] in every row, packed and aligned to 16 bytes, and residual [m, n], a
/// matrix for each of the batch, which may be the result's own memory. Either may be missing.
template <class C> struct Addends {
    const C* bias = nullptr;
    Matrix<const C> residual = {};
};

/// C [m, n] = A [m, k] B [k, n] + residual + bias for `batch` products at once; rounded once. A bias or a residual
/// needs k > 0. Throws Error for strides that the library does not take.
template <class T, class A = T, class B = T, class C = T>
void gemm(Cuda<T>, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const A> a,
          Matrix<const B> b, Matrix<C> c, const Addends<C>& addends) {
    static_assert(std::is_same_v<A, B>, "both operands of one type");
    static_assert(std::is_same_v<T, A> || (std::is_same_v<T, float> && std::is_same_v<A, bfloat16>),
                  "operands in the type of the products, or one that it holds exactly");
    static_assert(std::is_same_v<C, float> || std::is_same_v<A, bfloat16>, "products of floats are stored as floats");
    check(!c.transposed && !addends.residual.transposed, "gemm",
          "a transposed result or residual, expected one by rows");
    if (batch * m * n == 0) return;
    check(k > 0, "gemm", "a sum over nothing with a bias or a residual, expected k > 0");
    const Matrix<const C> residual = addends.residual;
    cuda::BlasProduct product{batch, m, n, k, a, b, residual, c, addends.bias};
    if (cuda::multiply(product)) return;

    // Not every version of the library does all of it at once: the residual goes to its place before, the bias after.
    const Shape sizes{batch, m, n};
    const Strides strides{c.batch_stride, c.stride, 1};
    if (residual.data != nullptr && residual.data != c.data)
        move(Cuda<C>{}, sizes, c.data, strides, residual.data, {residual.batch_stride, residual.stride, 1});
    product.bias = nullptr;
    if (residual.data != nullptr) product.c = product.d;
    check(cuda::multiply(product), "cublasLt", "no algorithm for ", batch, " x [", m, ", ", k, "] by [", k, ", ", n,
          "], strides ", a.stride, ", ", b.stride, ", ", c.stride);
    if (addends.bias != nullptr) move(Cuda<C>{}, sizes, c.data, strides, addends.bias, {0, 0, 1}, true);
}

/// C [m, n] = A [m, k] B [k, n] for `batch` products at once; adds to C on request. Sizes are those after
/// transposition.
template <class T, class A = T, class B = T, class C = T>
void gemm(Cuda<T> device, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const A> a,
          Matrix<const B> b, Matrix<C> c, bool adds = false) {
    if (k > 0) {
        Addends<C> addends;
        if (adds) addends.residual = {c.data, c.stride, c.transposed, c.batch_stride};
        gemm(device, batch, m, n, k, a, b, c, addends);
    } else if (!adds) {
        for (std::int64_t i = 0; i < batch; ++i)
            for (std::int64_t row = 0; row < m; ++row)
                Cuda<C>::zero(c.at(i).data + row * c.stride, static_cast<std::size_t>(n) * sizeof(C));
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
