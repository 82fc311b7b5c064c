// SPDX-License-Identifier: Apache-2.0
// The gemm verb on the CPU: C = A B or C += A B for row-major matrices, each operand transposed or not, batched.
//
// Eigen does the arithmetic, one call a task; the tasks are spread over the process's threads here.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cstdint>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/parallel.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// A matrix in memory: row-major with `stride` elements from row to row, read as its transpose on request.
template <class T> struct Matrix {
    T* data;
    std::int64_t stride;
    bool transposed = false;
    std::int64_t batch_stride = 0;  // from one matrix of a batch to the next; 0 shares one

    Matrix at(std::int64_t batch) const { return {data + batch * batch_stride, stride, transposed, batch_stride}; }
};

namespace detail {

template <class T> using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T> auto dense(const T* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
    return Eigen::Map<const Dense<T>, Eigen::Unaligned, Eigen::OuterStride<>>(data, rows, cols,
                                                                              Eigen::OuterStride<>(stride));
}

template <class T> auto dense(T* data, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
    return Eigen::Map<Dense<T>, Eigen::Unaligned, Eigen::OuterStride<>>(data, rows, cols, Eigen::OuterStride<>(stride));
}

}  // namespace detail

/// C [m, n] = A [m, k] B [k, n] on the calling thread; adds to C on request. Sizes are those after transposition.
template <class T>
void gemm_serial(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
                 bool adds = false) {
    auto out = detail::dense(c.data, m, n, c.stride);
    const auto left = detail::dense(a.data, a.transposed ? k : m, a.transposed ? m : k, a.stride);
    const auto right = detail::dense(b.data, b.transposed ? n : k, b.transposed ? k : n, b.stride);
    if (!adds) out.setZero();
    if (a.transposed && b.transposed)
        out.noalias() += left.transpose() * right.transpose();
    else if (a.transposed)
        out.noalias() += left.transpose() * right;
    else if (b.transposed)
        out.noalias() += left * right.transpose();
    else
        out.noalias() += left * right;
}

/// Pieces that a long axis of a product is cut into: a multiple of the threads, pieces of at most about 1,024.
inline std::int64_t gemm_pieces(std::int64_t length) {
    const std::int64_t threads = thread_pool().threads();
    const std::int64_t rounds = (length + threads * 1024 - 1) / (threads * 1024);
    return std::clamp<std::int64_t>(length / 16, 1, threads * rounds);
}

/// The same on all threads, for `batch` products at once.
template <class T>
void gemm(Cpu<T>, std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const T> a,
          Matrix<const T> b, Matrix<T> c, bool adds = false) {
    if (batch * m * n == 0) return;
    const bool small = m * n * k < 32 * 1024;
    const std::int64_t row_pieces = small || batch >= thread_pool().threads() || m < n ? 1 : gemm_pieces(m);
    const std::int64_t col_pieces = small || batch >= thread_pool().threads() || m >= n ? 1 : gemm_pieces(n);
    const std::int64_t pieces = row_pieces * col_pieces;
    const auto body = [&](std::int64_t task) {
        const std::int64_t i = task % pieces;
        const Matrix<const T> a_i = a.at(task / pieces), b_i = b.at(task / pieces);
        const Matrix<T> c_i = c.at(task / pieces);
        const std::int64_t row = row_pieces > 1 ? m * i / pieces : 0,
                           rows = row_pieces > 1 ? m * (i + 1) / pieces - row : m;
        const std::int64_t col = col_pieces > 1 ? n * i / pieces : 0,
                           cols = col_pieces > 1 ? n * (i + 1) / pieces - col : n;
        gemm_serial<T>(rows, cols, k, {a_i.data + row * (a.transposed ? 1 : a.stride), a.stride, a.transposed},
                       {b_i.data + col * (b.transposed ? b.stride : 1), b.stride, b.transposed},
                       {c_i.data + row * c.stride + col, c.stride}, adds);
    };
    if (small && batch * m * n * k < 64 * 1024) {
        for (std::int64_t task = 0; task < batch * pieces; ++task) body(task);
    } else {
        parallel_for(batch * pieces, body);
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
