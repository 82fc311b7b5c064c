// SPDX-License-Identifier: Apache-2.0
// The map and the score against plain double references.
#define BOOST_TEST_MODULE anomaly_map
#include "dinomaly/anomaly/anomaly_map.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "dinomaly/core/init.hpp"

using namespace dinomaly;
using D = Cpu<double>;

namespace {

/// One plane of numbers; outside it all is zero.
struct Plane {
    std::int64_t height, width;
    std::vector<double> values;

    Plane(std::int64_t h, std::int64_t w) : height(h), width(w), values(static_cast<std::size_t>(h * w)) {}
    double& at(std::int64_t y, std::int64_t x) { return values[static_cast<std::size_t>(y * width + x)]; }
    double get(std::int64_t y, std::int64_t x) const {
        if (y < 0 || x < 0 || y >= height || x >= width) return 0;
        return values[static_cast<std::size_t>(y * width + x)];
    }
    /// Between the four neighbours of a position, which is moved inside first.
    double between(double y, double x) const {
        y = std::clamp(y, 0.0, static_cast<double>(height - 1));
        x = std::clamp(x, 0.0, static_cast<double>(width - 1));
        const auto top = static_cast<std::int64_t>(y), left = static_cast<std::int64_t>(x);
        const double v = y - static_cast<double>(top), u = x - static_cast<double>(left);
        return (1 - v) * ((1 - u) * get(top, left) + u * get(top, left + 1)) +
               v * ((1 - u) * get(top + 1, left) + u * get(top + 1, left + 1));
    }
};

Plane resized(const Plane& from, std::int64_t height, std::int64_t width, bool align_corners) {
    Plane out(height, width);
    const auto source = [&](std::int64_t i, std::int64_t inputs, std::int64_t outputs) {
        const auto at = static_cast<double>(i), in = static_cast<double>(inputs), n = static_cast<double>(outputs);
        return align_corners ? at * (in - 1) / (n - 1) : (at + 0.5) * in / n - 0.5;
    };
    for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
            out.at(y, x) = from.between(source(y, from.height, height), source(x, from.width, width));
    return out;
}

Plane blurred(const Plane& from) {
    Plane out(from.height, from.width);
    double total = 0;
    const auto weight = [](std::int64_t dy, std::int64_t dx) {
        return std::exp(-static_cast<double>(dy * dy + dx * dx) / (2 * 4.0 * 4.0));
    };
    for (std::int64_t dy = -2; dy <= 2; ++dy)
        for (std::int64_t dx = -2; dx <= 2; ++dx) total += weight(dy, dx);
    for (std::int64_t y = 0; y < out.height; ++y)
        for (std::int64_t x = 0; x < out.width; ++x)
            for (std::int64_t dy = -2; dy <= 2; ++dy)
                for (std::int64_t dx = -2; dx <= 2; ++dx)
                    out.at(y, x) += from.get(y + dy, x + dx) * weight(dy, dx) / total;
    return out;
}

anomaly::Groups<D> drawn(std::uint64_t seed, std::int64_t batch, std::int64_t tokens) {
    Generator random(seed);
    return {normal<D>({batch, tokens, 5}, random), normal<D>({batch, tokens, 5}, random)};
}

double worst_difference(const std::vector<double>& a, const std::vector<double>& b) {
    BOOST_REQUIRE(a.size() == b.size());
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        BOOST_REQUIRE(std::isfinite(a[i]));
        worst = std::max(worst, std::abs(a[i] - b[i]));
    }
    return worst;
}

}  // namespace

BOOST_AUTO_TEST_CASE(map_of_a_picture_that_is_not_square) {
    const std::int64_t rows = 3, cols = 5, patch = 14, height = rows * patch, width = cols * patch;
    const auto en = drawn(1, 1, rows * cols), de = drawn(2, 1, rows * cols);
    // As the authors do it: each group's distances to the picture's size, and the mean of the two there.
    Plane mean(height, width);
    for (std::size_t group = 0; group < 2; ++group) {
        Plane grid(rows, cols);
        grid.values = anomaly::point_distance(en[group], de[group]).value().to_vector();
        const Plane full = resized(grid, height, width, true);
        for (std::size_t i = 0; i < mean.values.size(); ++i) mean.values[i] += full.values[i] / 2;
    }
    const Plane expected = blurred(resized(mean, 256, 256, false));
    const Var<D> map = anomaly::anomaly_map(en, de, height, width, patch);
    BOOST_TEST(map.shape() == Shape({1, 256, 256}));
    BOOST_TEST(worst_difference(map.value().to_vector(), expected.values) < 1e-12);
}

BOOST_AUTO_TEST_CASE(a_batch_equals_its_pictures_one_by_one) {
    const auto en = drawn(1, 3, 16), de = drawn(2, 3, 16);
    const Var<D> together = anomaly::anomaly_map(en, de, 56, 56, 14);
    const auto scores = anomaly::image_score(together);
    for (std::int64_t i = 0; i < 3; ++i) {
        const auto one = [&](const anomaly::Groups<D>& groups) {
            return anomaly::Groups<D>{groups[0].value().rows(i, 1), groups[1].value().rows(i, 1)};
        };
        const Var<D> alone = anomaly::anomaly_map(one(en), one(de), 56, 56, 14);
        BOOST_TEST(worst_difference(alone.value().to_vector(), together.value().rows(i, 1).to_vector()) < 1e-13);
        BOOST_TEST(std::abs(anomaly::image_score(alone)[0] - scores[static_cast<std::size_t>(i)]) < 1e-6);
    }
    BOOST_TEST(scores[0] != scores[1]);
}

BOOST_AUTO_TEST_CASE(blur_keeps_what_is_inside_and_fades_at_the_edge) {
    const Var<D> flat = ones<D>({1, 9, 12});
    const auto values = anomaly::gaussian_blur(flat, 5, 4.0).value().to_vector();
    BOOST_TEST(values[4 * 12 + 6] == 1, boost::test_tools::tolerance(1e-12));
    const double side[] = {std::exp(-4 / 32.0), std::exp(-1 / 32.0), 1};
    const double half = (side[2] + side[1] + side[0]) / (side[2] + 2 * side[1] + 2 * side[0]);
    BOOST_TEST(values[0] == half * half, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(values[6] == half, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(score_is_the_mean_of_the_largest_hundredth) {
    Generator random(3);
    const Var<D> maps = normal<D>({2, 256, 256}, random);
    const auto scores = anomaly::image_score(maps), largest = anomaly::image_score(maps, 0);
    for (std::size_t i = 0; i < 2; ++i) {
        auto values = maps.value().rows(static_cast<std::int64_t>(i), 1).to_vector();
        std::ranges::sort(values, std::greater{});
        const double expected = std::accumulate(values.begin(), values.begin() + 655, 0.0) / 655;
        BOOST_TEST(std::abs(static_cast<double>(scores[i]) - expected) < 1e-6);
        BOOST_TEST(largest[i] == static_cast<float>(values[0]));
    }
}

BOOST_AUTO_TEST_CASE(a_map_with_a_nan_has_no_score) {
    Tensor<D> map = zeros<D>({1, 256, 256});
    map.data()[777] = std::nan("");
    BOOST_TEST(std::isnan(anomaly::image_score(Var<D>(map))[0]));
}
