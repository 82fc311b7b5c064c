// SPDX-License-Identifier: Apache-2.0
// matmul: y = a b, a [.., M, K], b [.., K, N] -> y [.., M, N], the axes before the last two broadcast.
//
//   da = dy b^T    db = a^T dy    each summed over the batch axes along which the operand was repeated
//
// Where one b serves all of a (a linear layer without bias) the batch is folded into the rows of one large product.
// Backward keeps a and b. Operands are taken in full precision; products with weights are linear (ops/linear.hpp).
#pragma once

#include <cstdint>

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace detail {

/// The axes of a shape before its last two.
inline Shape batch_of(const Shape& shape) {
    return Shape(std::span(shape.begin(), shape.end() - 2));
}

/// The matrices of one operand of a batched product.
template <class T> struct MatrixBatch {
    T* data;
    Shape shape;  // batch axes and the two of a matrix
    bool transposed = false;

    std::int64_t matrix_count() const { return shape[-2] * shape[-1]; }
    backend::Matrix<T> from(std::int64_t matrix, std::int64_t step) const {
        return {data + matrix * matrix_count(), shape[-1], transposed, step * matrix_count()};
    }
};

/// c = a b, or c += a b, for every matrix of a batch, over which each operand is broadcast. Products that fall onto the
/// same matrix of c are summed. m, n, k are the sizes of one product.
template <Device D, class T = typename D::value_type>
void batched_gemm(const Shape& batch, std::int64_t m, std::int64_t n, std::int64_t k, const MatrixBatch<const T>& a,
                  const MatrixBatch<const T>& b, const MatrixBatch<T>& c, bool adds) {
    if (batch_of(c.shape).count() != batch.count() && !adds) {
        D::zero(c.data, static_cast<std::size_t>(c.shape.count()) * sizeof(T));
        adds = true;
    }
    std::vector<Strides> strides{broadcast_strides(batch_of(a.shape), batch),
                                 broadcast_strides(batch_of(b.shape), batch),
                                 broadcast_strides(batch_of(c.shape), batch)};
    const Grid grid = make_grid(batch, strides);
    const auto step = [&](std::size_t operand) { return strides[operand][static_cast<std::size_t>(grid.outer)]; };
    const bool one_by_one = step(2) == 0;  // all products of a row of the grid fall onto one matrix of c
    for (std::int64_t r = 0; r < grid.rows; ++r) {
        const Row row = Row::of(grid, r);
        for (std::int64_t i = 0; i < (one_by_one ? grid.cols : 1); ++i)
            backend::gemm<T>(
                D{}, one_by_one ? 1 : grid.cols, m, n, k, a.from(row.offset(strides[0]) + i * step(0), step(0)),
                b.from(row.offset(strides[1]) + i * step(1), step(1)), c.from(row.offset(strides[2]), step(2)), adds);
    }
}

}  // namespace detail

namespace op {

template <Device D> struct Matmul {
    static constexpr const char* name = "matmul";
    Tensor<D> a = {}, b = {};  // of these shapes they take part in the product
    Shape a_shape = {}, b_shape = {}, batch = {}, product_shape = {};

    Tensor<D> forward(const Tensor<D>& a_, const Tensor<D>& b_) {
        a = a_, b = b_;
        a_shape = a.shape(), b_shape = b.shape();
        check(a.rank() >= 2 && b.rank() >= 2, name, "a ", a_shape, " and b ", b_shape,
              ": a [.., M, K] and b [.., K, N] expected");
        check(a.size(-1) == b.size(-2), name, "a ", a_shape, " and b ", b_shape, ": the last axis of a (", a.size(-1),
              ") must equal the last but one of b (", b.size(-2), ")");
        batch = broadcast(name, detail::batch_of(a_shape), detail::batch_of(b_shape));
        Shape y_shape = batch;
        y_shape.push_back(a.size(-2));
        y_shape.push_back(b.size(-1));
        product_shape = y_shape;
        if (detail::batch_of(b_shape).count() == 1) {
            a = a.reshape({a_shape.count(0, a.rank() - 1), a.size(-1)});
            b = b.reshape({b.size(-2), b.size(-1)});
            batch = {};
            product_shape = {a.size(0), b.size(1)};
        }
        Tensor<D> y(product_shape);
        multiply(matrices(a), matrices(b), {y.data(), y.shape()}, false);
        return y.reshape(y_shape);
    }

    void backward(const Tensor<D>& dy, Gradient<D> da, Gradient<D> db) const {
        const Tensor<D> dz = dy.reshape(product_shape);
        if (da) {
            const GradTarget<D> target = da.target(a_shape);
            multiply(matrices(dz), transposed(b), {target.data, a.shape()}, target.adds);
        }
        if (db) {
            const GradTarget<D> target = db.target(b_shape);
            multiply(transposed(a), matrices(dz), {target.data, b.shape()}, target.adds);
        }
    }

private:
    using T = typename D::value_type;
    using Factor = detail::MatrixBatch<const T>;

    static Factor matrices(const Tensor<D>& x) { return {x.data(), x.shape()}; }
    static Factor transposed(const Tensor<D>& x) { return {x.data(), x.shape(), true}; }

    void multiply(const Factor& left, const Factor& right, const detail::MatrixBatch<T>& out, bool adds) const {
        const std::int64_t k = left.transposed ? left.shape[-2] : left.shape[-1];
        detail::batched_gemm<D>(batch, out.shape[-2], out.shape[-1], k, left, right, out, adds);
    }
};

}  // namespace op

/// Product of matrices: a [.., M, K], b [.., K, N] -> [.., M, N]; the batch axes before are broadcast.
template <Operand A, Operand B, Device D = Full<device_of<A>>> Var<D> matmul(A&& a, B&& b) {
    return record(op::Matmul<D>{}, full(std::forward<A>(a)), full(std::forward<B>(b)));
}

}  // namespace dinomaly::inline DINOMALY_ABI
