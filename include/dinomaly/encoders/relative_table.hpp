// SPDX-License-Identifier: Apache-2.0
// BEiT's tables of relative positions for another window than the one that they were learned in, by BEiT's own rule:
// the learned offsets are laid out on a geometric grid, dense at zero and as wide as the new window; a cubic spline
// through them, along both axes, is read at the new offsets.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/encoders/layout.hpp"

namespace dinomaly::encoders::inline DINOMALY_ABI {

namespace spline {

using Matrix = std::vector<std::vector<double>>;

/// Values at x of the four cubic B-splines that are not zero there, and the number of the first of them.
inline std::pair<std::size_t, std::array<double, 4>> cubic_basis(const std::vector<double>& knots, double x) {
    constexpr std::size_t degree = 3;
    std::size_t span = degree;
    while (span + degree + 2 < knots.size() && x >= knots[span + 1]) ++span;
    std::array<double, 4> basis{1, 0, 0, 0};
    for (std::size_t k = 1; k <= degree; ++k) {
        double carried = 0;
        for (std::size_t r = 0; r < k; ++r) {  // de Boor's recurrence, from degree k - 1 to k
            const double right = knots[span + r + 1], left = knots[span + r + 1 - k];
            const double part = basis[r] / (right - left);
            basis[r] = carried + (right - x) * part;
            carried = (x - left) * part;
        }
        basis[k] = carried;
    }
    return {span - degree, basis};
}

/// Rows of B-spline values at the places x.
inline Matrix collocation(const std::vector<double>& knots, const std::vector<double>& x) {
    Matrix rows(x.size(), std::vector<double>(knots.size() - 4, 0.0));
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto [first, basis] = cubic_basis(knots, x[i]);
        for (std::size_t j = 0; j < basis.size(); ++j) rows[i][first + j] = basis[j];
    }
    return rows;
}

/// Solves a y = b for each column of b, by elimination with the largest pivots.
inline Matrix solved(Matrix a, Matrix b) {
    const std::size_t n = a.size();
    for (std::size_t i = 0; i < n; ++i) {
        std::size_t pivot = i;
        for (std::size_t r = i; r < n; ++r)
            if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
        std::swap(a[i], a[pivot]);
        std::swap(b[i], b[pivot]);
        for (std::size_t r = 0; r < n; ++r) {
            const double factor = r == i ? 0.0 : a[r][i] / a[i][i];
            if (factor == 0.0) continue;
            for (std::size_t c = i; c < n; ++c) a[r][c] -= factor * a[i][c];
            for (std::size_t c = 0; c < b[r].size(); ++c) b[r][c] -= factor * b[i][c];
        }
    }
    for (std::size_t i = 0; i < n; ++i)
        for (double& value : b[i]) value /= a[i][i];
    return b;
}

/// Weights [to, from] with which the spline through values at `from` is read at `to`; its third derivative has no jump
/// at the second place from either end (as FITPACK's, without smoothing).
inline Matrix weights_between(const std::vector<double>& from, const std::vector<double>& to) {
    const std::size_t n = from.size();
    std::vector<double> knots(4, from.front());
    knots.insert(knots.end(), from.begin() + 2, from.end() - 2);
    knots.insert(knots.end(), 4, from.back());
    Matrix identity(n, std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) identity[i][i] = 1;
    const Matrix inverse = solved(collocation(knots, from), identity), values = collocation(knots, to);
    Matrix weights(to.size(), std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < to.size(); ++i)
        for (std::size_t k = 0; k < n; ++k)
            for (std::size_t j = 0; j < n; ++j) weights[i][j] += values[i][k] * inverse[k][j];
    return weights;
}

/// 0, and +- 1, 1 + q, 1 + q + q^2, .. of `side` places in all, with the q that makes them as wide as `reach`.
inline std::vector<double> geometric_places(std::int64_t side, std::int64_t reach) {
    const std::int64_t half = side / 2;
    double low = 1.01, high = 1.5, q = low;
    while (high - low > 1e-6) {
        q = (low + high) / 2;
        (((1 - std::pow(q, static_cast<double>(half))) / (1 - q) > static_cast<double>(reach)) ? high : low) = q;
    }
    std::vector<double> places{0};
    double place = 0, step = 1;
    for (std::int64_t i = 0; i < half; ++i, step *= q) {
        place += step;
        places.push_back(place);
        places.insert(places.begin(), -place);
    }
    return places;
}

}  // namespace spline

/// A table [(2 g - 1)^2 + 3, heads], row-major, for another window: [(2 g' - 1)^2 + 3, heads] with g' = `grid`. The
/// class token's three rows stay. Windows of 3 and more on both sides.
inline std::vector<float> resize_relative_table(const std::vector<float>& table, std::int64_t heads,
                                                std::int64_t grid) {
    const auto columns = static_cast<std::size_t>(heads);
    const std::int64_t side = side_of(static_cast<std::int64_t>(table.size() / columns) - 3), reach = grid - 1;
    check(side >= 5 && grid >= 3 && table.size() == static_cast<std::size_t>(side * side + 3) * columns,
          "relative positions", "a table of ", table.size(), " values for ", heads, " heads to a window of ", grid,
          "; (2 g - 1)^2 + 3 a head and windows of 3 or more expected");
    if (side == 2 * grid - 1) return table;
    const std::vector<double> from = spline::geometric_places(side, reach);
    std::vector<double> to;
    for (std::int64_t i = -reach; i <= reach; ++i)
        to.push_back(std::clamp(static_cast<double>(i), from.front(), from.back()));
    const spline::Matrix weights = spline::weights_between(from, to);
    const std::size_t n = from.size(), m = to.size();
    std::vector<float> out((m * m + 3) * columns);
    std::vector<double> rows(m * n);
    for (std::size_t head = 0; head < columns; ++head) {
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < n; ++j) {
                double sum = 0;
                for (std::size_t k = 0; k < n; ++k)
                    sum += weights[i][k] * static_cast<double>(table[(k * n + j) * columns + head]);
                rows[i * n + j] = sum;
            }
        for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < m; ++j) {
                double sum = 0;
                for (std::size_t k = 0; k < n; ++k) sum += weights[j][k] * rows[i * n + k];
                out[(i * m + j) * columns + head] = static_cast<float>(sum);
            }
    }
    std::copy(table.end() - static_cast<std::ptrdiff_t>(3 * columns), table.end(),
              out.end() - static_cast<std::ptrdiff_t>(3 * columns));
    return out;
}

}  // namespace dinomaly::encoders::inline DINOMALY_ABI
