// SPDX-License-Identifier: Apache-2.0
// A gradient by hand and by machine: the squared error of a straight line, and how it changes with slope and offset.
#include <cmath>
#include <iostream>

#include "dinomaly/tensor.hpp"

using namespace dinomaly;
using D = Cpu<float>;

int main() {
    const Tensor<D> x({5}, {-2, -1, 0, 1, 2});
    const Tensor<D> y({5}, {-3.1F, -0.9F, 1.2F, 2.9F, 5.1F});  // about 2 x + 1

    const Var<D> slope = parameter(Tensor<D>({1}, {0.5F}));
    const Var<D> offset = parameter(Tensor<D>({1}, {0}));

    // By machine: write the loss down and call backward().
    const Var<D> loss = mean(square(x * slope + offset - y));
    std::cout << "The graph that was recorded, for Graphviz:\n";
    write_dot(std::cout, loss);
    loss.backward();

    // By hand: with e = slope x + offset - y and L = mean(e^2),
    //     dL/dslope = mean(2 e x)    dL/doffset = mean(2 e)
    const NoGrad no_grad;
    const Var<D> e = x * slope + offset - y;
    const Var<D> by_hand_slope = mean(2 * e * x), by_hand_offset = mean(2 * e);

    std::cout << "\nloss " << loss.item() << "\n            by machine   by hand\n"
              << "d/d slope   " << slope.grad().item() << "     " << by_hand_slope.item() << '\n'
              << "d/d offset  " << offset.grad().item() << "        " << by_hand_offset.item() << '\n';

    const bool agrees = std::abs(slope.grad().item() - by_hand_slope.item()) < 1e-4 &&
                        std::abs(offset.grad().item() - by_hand_offset.item()) < 1e-4;
    std::cout << (agrees ? "They agree.\n" : "They differ: one of the two is wrong.\n");
    return agrees ? 0 : 1;
}
