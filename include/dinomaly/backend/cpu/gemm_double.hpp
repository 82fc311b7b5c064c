// SPDX-License-Identifier: Apache-2.0
// Products in double precision, for gradient checks: Eigen's, on the calling thread.
#pragma once

#include "dinomaly/backend/cpu/pack.hpp"

// Eigen comes after core/native.hpp, which silences false alarms of g++ 12 in the intrinsics that both use.
#include <Eigen/Core>
#include <cstdint>
#include <type_traits>

namespace dinomaly::inline DINOMALY_ABI::backend::detail {

template <class T> using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T> auto dense(Matrix<T> x, std::int64_t rows, std::int64_t cols) {
    using Stored = std::conditional_t<std::is_const_v<T>, const Dense<std::remove_const_t<T>>, Dense<T>>;
    return Eigen::Map<Stored, Eigen::Unaligned, Eigen::OuterStride<>>(
        x.data, x.transposed ? cols : rows, x.transposed ? rows : cols, Eigen::OuterStride<>(x.stride));
}

inline void gemm_eigen(std::int64_t m, std::int64_t n, std::int64_t k, Matrix<const double> a, Matrix<const double> b,
                       Matrix<double> c, bool adds) {
    auto out = dense(c, m, n);
    const auto left = dense(a, m, k);
    const auto right = dense(b, k, n);
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

}  // namespace dinomaly::inline DINOMALY_ABI::backend::detail
