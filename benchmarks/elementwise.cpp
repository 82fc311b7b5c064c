// SPDX-License-Identifier: Apache-2.0
// Fused elementwise formulas against memcpy on all cores: how much of the memory's speed is left when a formula is
// computed on the way. GB/s counts what the formula has to read and write once; the argument is the number of millions
// of elements (default 64). Best of several runs, memcpy measured in between.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <numbers>

#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/random.hpp"
#include "dinomaly/ops/activation.hpp"
#include "dinomaly/ops/arithmetic.hpp"
#include "dinomaly/ops/math.hpp"

using namespace dinomaly;
using D = Cpu<float>;

namespace {

constexpr std::int64_t channels = 1024;
constexpr int runs = 9;

/// Uniform in [-2, 2), drawn on all cores.
Tensor<D> drawn(const Shape& shape, std::uint64_t stream) {
    Tensor<D> x(shape);
    const Philox random{1, stream};
    backend::parallel_ranges(x.count(), 1 << 16, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) x.data()[i] = 4 * random.uniform(static_cast<std::uint64_t>(i)) - 2;
    });
    return x;
}

template <class Body> double seconds(const Body& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Throws unless the formula's values are those of `exact` in double, at some thousands of places all over.
template <class Exact> void verify(const char* name, const Tensor<D>& y, const Exact& exact) {
    for (std::int64_t i = 0; i < y.count(); i += 9973) {
        const double found = static_cast<double>(y.data()[i]), expected = exact(i);
        check(std::abs(found - expected) <= 1e-5 * std::max(1.0, std::abs(expected)), name, "element ", i, " is ",
              found, ", ", expected, " expected");
    }
}

/// Verifies the formula, then runs it and memcpy in turn, so that both see the same machine, and prints one line.
template <class Formula, class Exact>
void compare(const char* name, int arrays, const Tensor<D>& source, Tensor<D>& target, const Formula& formula,
             const Exact& exact) {
    verify(name, formula().value(), exact);
    double formula_time = std::numeric_limits<double>::infinity(), copy_time = formula_time;
    for (int run = 0; run < runs; ++run) {
        formula_time = std::min(formula_time, seconds([&] { formula(); }));
        copy_time =
            std::min(copy_time, seconds([&] {
                         backend::parallel_ranges(source.count(), 1 << 20, [&](std::int64_t first, std::int64_t last) {
                             std::memcpy(target.data() + first, source.data() + first,
                                         static_cast<std::size_t>(last - first) * sizeof(float));
                         });
                     }));
    }
    const double array_bytes = static_cast<double>(source.count()) * sizeof(float);
    const double speed = arrays * array_bytes / formula_time / 1e9, copy_speed = 2 * array_bytes / copy_time / 1e9;
    std::printf("%-34s %8.1f ms %8.1f GB/s   memcpy %6.1f GB/s   %5.1f %%\n", name, formula_time * 1e3, speed,
                copy_speed, 100 * speed / copy_speed);
}

}  // namespace

int main(int argc, char** argv) try {
    const std::int64_t millions = argc > 1 ? std::atoll(argv[1]) : 64;
    if (millions < 1) {
        std::fprintf(stderr, "usage: elementwise [MILLIONS OF ELEMENTS]\n");
        return 2;
    }
    const Shape shape{millions * 1024, channels};
    const Var<D> x = drawn(shape, 0), a = drawn(shape, 1), g = drawn({channels}, 2);
    Tensor<D> target(shape);

    std::printf("%lld x %lld floats, %d threads\n", static_cast<long long>(shape[0]), static_cast<long long>(shape[1]),
                backend::thread_pool().threads());
    const auto at = [&](const Var<D>& v) {
        return [values = v.value()](std::int64_t i) { return static_cast<double>(values.data()[i % values.count()]); };
    };
    const auto xs = at(x), as = at(a), gs = at(g);
    compare(
        "x + g a", 3, x.value(), target, [&] { return Var<D>(x + g * a); },
        [&](std::int64_t i) { return xs(i) + gs(i) * as(i); });
    compare(
        "tanh(exp(erf(x) g) + x)", 2, x.value(), target, [&] { return Var<D>(tanh(exp(erf(x) * g) + x)); },
        [&](std::int64_t i) { return std::tanh(std::exp(std::erf(xs(i)) * gs(i)) + xs(i)); });
    compare(
        "gelu(x)", 2, x.value(), target, [&] { return Var<D>(gelu(x)); },
        [&](std::int64_t i) { return xs(i) / 2 * std::erfc(-xs(i) / std::numbers::sqrt2); });
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
