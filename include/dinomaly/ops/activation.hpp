// SPDX-License-Identifier: Apache-2.0
// relu, elu, gelu (the exact form, with erf) and silu: value and slope of each.
#pragma once

#include "dinomaly/autodiff/materialize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace op {

/// y = max(x, 0); a NaN stays.
struct Relu : AnySlope {
    static constexpr const char* name = "relu";
    template <class T> DINOMALY_HD T value(T x) const { return math::max(T(0), x); }
    template <class T> DINOMALY_HD T slope(T x, T) const { return math::select(x > T(0), T(1), T(0)); }
};

/// y = x for x > 0, else e^x - 1.
struct Elu : AnySlope {
    static constexpr const char* name = "elu";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const {
        return math::select(x > T(0), x, math::exp(math::min(T(0), x)) - T(1));
    }
    template <class T> DINOMALY_HD T slope(T x, T y) const { return math::select(x > T(0), T(1), y + T(1)); }
};

/// y = x Phi(x), the exact form.
struct Gelu : AnySlope {
    static constexpr const char* name = "gelu";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return x * math::normal_cdf(x); }
    template <class T> DINOMALY_HD T slope(T x, T) const { return math::normal_cdf(x) + x * math::normal_pdf(x); }
};

/// y = x sigmoid(x).
struct Silu : AnySlope {
    static constexpr const char* name = "silu";
    static constexpr bool is_long = true;
    template <class T> DINOMALY_HD T value(T x) const { return x * math::sigmoid(x); }
    template <class T> DINOMALY_HD T slope(T x, T y) const {
        const T s = math::sigmoid(x);
        return s + y * (T(1) - s);
    }
};

}  // namespace op

template <Operand X> auto relu(X&& x) {
    return make_map(op::Relu{}, std::forward<X>(x));
}
template <Operand X> auto elu(X&& x) {
    return make_map(op::Elu{}, std::forward<X>(x));
}
template <Operand X> auto gelu(X&& x) {
    return make_map(op::Gelu{}, std::forward<X>(x));
}
template <Operand X> auto silu(X&& x) {
    return make_map(op::Silu{}, std::forward<X>(x));
}

}  // namespace dinomaly::inline DINOMALY_ABI
