// SPDX-License-Identifier: Apache-2.0
// anomaly_map: where a picture cannot be reconstructed, [B, 256, 256]; image_score: one number a picture.
//
// The groups' point distances are averaged, taken to the input's size (bilinear, corners aligned), from there to 256 x
// 256 (bilinear, areas), and blurred with a 5 x 5 Gaussian of deviation 4 over zero padding (anomalib: a mirrored rim).
// All three are linear and work on rows and columns apart, so one matrix an axis does them at once, and averaging
// before gives the same as the authors' averaging after.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "dinomaly/anomaly/loose_loss.hpp"
#include "dinomaly/ops/resample.hpp"
#include "dinomaly/ops/reshape.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

inline constexpr std::int64_t map_size = 256;

namespace detail {

/// The matrix [n, n] of a Gaussian of `taps` weights along an axis. Outside all is zero, or mirrored (PyTorch's
/// padding "reflect", which does not repeat the outermost value).
inline std::vector<double> blur_matrix(std::int64_t n, std::int64_t taps, double deviation, bool reflect = false) {
    const std::int64_t reach = taps / 2;
    double total = 0;
    const auto weight = [&](std::int64_t d) {
        return std::exp(-static_cast<double>(d * d) / (2 * deviation * deviation));
    };
    for (std::int64_t d = -reach; d <= reach; ++d) total += weight(d);
    std::vector<double> matrix(static_cast<std::size_t>(n * n), 0.0);
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t d = -reach; d <= reach; ++d) {
            std::int64_t j = i + d;
            if (reflect) j = j < 0 ? -j : j >= n ? 2 * (n - 1) - j : j;
            if (j >= 0 && j < n) matrix[static_cast<std::size_t>(i * n + j)] += weight(d) / total;
        }
    return matrix;
}

/// a [m, k] times b [k, n], where most of a is zero.
inline std::vector<double> sparse_product(const std::vector<double>& a, const std::vector<double>& b, std::int64_t m,
                                          std::int64_t k, std::int64_t n) {
    std::vector<double> c(static_cast<std::size_t>(m * n), 0.0);
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < k; ++j)
            if (const double factor = a[static_cast<std::size_t>(i * k + j)]; factor != 0)
                for (std::int64_t col = 0; col < n; ++col)
                    c[static_cast<std::size_t>(i * n + col)] += factor * b[static_cast<std::size_t>(j * n + col)];
    return c;
}

/// What leads from `patches` distances of a row to the map's 256 values: both resizes and the blur, [256, patches].
inline std::vector<double> map_matrix(std::int64_t patches, std::int64_t pixels, bool reflect = false) {
    using dinomaly::detail::bilinear_matrix;
    const std::vector<double> resized = sparse_product(
        bilinear_matrix(pixels, map_size, false), bilinear_matrix(patches, pixels, true), map_size, pixels, patches);
    return sparse_product(blur_matrix(map_size, 5, 4.0, reflect), resized, map_size, map_size, patches);
}

}  // namespace detail

/// Blur of planes [..., H, W] with a `taps` x `taps` Gaussian; outside the plane all is zero.
template <Device D> Var<D> gaussian_blur(const Var<D>& x, std::int64_t taps, double deviation) {
    return dinomaly::detail::apply_separable(x, detail::blur_matrix(x.size(-2), taps, deviation),
                                             detail::blur_matrix(x.size(-1), taps, deviation), x.size(-2), x.size(-1));
}

/// Makes the maps of pictures of one size: its two matrices are computed once.
template <Device D> class MapMaker {
public:
    /// For pictures of height x width, cut into patches of `patch`. Throws where not even one fits.
    MapMaker(std::int64_t height, std::int64_t width, std::int64_t patch, bool reflect_blur = false)
        : rows_(matrix(height, patch, reflect_blur)), cols_(matrix(width, patch, reflect_blur)) {}

    /// Maps [B, 256, 256] of groups [B, h w, C].
    Var<D> operator()(const Groups<D>& en, const Groups<D>& de) const {
        const double share = 1 / static_cast<double>(en.size());
        Var<D> distance = point_distance(en[0], de[0]);
        for (std::size_t g = 1; g < en.size(); ++g) distance = distance + point_distance(en[g], de[g]);
        distance = share * distance;
        return dinomaly::detail::apply_separable(reshape(distance, {distance.size(0), rows_.size(1), cols_.size(1)}),
                                                 rows_, cols_);
    }

private:
    static Tensor<D> matrix(std::int64_t pixels, std::int64_t patch, bool reflect_blur) {
        const std::int64_t patches = pixels / patch;
        check(patches > 0, "anomaly map", "a side of ", pixels, " pixels: ", patch, " or more expected, a patch");
        return dinomaly::detail::matrix_tensor<D>(map_size, detail::map_matrix(patches, pixels, reflect_blur));
    }

    Tensor<D> rows_, cols_;
};

/// Maps [B, 256, 256] of groups [B, h w, C] of pictures of height x width, cut into patches of `patch`.
template <Device D>
Var<D> anomaly_map(const Groups<D>& en, const Groups<D>& de, std::int64_t height, std::int64_t width,
                   std::int64_t patch, bool reflect_blur = false) {
    return MapMaker<D>(height, width, patch, reflect_blur)(en, de);
}

/// For each map [B, H, W] the mean of its largest int(H W part) values, or the largest when that is none: [B].
template <Device D> Tensor<D> image_scores(const Tensor<D>& maps, double part = 0.01) {
    const std::int64_t pixels = maps.size(1) * maps.size(2);
    const std::int64_t k = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(pixels) * part));
    Tensor<D> scores({maps.size(0)});
    backend::mean_of_largest(D{}, maps.size(0), pixels, maps.data(), k, scores.data());
    return scores;
}
/// The same on the host.
template <Device D> std::vector<float> image_score(const Var<D>& maps, double part = 0.01) {
    const auto values = image_scores(maps.value(), part).to_vector();
    return {values.begin(), values.end()};
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
