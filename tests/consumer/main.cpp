// SPDX-License-Identifier: Apache-2.0
// Ten lines from outside: a gradient.
#include <dinomaly/tensor.hpp>
#include <iostream>

int main() {
    using namespace dinomaly;
    using D = Cpu<float>;
    const Tensor<D> x({3}, {1, 2, 4}), y({3}, {3, 3, 3});
    const Var<D> w = parameter(ones<D>({3}));
    const Var<D> loss = mean(square(x * w - y));
    loss.backward();  // 2 / 3 (x w - y) x
    std::cout << "loss " << loss.item() << ", gradient " << w.grad() << '\n';
}
