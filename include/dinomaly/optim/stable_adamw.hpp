// SPDX-License-Identifier: Apache-2.0
// StableAdamW: AdamW (Loshchilov and Hutter, 2019) with AMSGrad and an update that is clipped by its own size, tensor
// by tensor (Wortsman et al., 2023):
//
//   p *= 1 - lr wd
//   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   vmax = max(vmax, v)
//   den = sqrt(vmax) / sqrt(1 - b2^t) + eps,   rms = |g / den| / sqrt(n)
//   p -= lr / (1 - b1^t) / max(1, rms) * m / den
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/reduce.hpp"

namespace dinomaly::inline DINOMALY_ABI::optim {

struct StableAdamWConfig {
    double beta1 = 0.9, beta2 = 0.999;
    double eps = 1e-10;
    double weight_decay = 1e-4;
};

template <Device D> class StableAdamW {
public:
    /// What is kept for one parameter, all zero at first.
    struct Moments {
        Tensor<D> m, v, vmax;
    };

    explicit StableAdamW(std::vector<Var<D>> parameters, const StableAdamWConfig& config = {})
        : parameters_(std::move(parameters)), config_(config) {
        for (const Var<D>& p : parameters_)
            moments_.push_back({zeros<D>(p.shape()), zeros<D>(p.shape()), zeros<D>(p.shape())});
    }

    /// One update of every parameter from its gradient.
    void step(double lr) {
        ++steps_;
        const double t = static_cast<double>(steps_), b1 = config_.beta1, b2 = config_.beta2;
        const double correct1 = 1 - std::pow(b1, t), correct2 = std::sqrt(1 - std::pow(b2, t));
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            Tensor<D>& p = parameters_[i].value();
            const Tensor<D>& g = parameters_[i].grad();
            auto& [m, v, vmax] = moments_[i];
            assign(m, b1 * m + (1 - b1) * g);
            assign(v, b2 * v + (1 - b2) * square(g));
            assign(vmax, maximum(vmax, v));
            const auto den = sqrt(vmax) / correct2 + config_.eps;
            const double rms = std::sqrt(static_cast<double>(mean(square(g / den)).item()));
            const double rate = lr / correct1 / std::max(1.0, rms);
            assign(p, p * (1 - lr * config_.weight_decay) - rate * (m / den));
        }
    }

    std::int64_t steps() const { return steps_; }
    const std::vector<Moments>& moments() const { return moments_; }

    /// Goes on from a saved state: the number of steps done and the moments, in the order of the parameters.
    void restore(std::int64_t steps, std::vector<Moments> moments) {
        check(moments.size() == moments_.size(), "stable_adamw", moments.size(), " saved moments for ", moments_.size(),
              " parameters");
        steps_ = steps;
        moments_ = std::move(moments);
    }

private:
    std::vector<Var<D>> parameters_;
    std::vector<Moments> moments_;
    StableAdamWConfig config_;
    std::int64_t steps_ = 0;
};

}  // namespace dinomaly::inline DINOMALY_ABI::optim
