// SPDX-License-Identifier: Apache-2.0
// The learning rate over a run, a linear warm-up and half a cosine: WarmCosine down to a final rate (Dinomaly),
// WarmRatio down to a part of the first (Dinomaly2).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::optim {

/// Rate of iteration i: base * i/(warmup-1) during warm-up (0 first, base last), then
/// final + (base - final)/2 (1 + cos(pi (i - warmup)/(total - warmup))), and final from total on.
struct WarmCosine {
    std::int64_t total = 10000, warmup = 100;
    double base = 2e-3, final = 2e-4;

    double operator()(std::int64_t i) const {
        if (i < warmup) return warmup > 1 ? base * (static_cast<double>(i) / static_cast<double>(warmup - 1)) : 0;
        if (i >= total) return final;
        const double part = static_cast<double>(i - warmup) / static_cast<double>(total - warmup);
        return final + 0.5 * (base - final) * (1 + std::cos(std::numbers::pi * part));
    }
};

/// Rate of iteration i: base i/warmup during warm-up (base first behind it), then
/// base (ratio + (1 - ratio)/2 (1 + cos(pi (i - warmup)/(total - warmup)))), and base ratio from total on; with a ratio
/// of 1 it stays.
struct WarmRatio {
    std::int64_t total = 40000, warmup = 100;
    double base = 2e-3, ratio = 1;

    double operator()(std::int64_t i) const {
        if (i < warmup) return base * static_cast<double>(i) / static_cast<double>(warmup);
        if (i >= total) return base * ratio;
        const double part = std::numbers::pi * static_cast<double>(i - warmup) / static_cast<double>(total - warmup);
        const volatile double above = (1 - ratio) * 0.5 * (1 + std::cos(part));  // rounded before it is added: the
        return base * (ratio + above);                                           // authors' bits, without fused sums
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI::optim
