// SPDX-License-Identifier: Apache-2.0
// A network of two layers learns a curve from noisy points, by gradient descent written out.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>

#include "dinomaly/tensor.hpp"

using namespace dinomaly;
using D = Cpu<float>;

int main() {
    Generator random(1);
    const std::int64_t points = 200, hidden = 32;
    const Tensor<D> x = uniform<D>({points, 1}, random, -2, 2);                                     // [200, 1]
    const Tensor<D> y = as_var(tanh(3 * x) - x + normal<D>({points, 1}, random, 0, 0.05)).value();  // [200, 1]

    Var<D> w1 = parameter(normal<D>({hidden, 1}, random)), b1 = parameter(normal<D>({hidden}, random));
    Var<D> w2 = parameter(normal<D>({1, hidden}, random, 0, 0.1)), b2 = parameter(zeros<D>({1}));
    const auto network = [&](const Var<D>& in) -> Var<D> {
        const Var<D> h = tanh(linear(in, w1, b1));  // [N, 32]   product, bias and tanh in one pass
        return linear(h, w2, b2);                   // [N, 1]
    };

    const double rate = 0.05;
    float loss = 0;
    for (int step = 0; step <= 2000; ++step) {
        const Var<D> error = mse(network(x), y);
        error.backward();
        for (Var<D>* p : {&w1, &b1, &w2, &b2}) {
            assign(p->value(), p->value() - rate * p->grad());
            p->clear_grad();
        }
        loss = error.item();
        if (step % 500 == 0) std::cout << "step " << step << "  mean squared error " << loss << '\n';
    }

    std::cout << "\n      x   true   learned\n";
    std::cout << std::fixed << std::showpos;
    std::cout.precision(2);
    for (float at = -2; at <= 2; at += 0.25F) {
        const float wanted = std::tanh(3 * at) - at, learned = network(Tensor<D>({1, 1}, {at})).item();
        const int column = std::clamp(static_cast<int>(std::lround(20 + 15 * learned)), 0, 45);
        std::cout << "  " << at << "  " << wanted << "  " << learned << std::string(column + 2, ' ') << "*\n";
    }
    const bool fits = loss < 0.01F;
    std::cout << (fits ? "The curve is learned; what is left of the error is the noise, 0.0025.\n"
                       : "The curve was not learned.\n");
    return fits ? 0 : 1;
}
