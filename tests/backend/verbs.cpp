// SPDX-License-Identifier: Apache-2.0
// The CPU's verbs against loops that are plainly right, at sizes that reach every branch of their partitions.
#define BOOST_TEST_MODULE verbs
#include "dinomaly/backend/verbs.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "dinomaly/core/random.hpp"

using namespace dinomaly;
using D = Cpu<double>;

namespace {

std::vector<double> draw(std::int64_t count, std::uint64_t stream) {
    Generator random(11, stream);
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& value : values) value = random.normal();
    return values;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    BOOST_REQUIRE(a.size() == b.size());
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

}  // namespace

BOOST_AUTO_TEST_CASE(gemm_in_all_forms) {
    struct Sizes {
        std::int64_t batch, m, n, k;
    };
    for (const auto& [batch, m, n, k] : {Sizes{1, 3, 5, 7},
                                         {1, 70, 33, 90},
                                         {1, 33, 700, 20},
                                         {1, 2100, 9, 5},
                                         {5, 17, 19, 23},
                                         {2, 1, 1, 1},
                                         {3, 40, 50, 1},
                                         {1, 4, 4, 0}})
        for (int form = 0; form < 8; ++form) {
            const bool ta = form & 1, tb = form & 2, adds = form & 4;
            const auto a = draw(batch * m * k, 1), b = draw(batch * k * n, 2);
            auto c = draw(batch * m * n, 3);
            auto expected = c;
            for (std::int64_t i = 0; i < batch; ++i)
                for (std::int64_t row = 0; row < m; ++row)
                    for (std::int64_t col = 0; col < n; ++col) {
                        double sum = 0;
                        for (std::int64_t j = 0; j < k; ++j)
                            sum += a[static_cast<std::size_t>(i * m * k + (ta ? j * m + row : row * k + j))] *
                                   b[static_cast<std::size_t>(i * k * n + (tb ? col * k + j : j * n + col))];
                        double& out = expected[static_cast<std::size_t>((i * m + row) * n + col)];
                        out = sum + (adds ? out : 0);
                    }
            backend::gemm<double>(D{}, batch, m, n, k, {a.data(), ta ? m : k, ta, m * k},
                                  {b.data(), tb ? k : n, tb, k * n}, {c.data(), n, false, m * n}, adds);
            BOOST_TEST(largest_difference(c, expected) < 1e-11,
                       "batch " << batch << " m " << m << " n " << n << " k " << k << " form " << form);
        }
}

BOOST_AUTO_TEST_CASE(reduce_over_any_axis) {
    struct Sizes {
        std::int64_t outer, n, inner;
    };
    for (const auto& [outer, n, inner] :
         {Sizes{1, 1, 1}, {1, 100003, 1}, {3, 40000, 1}, {100, 700, 1}, {1, 5000, 37}, {2, 3000, 129}, {70, 9, 11}}) {
        const auto x = draw(outer * n * inner, 4);
        std::vector<double> sum(static_cast<std::size_t>(outer * inner), 0.0), max(sum.size(), -1e9),
            min(sum.size(), 1e9);
        for (std::int64_t o = 0; o < outer; ++o)
            for (std::int64_t j = 0; j < n; ++j)
                for (std::int64_t i = 0; i < inner; ++i) {
                    const double value = x[static_cast<std::size_t>((o * n + j) * inner + i)];
                    const auto at = static_cast<std::size_t>(o * inner + i);
                    sum[at] += value, max[at] = std::max(max[at], value), min[at] = std::min(min[at], value);
                }
        std::vector<double> y(sum.size());
        backend::reduce(D{}, backend::Sum{}, outer, n, inner, x.data(), y.data());
        BOOST_TEST(largest_difference(y, sum) < 1e-9);
        backend::reduce(D{}, backend::Max{}, outer, n, inner, x.data(), y.data());
        BOOST_TEST(largest_difference(y, max) == 0);
        backend::reduce(D{}, backend::Min{}, outer, n, inner, x.data(), y.data());
        BOOST_TEST(largest_difference(y, min) == 0);
    }
}

BOOST_AUTO_TEST_CASE(sums_do_not_depend_on_the_number_of_threads) {
    const auto x = draw(300000, 5);
    std::vector<double> sums;
    for (int threads : {1, 2, 3}) {
        backend::thread_pool().resize(threads);
        double sum = 0;
        backend::reduce(D{}, backend::Sum{}, 1, 300000, 1, x.data(), &sum);
        sums.push_back(sum);
    }
    BOOST_TEST(sums[0] == sums[1]);
    BOOST_TEST(sums[0] == sums[2]);
}

BOOST_AUTO_TEST_CASE(move_copies_and_adds_between_layouts) {
    const Shape shape{3, 40, 50};  // as [50, 3, 40]
    const auto x = draw(6000, 6);
    std::vector<double> y(6000, 1.0), expected(6000);
    for (std::int64_t a = 0; a < 3; ++a)
        for (std::int64_t b = 0; b < 40; ++b)
            for (std::int64_t c = 0; c < 50; ++c)
                expected[static_cast<std::size_t>((c * 3 + a) * 40 + b)] =
                    x[static_cast<std::size_t>((a * 40 + b) * 50 + c)];
    const Strides to{40, 1, 120};
    backend::move(D{}, shape, y.data(), to, x.data(), row_major_strides(shape));
    BOOST_TEST(largest_difference(y, expected) == 0);
    backend::move(D{}, shape, y.data(), to, x.data(), row_major_strides(shape), true);
    for (double& value : expected) value *= 2;
    BOOST_TEST(largest_difference(y, expected) == 0);
}

BOOST_AUTO_TEST_CASE(select_finds_order_statistics) {
    auto x = draw(1000, 7);
    auto sorted = x;
    std::ranges::sort(sorted, std::greater{});
    for (std::int64_t k : {1, 2, 500, 1000}) {
        double kth = 0, mean = 0;
        backend::kth_largest(D{}, 1000, x.data(), &k, &kth);
        backend::mean_of_largest(D{}, 1, 1000, x.data(), k, &mean);
        BOOST_TEST(kth == sorted[static_cast<std::size_t>(k - 1)]);
        BOOST_TEST(mean == std::accumulate(sorted.begin(), sorted.begin() + k, 0.0) / static_cast<double>(k),
                   boost::test_tools::tolerance(1e-12));
    }
    x[17] = std::numeric_limits<double>::quiet_NaN();  // seen, not skipped
    double mean = 0;
    backend::mean_of_largest(D{}, 1, 1000, x.data(), 10, &mean);
    BOOST_TEST(std::isnan(mean));
}

BOOST_AUTO_TEST_CASE(freed_blocks_come_back) {
    const void* first = nullptr;
    {
        const std::shared_ptr<void> block = D::allocate(1 << 20);
        first = block.get();
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
    }
    BOOST_TEST(D::allocate(1 << 20).get() == first);
    BOOST_TEST(D::allocate(0).get() != nullptr);
}

BOOST_AUTO_TEST_CASE(map_writes_results_that_exceed_the_caches) {
    using F = Cpu<float>;
    for (const auto& [rows, cols] :
         {std::pair<std::int64_t, std::int64_t>{1, 13'000'005}, {100'000, 128}, {130'001, 99}}) {
        Grid grid;
        grid.outer = 1;
        grid.sizes[0] = grid.rows = rows;
        grid.cols = cols;
        const auto count = static_cast<std::size_t>(grid.count());
        std::vector<float> x(count);
        std::iota(x.begin(), x.end(), 0.0F);
        kernel::TensorLeaf<float> copy;
        copy.value = x.data();
        copy.strides = {cols, 1};
        const std::shared_ptr<void> memory = F::allocate((count + 1) * sizeof(float));
        for (float* y : {static_cast<float*>(memory.get()), static_cast<float*>(memory.get()) + 1}) {  // aligned, not
            backend::map(F{}, grid, copy, y);
            BOOST_TEST(std::equal(x.begin(), x.end(), y), rows << " x " << cols);
        }
    }
}
