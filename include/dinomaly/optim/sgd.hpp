// SPDX-License-Identifier: Apache-2.0
// Sgd: p -= lr * g.
#pragma once

#include <vector>

#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::inline DINOMALY_ABI::optim {

/// Plain gradient descent, for examples and baselines.
template <Device D> class Sgd {
public:
    double lr;

    Sgd(std::vector<Var<D>> parameters, double rate) : lr(rate), parameters_(std::move(parameters)) {}

    /// Moves every parameter against its gradient and forgets the gradient.
    void step() {
        for (Var<D>& p : parameters_) {
            assign(p.value(), p.value() - lr * p.grad());
            p.clear_grad();
        }
    }

private:
    std::vector<Var<D>> parameters_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::optim
