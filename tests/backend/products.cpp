// SPDX-License-Identifier: Apache-2.0
// Products in float, bfloat16 and 8-bit codes against sums in double, at sizes that reach every edge of tiles, panels
// and blocks; and that a row's bits depend neither on other rows nor on the number of threads.
#define BOOST_TEST_MODULE products
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <tuple>
#include <vector>

#include "dinomaly/backend/verbs.hpp"
#include "dinomaly/core/random.hpp"

using namespace dinomaly;
using backend::Matrix;

namespace {

template <class T> std::vector<T> drawn(std::int64_t count, std::uint64_t stream) {
    Generator random(5, stream);
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(static_cast<float>(random.normal()));
    return values;
}

struct Sizes {
    std::int64_t batch, m, n, k;
};

/// The largest difference between c and what double makes of the same a, b and c, in parts of sqrt(k).
template <class T, class A, class B, class C> double worst(const Sizes& s, bool ta, bool tb, bool adds) {
    const auto [batch, m, n, k] = s;
    const auto a = drawn<A>(batch * m * k, 1);
    const auto b = drawn<B>(batch * k * n, 2);
    auto c = drawn<C>(batch * m * n, 3);
    const auto before = c;
    backend::gemm(Cpu<T>{}, batch, m, n, k, Matrix<const A>{a.data(), ta ? m : k, ta, m * k},
                  Matrix<const B>{b.data(), tb ? k : n, tb, k * n}, Matrix<C>{c.data(), n, false, m * n}, adds);
    double largest = 0;
    for (std::int64_t i = 0; i < batch; ++i)
        for (std::int64_t row = 0; row < m; ++row)
            for (std::int64_t col = 0; col < n; ++col) {
                double sum = 0;
                for (std::int64_t j = 0; j < k; ++j)  // operands as the product sees them
                    sum += static_cast<double>(static_cast<T>(static_cast<float>(
                               a[static_cast<std::size_t>(i * m * k + (ta ? j * m + row : row * k + j))]))) *
                           static_cast<double>(static_cast<T>(static_cast<float>(
                               b[static_cast<std::size_t>(i * k * n + (tb ? col * k + j : j * n + col))])));
                const auto at = static_cast<std::size_t>((i * m + row) * n + col);
                if (adds) sum += static_cast<double>(static_cast<float>(before[at]));
                largest = std::max(largest, std::abs(static_cast<double>(static_cast<float>(c[at])) - sum));
            }
    return largest / std::sqrt(static_cast<double>(std::max<std::int64_t>(k, 1)));
}

/// k beyond one block of 384 words, rows beyond a page, edges of 6 x 64 tiles on both sides.
constexpr Sizes sizes[] = {{1, 1, 1, 1},      {1, 3, 5, 7},    {1, 6, 64, 64}, {1, 49, 65, 33},   {1, 100, 130, 790},
                           {1, 97, 63, 1600}, {3, 17, 19, 23}, {1, 4, 4, 0},   {1, 12, 64, 2051}, {5, 48, 64, 64}};

template <class T, class A, class B, class C> void check_all_forms(double tolerance) {
    for (const Sizes& s : sizes)
        for (int form = 0; form < 8; ++form)
            BOOST_TEST((worst<T, A, B, C>(s, form & 1, form & 2, form & 4) < tolerance),
                       "batch " << s.batch << " m " << s.m << " n " << s.n << " k " << s.k << " form " << form);
}

}  // namespace

BOOST_AUTO_TEST_CASE(floats) {
    check_all_forms<float, float, float, float>(1e-5);
}
BOOST_AUTO_TEST_CASE(bfloat16_in_float_out) {
    check_all_forms<bfloat16, bfloat16, bfloat16, float>(1e-5);
}
BOOST_AUTO_TEST_CASE(bfloat16_by_float_weights) {
    check_all_forms<bfloat16, bfloat16, float, bfloat16>(0.02);  // the result is rounded
}
BOOST_AUTO_TEST_CASE(bfloat16_taken_as_floats) {
    check_all_forms<float, bfloat16, bfloat16, float>(1e-5);
    check_all_forms<float, float, bfloat16, bfloat16>(0.02);
}

// So wide that each block of k is packed and multiplied by itself; small integers, whose sums are exact.
BOOST_AUTO_TEST_CASE(a_weight_gradient_sums_over_several_parts) {
    const auto check_one = []<class T>(T) {
        constexpr std::int64_t m = 1700, n = 2, k = 11000;
        const auto value = [](std::int64_t i) { return static_cast<float>(i * 37 % 17 - 8); };
        std::vector<T> dz(static_cast<std::size_t>(m * n)), x(static_cast<std::size_t>(m * k));
        for (std::int64_t i = 0; i < m * n; ++i) dz[static_cast<std::size_t>(i)] = static_cast<T>(value(i * 5));
        for (std::int64_t i = 0; i < m * k; ++i) x[static_cast<std::size_t>(i)] = static_cast<T>(value(i));
        std::vector<double> exact(static_cast<std::size_t>(n * k), 1);
        for (std::int64_t row = 0; row < m; ++row)
            for (std::int64_t i = 0; i < n; ++i) {
                const double factor = value((row * n + i) * 5);
                for (std::int64_t j = 0; j < k; ++j)
                    exact[static_cast<std::size_t>(i * k + j)] += factor * value(row * k + j);
            }
        std::vector<float> stored(exact.size(), 1), computed = stored;
        backend::detail::weight_gradient(m, n, k, dz.data(), backend::StoredRows<T>{x.data()}, stored.data(), true);
        kernel::TensorLeaf<T, float> leaf;
        leaf.value = x.data();
        leaf.strides = {k, 1};
        const backend::ComputedRows<decltype(leaf)> rows{{.outer = 1, .sizes = {m}, .rows = m, .cols = k}, leaf};
        backend::detail::weight_gradient(m, n, k, dz.data(), rows, computed.data(), true);
        BOOST_TEST(std::equal(exact.begin(), exact.end(), stored.begin()));
        BOOST_TEST((computed == stored));
    };
    check_one(0.0F);
    check_one(bfloat16{});
}

BOOST_AUTO_TEST_CASE(codes_sum_exactly) {
    using backend::Code;
    for (const auto& [batch, m, n, k] : sizes) {
        if (k == 0) continue;
        Generator random(6);
        std::vector<Code> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(n * k));
        for (Code& code : a) code = static_cast<Code>(random.below(256));
        for (Code& code : b) code = static_cast<Code>(random.below(256));
        const backend::Panels<Code> panels(k, n, Matrix<const Code>{b.data(), k, true});
        std::vector<std::int32_t> c(static_cast<std::size_t>(m * n));
        for (std::int64_t row = 0; row < m; row += backend::RowPanels::most)
            backend::detail::multiply_rows(std::min(backend::RowPanels::most, m - row), n, k,
                                           Matrix<const Code>{a.data() + row * k, k}, panels,
                                           Matrix<std::int32_t>{c.data() + row * n, n}, false);
        bool exact = true;
        for (std::int64_t row = 0; row < m; ++row)
            for (std::int64_t col = 0; col < n; ++col) {
                std::int32_t sum = 0;
                for (std::int64_t j = 0; j < k; ++j)
                    sum += a[static_cast<std::size_t>(row * k + j)] *
                           static_cast<std::int8_t>(b[static_cast<std::size_t>(col * k + j)]);
                exact = exact && c[static_cast<std::size_t>(row * n + col)] == sum;
            }
        BOOST_TEST(exact, "m " << m << " n " << n << " k " << k);
    }
}

BOOST_AUTO_TEST_CASE(a_linear_layer_in_codes_is_near_the_exact_one) {
    constexpr std::int64_t rows = 31, n = 850, k = 500;  // more outputs than are done at a time
    const auto x = drawn<float>(rows * k, 1), w = drawn<float>(n * k, 2);
    const auto bias = drawn<float>(n, 3);
    const backend::FrozenLinear<backend::Code> codes(n, k, w.data(), bias);
    const backend::FrozenLinear<float> exact(n, k, w.data(), bias);
    std::vector<float> y(rows * n), z(rows * n);
    const auto assign = [](Packet<float> sum, const float*, auto) { return sum; };
    codes.apply(rows, x.data(), 0, n, y.data(), n, assign);
    exact.apply(rows, x.data(), 0, n, z.data(), n, assign);
    double squares = 0, errors = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        squares += static_cast<double>(z[i] * z[i]);
        errors += static_cast<double>((y[i] - z[i]) * (y[i] - z[i]));
    }
    BOOST_TEST(std::sqrt(errors / squares) < 0.015);
    BOOST_TEST(errors > 0);
}

BOOST_AUTO_TEST_CASE(rows_depend_on_nothing_else) {
    using Types = std::tuple<float, bfloat16>;
    std::apply(
        []<class... T>(T...) {
            const auto check_one = []<class S>(S) {
                constexpr std::int64_t m = 200, n = 130, k = 900;
                const auto a = drawn<S>(m * k, 1);
                const auto w = drawn<float>(n * k, 2);
                const auto product = [&](std::int64_t first, std::int64_t count) {
                    std::vector<float> c(static_cast<std::size_t>(count * n));
                    backend::gemm(Cpu<S>{}, 1, count, n, k, Matrix<const S>{a.data() + first * k, k},
                                  Matrix<const float>{w.data(), k, true}, Matrix<float>{c.data(), n});
                    return c;
                };
                const auto whole = product(0, m);
                const int threads = backend::thread_pool().threads();
                for (const int count : {1, 3}) {
                    backend::thread_pool().resize(count);
                    BOOST_TEST((product(0, m) == whole));
                    for (const auto& [first, rows] :
                         {std::pair<std::int64_t, std::int64_t>{0, 1}, {57, 50}, {199, 1}}) {
                        const auto part = product(first, rows);
                        BOOST_TEST(std::equal(part.begin(), part.end(), whole.begin() + first * n));
                    }
                }
                backend::thread_pool().resize(threads);
            };
            (check_one(T{}), ...);
        },
        Types{});
}
