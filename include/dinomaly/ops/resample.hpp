// SPDX-License-Identifier: Apache-2.0
// resample: planes [..., H, W] -> [..., h, w] by bilinear or bicubic interpolation, with PyTorch's conventions.
//
// Interpolation is linear and separable: y = R x S^T with one sparse matrix for each axis. The matrices are small (a
// map has a few hundred rows), so they are built on the host and multiplied as they are, on any device, with a
// gradient.
#pragma once

#include <cmath>
#include <vector>

#include "dinomaly/ops/linear.hpp"
#include "dinomaly/ops/matmul.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Where the centre of target element i lies between source elements.
struct Sampling {
    double step;    // source elements a target element
    double offset;  // source position of target element 0

    /// Corner elements of source and target coincide.
    static Sampling corners(std::int64_t from, std::int64_t to) {
        return {to > 1 ? static_cast<double>(from - 1) / static_cast<double>(to - 1) : 0, 0};
    }
    /// Elements are areas, and `scale` target elements cover one source element (to/from unless stated).
    static Sampling areas(double scale) { return {1 / scale, 0.5 / scale - 0.5}; }
};

namespace detail {

/// A row-major [to, from] matrix whose row i holds the weights of target element i: `taps(fraction)` weights from
/// source element floor(position) + first on; positions outside are clamped to the border.
template <class Taps>
std::vector<double> sampling_matrix(std::int64_t from, std::int64_t to, Sampling sampling, bool clamps_position,
                                    int first, const Taps& taps) {
    std::vector<double> matrix(static_cast<std::size_t>(to * from), 0.0);
    for (std::int64_t i = 0; i < to; ++i) {
        double position = sampling.offset + sampling.step * static_cast<double>(i);
        if (clamps_position) position = std::max(position, 0.0);
        const double base = std::floor(position);
        const auto weights = taps(position - base);
        for (std::size_t k = 0; k < weights.size(); ++k) {
            const std::int64_t at = static_cast<std::int64_t>(base) + first + static_cast<std::int64_t>(k);
            matrix[static_cast<std::size_t>(i * from + std::clamp<std::int64_t>(at, 0, from - 1))] += weights[k];
        }
    }
    return matrix;
}

inline std::array<double, 2> linear_taps(double t) {
    return {1 - t, t};
}

/// Keys' cubic convolution with a = -0.75.
inline std::array<double, 4> cubic_taps(double t) {
    constexpr double a = -0.75;
    const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
    const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
    return {far(1 + t), near(t), near(1 - t), far(2 - t)};
}

/// A row-major matrix of `rows` rows on the device.
template <Device D> Tensor<D> matrix_tensor(std::int64_t rows, const std::vector<double>& values) {
    const auto cols = static_cast<std::int64_t>(values.size()) / rows;
    return Tensor<D>({rows, cols}, std::vector<typename D::value_type>(values.begin(), values.end()));
}

/// rows x columns^T for each plane of x [..., H, W], rows [height, H], columns [width, W].
template <Device D> Var<D> apply_separable(const Var<D>& x, const Tensor<D>& rows, const Tensor<D>& columns) {
    return matmul(Var<D>(rows), Var<D>(linear(x, Var<D>(columns))));  // [..., H, width], then [..., height, width]
}
template <Device D>
Var<D> apply_separable(const Var<D>& x, const std::vector<double>& rows, const std::vector<double>& columns,
                       std::int64_t height, std::int64_t width) {
    return apply_separable(x, matrix_tensor<D>(height, rows), matrix_tensor<D>(width, columns));
}

}  // namespace detail

namespace detail {

/// The matrix [to, from] that resize_bilinear applies along one axis.
inline std::vector<double> bilinear_matrix(std::int64_t from, std::int64_t to, bool align_corners) {
    const Sampling sampling = align_corners ? Sampling::corners(from, to)
                                            : Sampling::areas(static_cast<double>(to) / static_cast<double>(from));
    return sampling_matrix(from, to, sampling, true, 0, linear_taps);
}

}  // namespace detail

/// Bilinear resize of x [..., H, W] to [..., height, width]. With align_corners the corner elements coincide; without,
/// elements are areas (PyTorch's interpolate with the same flag).
template <Operand X, Device D = Full<device_of<X>>>
Var<D> resize_bilinear(X&& input, std::int64_t height, std::int64_t width, bool align_corners) {
    const Var<D> x = full(std::forward<X>(input));
    check(x.rank() >= 2 && height > 0 && width > 0, "resize_bilinear", "x ", x.shape(), " to ", height, " x ", width,
          ": x [..., H, W] and sizes above 0 expected");
    return detail::apply_separable(x, detail::bilinear_matrix(x.size(-2), height, align_corners),
                                   detail::bilinear_matrix(x.size(-1), width, align_corners), height, width);
}

/// Bicubic resize (a = -0.75) of x [..., H, W] to [..., height, width] where one source element covers scale_y x
/// scale_x target elements, which need not be height/H: DINOv2 passes (height + 0.1)/H for its position embedding.
template <Operand X, Device D = Full<device_of<X>>>
Var<D> resize_bicubic(X&& input, std::int64_t height, std::int64_t width, double scale_y, double scale_x) {
    const Var<D> x = full(std::forward<X>(input));
    check(x.rank() >= 2 && height > 0 && width > 0, "resize_bicubic", "x ", x.shape(), " to ", height, " x ", width,
          ": x [..., H, W] and sizes above 0 expected");
    const auto matrix = [&](std::int64_t from, std::int64_t to, double scale) {
        return detail::sampling_matrix(from, to, Sampling::areas(scale), false, -1, detail::cubic_taps);
    };
    return detail::apply_separable(x, matrix(x.size(-2), height, scale_y), matrix(x.size(-1), width, scale_x), height,
                                   width);
}

}  // namespace dinomaly::inline DINOMALY_ABI
