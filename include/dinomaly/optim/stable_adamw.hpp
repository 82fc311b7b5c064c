// SPDX-License-Identifier: Apache-2.0
// StableAdamW: AdamW (Loshchilov and Hutter, 2019) with AMSGrad and an update that is clipped by its own size, tensor
// by tensor (Wortsman et al., 2023):
//
//   p *= 1 - lr wd
//   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,   vmax = max(vmax, v); without AMSGrad v stands in its place
//   den = sqrt(vmax) / sqrt(1 - b2^t) + eps,   rms = |g / den| / sqrt(n)
//   p -= lr / (1 - b1^t) / max(1, rms) * m / den
//
// A parameter that no gradient reached stays as it is, as in PyTorch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dinomaly/core/cell.hpp"
#include "dinomaly/ops/math.hpp"
#include "dinomaly/ops/reduce.hpp"
#include "dinomaly/optim/clip.hpp"

namespace dinomaly::inline DINOMALY_ABI::optim {

struct StableAdamWConfig {
    double beta1 = 0.9, beta2 = 0.999;
    double eps = 1e-10;
    double weight_decay = 1e-4;
    bool is_amsgrad = true;
};

/// Whether D clips and updates all parameters at once, without a word to the host.
template <class D>
concept UpdatesAtOnce = requires {
    sizeof(backend::AdamTensors<D>);
};

template <Device D> class StableAdamW {
public:
    /// What is kept for one parameter, all zero at first.
    struct Moments {
        Tensor<D> m, v, vmax;
    };

    /// One or two learning rates go with a step: the first `with_second_rate` parameters follow the second of two.
    explicit StableAdamW(std::vector<Var<D>> parameters, const StableAdamWConfig& config = {},
                         std::size_t with_second_rate = 0)
        : parameters_(std::move(parameters)), config_(config), with_second_rate_(with_second_rate) {
        for (const Var<D>& p : parameters_)
            moments_.push_back({zeros<D>(p.shape()), zeros<D>(p.shape()), zeros<D>(p.shape())});
    }

    /// One update of every parameter from its gradient.
    void step(double lr) {
        check_gradients();
        prepare(lr);
        update();
    }

    /// Counts a step and sets its learning rates, for apply().
    void prepare(double lr) { prepare(lr, lr); }
    void prepare(double lr, double second_lr) {
        ++steps_;
        const double t = static_cast<double>(steps_), correct1 = 1 - std::pow(config_.beta1, t);
        scalars_ = {.rates = {lr / correct1, second_lr / correct1},
                    .decays = {1 - lr * config_.weight_decay, 1 - second_lr * config_.weight_decay},
                    .correct2 = std::sqrt(1 - std::pow(config_.beta2, t))};
        if constexpr (UpdatesAtOnce<D>) on_device_.set(scalars_);
    }

    /// One update from the gradients, clipped to a joint norm of `limit`; *norm, in the device's memory, is their norm
    /// before. Where that is not finite nothing changes. On a GPU this may be recorded and replayed.
    void apply(double limit, typename D::value_type* norm) {
        check_gradients();
        if constexpr (UpdatesAtOnce<D>) {
            lay_out();
            std::vector<const float*> gradients;
            for (const Var<D>& p : parameters_)
                if (p.has_grad()) gradients.push_back(p.grad().data());
            tensors_->update(gradients, constants(limit), on_device_.data(), norm);
        } else {
            const double found = clip_gradients(parameters_, limit);
            const auto stored = static_cast<typename D::value_type>(found);
            D::upload(norm, &stored, sizeof stored);
            if (std::isfinite(found)) update();
        }
    }

    std::int64_t steps() const { return steps_; }
    /// Counts `count` steps less: those that changed nothing.
    void forget_steps(std::int64_t count) { steps_ -= count; }
    const std::vector<Moments>& moments() const { return moments_; }

    /// Goes on from a saved state: the number of steps done and the moments, in the order of the parameters.
    void restore(std::int64_t steps, std::vector<Moments> moments) {
        check(moments.size() == moments_.size(), "stable_adamw", moments.size(), " saved moments for ", moments_.size(),
              " parameters");
        steps_ = steps;
        moments_ = std::move(moments);
        tensors_.reset();
    }

private:
    void check_gradients() const {
        const auto has = [](const Var<D>& p) { return p.has_grad(); };
        check(std::ranges::any_of(parameters_, has), "stable_adamw",
              "no parameter has a gradient: call backward() on a loss that depends on them first");
    }

    void update() {
        const double b1 = config_.beta1, b2 = config_.beta2;
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            if (!parameters_[i].has_grad()) continue;
            Tensor<D>& p = parameters_[i].value();
            const Tensor<D>& g = parameters_[i].grad();
            auto& [m, v, vmax] = moments_[i];
            assign(m, b1 * m + (1 - b1) * g);
            assign(v, b2 * v + (1 - b2) * square(g));
            if (config_.is_amsgrad) assign(vmax, maximum(vmax, v));
            const auto den = sqrt(config_.is_amsgrad ? vmax : v) / scalars_.correct2 + config_.eps;
            const double rms = std::sqrt(static_cast<double>(mean(square(g / den)).item()));
            const std::size_t rate = rate_of(i);
            assign(p, p * scalars_.decays[rate] - scalars_.rates[rate] / std::max(1.0, rms) * (m / den));
        }
    }

    /// Tells the device where the parameters are, unless it knows.
    void lay_out() {
        std::vector<backend::AdamPlaces<float>> places;
        for (std::size_t i = 0; i < parameters_.size(); ++i)
            if (parameters_[i].has_grad())
                places.push_back({parameters_[i].value().data(), moments_[i].m.data(), moments_[i].v.data(),
                                  moments_[i].vmax.data(), parameters_[i].count(), rate_of(i)});
        if (tensors_ == nullptr || places != places_) tensors_ = std::make_shared<backend::AdamTensors<D>>(places);
        places_ = std::move(places);
    }

    backend::AdamConstants constants(double limit) const {
        const auto number = [](double x) { return static_cast<float>(x); };
        return {number(config_.beta1),     number(1 - config_.beta1), number(config_.beta2),
                number(1 - config_.beta2), number(config_.eps),       number(limit),
                config_.is_amsgrad};
    }

    std::size_t rate_of(std::size_t parameter) const { return parameter < with_second_rate_ ? 1 : 0; }

    std::vector<Var<D>> parameters_;
    std::vector<Moments> moments_;
    StableAdamWConfig config_;
    std::size_t with_second_rate_;
    std::int64_t steps_ = 0;
    backend::AdamScalars scalars_{};
    Cell<D, backend::AdamScalars> on_device_;
    std::vector<backend::AdamPlaces<float>> places_;
    std::shared_ptr<backend::AdamTensors<D>> tensors_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::optim
