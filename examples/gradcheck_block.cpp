// SPDX-License-Identifier: Apache-2.0
// Is the gradient of a transformer block right? Every parameter and the input are checked against differences; then one
// gradient is falsified by a thousandth to see that the check notices.
#include <iostream>
#include <string>
#include <vector>

#include "dinomaly/nn/block.hpp"
#include "dinomaly/nn/module.hpp"
#include "dinomaly/tensor.hpp"

using namespace dinomaly;
using D = Cpu<double>;  // differences of floats would drown in rounding

int main() {
    const std::int64_t width = 12, heads = 3;
    nn::Block<D> block(width, heads, 1e-6);

    Generator random(1);
    std::vector<std::string> names = {"x"};
    std::vector<Var<D>> inputs = {normal<D>({2, 5, width}, random)};  // [B, N, C]
    nn::for_each_parameter(block, [&](const std::string& name, Var<D>& p) {
        names.push_back(name);
        inputs.push_back(normal<D>(p.shape(), random, 0.1, 0.5));
    });

    const auto run = [&](const std::vector<Var<D>>& in) {
        auto copy = block;
        std::size_t next = 1;
        nn::for_each_parameter(copy, [&](const std::string&, Var<D>& p) { p = in[next++]; });
        return copy(in[0]);
    };
    const GradcheckReport right = gradcheck(run, inputs);
    std::cout << "The block has " << names.size() - 1 << " parameters.\n" << right << "\n\n";

    const auto falsified = [&](const std::vector<Var<D>>& in) {
        std::vector<Var<D>> changed = in;
        changed[2] = scale_grad(in[2], full<D>({1}, 1.001));
        return run(changed);
    };
    const GradcheckReport wrong = gradcheck(falsified, inputs);
    std::cout << "With the gradient of " << names[2] << " off by a thousandth:\n" << wrong << '\n';

    return right.passed && !wrong.passed && wrong.input == 2 ? 0 : 1;
}
