// SPDX-License-Identifier: Apache-2.0
// Functions of core/math.hpp by the standard library: for double, where accuracy comes before speed, and for all types
// on the device. A vector is handled lane by lane.
#pragma once

#include <cmath>
#include <type_traits>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::math::lanes {

/// function(x) of a scalar, function(x[i]) of every lane of a vector.
template <class V, class Function> DINOMALY_HD V each(V x, Function function) {
    if constexpr (std::is_arithmetic_v<V>) {
        return function(x);
    } else {
        for (unsigned i = 0; i < sizeof x / sizeof x[0]; ++i) x[i] = function(x[i]);
        return x;
    }
}

template <class V> DINOMALY_HD V exp(V x) {
    return each(x, [](auto e) { return std::exp(e); });
}
template <class V> DINOMALY_HD V log(V x) {
    return each(x, [](auto e) { return std::log(e); });
}
template <class V> DINOMALY_HD V tanh(V x) {
    return each(x, [](auto e) { return std::tanh(e); });
}
template <class V> DINOMALY_HD V erf(V x) {
    return each(x, [](auto e) { return std::erf(e); });
}
template <class V> DINOMALY_HD V sin(V x) {
    return each(x, [](auto e) { return std::sin(e); });
}
template <class V> DINOMALY_HD V cos(V x) {
    return each(x, [](auto e) { return std::cos(e); });
}
template <class V> DINOMALY_HD V pow(V x, V y) {
    if constexpr (std::is_arithmetic_v<V>) {
        return std::pow(x, y);
    } else {
        for (unsigned i = 0; i < sizeof x / sizeof x[0]; ++i) x[i] = std::pow(x[i], y[i]);
        return x;
    }
}
/// By erfc, which keeps the relative accuracy of the lower tail; for float, on the device, by erf, which takes half of
/// the time and leaves an absolute error of a few 1e-8.
template <class V> DINOMALY_HD V normal_cdf(V x) {
    return each(x, [](auto e) {
        using T = decltype(e);
        constexpr T root = T(0.70710678118654752440);
        if constexpr (std::is_same_v<T, float>)
            return T(0.5) + T(0.5) * std::erf(e * root);
        else
            return T(0.5) * std::erfc(-e * root);
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::math::lanes
