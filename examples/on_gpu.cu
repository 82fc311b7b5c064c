// SPDX-License-Identifier: Apache-2.0
// The same function on the CPU and on a GPU: a layer and its gradient, in float and in bfloat16.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "dinomaly/backend/cuda/devices.hpp"
#include "dinomaly/core/init.hpp"
#include "dinomaly/tensor.hpp"

using namespace dinomaly;

/// The gradient of a layer's weights w [64, 256] for inputs x [1000, 256], both drawn from a seed.
template <Device D> std::vector<float> weight_gradient() {
    Generator random(1);
    const Var<Full<D>> x = normal<Full<D>>({1000, 256}, random);
    const Var<Full<D>> w = parameter(normal<Full<D>>({64, 256}, random, 0, 0.06)), b = zeros<Full<D>>({64});
    const Var<D> y = gelu(linear(in<D>(x), w, b));  // [1000, 64]
    mean(square(y)).backward();
    return w.grad().to_vector();
}

/// The largest difference, as a part of the largest value.
double difference(const std::vector<float>& found, const std::vector<float>& expected) {
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
        largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    }
    return worst / largest;
}

int main() {
    const backend::cuda::Devices devices = backend::cuda::find_devices();
    if (devices.found.empty()) {
        std::cout << devices.problem << '\n';
        return 77;  // skipped, for those who count
    }
    std::cout << "On " << devices.found.front().name << ", against the CPU:\n";
    const std::vector<float> expected = weight_gradient<Cpu<float>>();
    const double single = difference(weight_gradient<Cuda<float>>(), expected);
    const double half = difference(weight_gradient<Cuda<bfloat16>>(), expected);
    std::cout << "float     " << single << "\nbfloat16  " << half << '\n';
    return single < 1e-5 && half < 2e-2 ? 0 : 1;
}
