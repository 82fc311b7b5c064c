// SPDX-License-Identifier: Apache-2.0
// clip_gradients: scales all gradients together so that their joint norm does not exceed a limit.
#pragma once

#include <cmath>
#include <vector>

#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/reduce.hpp"

namespace dinomaly::inline DINOMALY_ABI::optim {

/// The joint Euclidean norm of all gradients, before clipping. PyTorch's rule: factor min(1, limit / (norm + 1e-6)).
/// Parameters that no gradient reached are left out.
template <Device D> double clip_gradients(const std::vector<Var<D>>& parameters, double limit) {
    double squares = 0;
    for (const Var<D>& p : parameters)
        if (p.has_grad()) squares += static_cast<double>(sum(square(p.grad())).item());
    const double norm = std::sqrt(squares);
    const double factor = limit / (norm + 1e-6);
    if (factor < 1) {
        for (const Var<D>& p : parameters) {  // into new memory: two parameters may share one gradient
            if (!p.has_grad()) continue;
            const Var<D> clipped = p.grad() * factor;
            p.node()->grad = clipped.value();
        }
    }
    return norm;
}

}  // namespace dinomaly::inline DINOMALY_ABI::optim
