// SPDX-License-Identifier: Apache-2.0
// What the reduce verb does with the values of an axis: Sum, Max, Min.
#pragma once

#include <limits>

#include "dinomaly/core/math.hpp"
#include "dinomaly/core/packet.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

struct Sum {
    template <class T> static constexpr T identity = T(0);
    template <class P> DINOMALY_HD static P combine(P a, P b) { return a + b; }
    template <class T> DINOMALY_HD static T across(Packet<T> x) { return x.sum(); }
};

struct Max {
    template <class T> static constexpr T identity = -std::numeric_limits<T>::infinity();
    template <class P> DINOMALY_HD static P combine(P a, P b) { return math::max(a, b); }
    template <class T> DINOMALY_HD static T across(Packet<T> x) { return x.max(); }
};

struct Min {
    template <class T> static constexpr T identity = std::numeric_limits<T>::infinity();
    template <class P> DINOMALY_HD static P combine(P a, P b) { return math::min(a, b); }
    template <class T> DINOMALY_HD static T across(Packet<T> x) { return x.min(); }
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
