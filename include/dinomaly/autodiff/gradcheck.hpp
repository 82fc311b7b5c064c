// SPDX-License-Identifier: Apache-2.0
// gradcheck: compares the gradient that backward() finds with one from central differences, in double.
//
// For y = f(x) and a random dy, each partial derivative of sum(y dy) is compared with
//     sum((f(x + h e) - f(x - h e)) dy) / 2h
// where e is one element of one input. Away from kinks the two agree to about 1e-9; a wrong slope is off by its own
// size. The error is relative to the largest derivative of the input.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

#include "dinomaly/autodiff/var.hpp"
#include "dinomaly/core/random.hpp"

namespace dinomaly::inline DINOMALY_ABI {

struct GradcheckOptions {
    double step = 1e-5;
    double tolerance = 1e-6;          ///< of the largest derivative of the input
    std::int64_t max_elements = 200;  ///< checked of each input; drawn at random where it has more
    std::uint64_t seed = 1;           ///< of dy and of the drawn elements
};

/// What gradcheck found; prints as one line.
struct GradcheckReport {
    bool passed = true;
    double worst_error = 0;
    double tolerance = 0;
    std::int64_t checked = 0;  ///< elements in all
    // Where the worst error is, and the two derivatives there.
    int input = 0;
    std::int64_t element = 0;
    double analytic = 0, numeric = 0;

    explicit operator bool() const { return passed; }

    friend std::ostream& operator<<(std::ostream& out, const GradcheckReport& report) {
        return out << "gradcheck " << (report.passed ? "passed" : "failed") << " on " << report.checked
                   << " elements: worst error " << report.worst_error << " of " << report.tolerance
                   << " allowed, at input " << report.input << ", element " << report.element << ": backward() gives "
                   << report.analytic << ", differences give " << report.numeric;
    }
};

namespace detail {

/// The derivative of sum(f(x) dy) with respect to one element of x[input], whose value is put back.
template <class F, Device D>
double central_difference(const F& f, std::vector<Var<D>>& x, std::size_t input, std::int64_t element,
                          const std::vector<double>& dy, double step) {
    const NoGrad no_grad;
    double* place = x[input].value().data() + element;
    double before;
    D::download(&before, place, sizeof before);
    const auto value_at = [&](double moved) {
        D::upload(place, &moved, sizeof moved);
        return Var<D>(f(std::as_const(x))).value().to_vector();
    };
    const double upper = before + step, lower = before - step;
    const std::vector<double> above = value_at(upper), below = value_at(lower);
    D::upload(place, &before, sizeof before);
    double difference = 0;  // of each element before the sum: those that e does not reach add no rounding
    for (std::size_t i = 0; i < dy.size(); ++i) difference += (above[i] - below[i]) * dy[i];
    return difference / (upper - lower);
}

/// All of 0 .. count-1, or `limit` of them drawn at random.
inline std::vector<std::int64_t> some_of(std::int64_t count, std::int64_t limit, Generator& random) {
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i < std::min(count, limit); ++i)
        chosen.push_back(count <= limit ? i
                                        : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count))));
    return chosen;
}

}  // namespace detail

/// Checks the gradient of f, which maps a vector of variables to a variable or formula, at the values of `inputs`.
/// The inputs themselves stay as they are: f is called with copies of them.
template <class F, Device D>
GradcheckReport gradcheck(const F& f, const std::vector<Var<D>>& inputs, const GradcheckOptions& options = {}) {
    static_assert(std::same_as<typename D::value_type, double>, "differences need double: use Cpu<double>");
    std::vector<Var<D>> x;
    for (const Var<D>& input : inputs) x.push_back(parameter(clone(input.value())));

    Generator random(options.seed);
    const Var<D> y = f(std::as_const(x));
    std::vector<double> dy(static_cast<std::size_t>(y.count()));
    for (double& element : dy) element = random.normal();
    if (y.wants_grad()) y.backward(Tensor<D>(y.shape(), dy));

    GradcheckReport report;
    report.tolerance = options.tolerance;
    for (std::size_t input = 0; input < x.size(); ++input) {
        const std::vector<double> grad = x[input].has_grad()
                                             ? x[input].grad().to_vector()
                                             : std::vector<double>(static_cast<std::size_t>(x[input].count()));
        double largest = 1e-8;  // a gradient that is zero throughout is compared absolutely
        for (double g : grad) largest = std::max(largest, std::abs(g));
        for (std::int64_t element : detail::some_of(x[input].count(), options.max_elements, random)) {
            const double analytic = grad[static_cast<std::size_t>(element)];
            const double numeric = detail::central_difference(f, x, input, element, dy, options.step);
            const double error = std::abs(analytic - numeric) / std::max(largest, std::abs(numeric));
            ++report.checked;
            if (error <= report.worst_error) continue;  // NaN goes on
            report.worst_error = error;
            report.input = static_cast<int>(input), report.element = element;
            report.analytic = analytic, report.numeric = numeric;
            if (!(error <= options.tolerance)) report.passed = false;
            if (std::isnan(error)) return report;
        }
    }
    return report;
}

}  // namespace dinomaly::inline DINOMALY_ABI
