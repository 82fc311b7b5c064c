// SPDX-License-Identifier: Apache-2.0
// Modules are plain structs whose members are parameters and other modules, with one line that names them:
//
//     void each(auto&& visit) { visit("weight", weight); visit("bias", bias); }
//
// The names are those of the published checkpoints. Everything that walks a model is a free function over each():
// counting, freezing, loading, saving. An undefined parameter is one that this model does not have (no registers).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "dinomaly/autodiff/expr.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// A learned value of a module, in full precision. Frozen ones are constants: what is computed from them alone records
/// nothing.
template <Device D> using Param = Var<Full<D>>;

}  // namespace dinomaly::inline DINOMALY_ABI

namespace dinomaly::nn::inline DINOMALY_ABI {

namespace detail {

template <class T> inline constexpr bool is_list = false;
template <class M> inline constexpr bool is_list<std::vector<M>> = true;
template <class T> inline constexpr bool is_choice = false;
template <class... Ms> inline constexpr bool is_choice<std::variant<Ms...>> = true;

/// Visits a parameter, the members of a module, a list of modules, which are numbered, or the one module of a choice.
template <class T, class F> void walk(const std::string& name, T& part, const F& f) {
    if constexpr (Operand<T>) {
        if (part.value().defined()) f(name, part);
    } else if constexpr (is_list<T>) {
        for (std::size_t i = 0; i < part.size(); ++i) walk(name + '.' + std::to_string(i), part[i], f);
    } else if constexpr (is_choice<T>) {
        std::visit([&](auto& chosen) { walk(name, chosen, f); }, part);
    } else {
        part.each([&](const std::string& member, auto& child) {
            walk(name.empty() ? member : name + '.' + member, child, f);
        });
    }
}

}  // namespace detail

/// f(module), or f of the one module of a choice.
template <class M, class F> decltype(auto) with_module(const M& module, const F& f) {
    if constexpr (detail::is_choice<M>)
        return std::visit(f, module);
    else
        return f(module);
}

/// Calls f(name, parameter) for every parameter, in the order of the members; names are dotted, as in checkpoints.
template <class M, class F> void for_each_parameter(M& module, const F& f, const std::string& prefix = "") {
    detail::walk(prefix, module, f);
}

/// Makes every parameter a constant: nothing is recorded for it and it never changes.
template <class M> void freeze(M& module) {
    for_each_parameter(module, [](const std::string&, auto& p) { p = p.detach(); });
}

/// Makes every parameter one that wants a gradient.
template <class M> void unfreeze(M& module) {
    for_each_parameter(module, [](const std::string&, auto& p) { p = parameter(p.value()); });
}

/// Forgets every gradient, so that the next backward() starts anew.
template <class M> void clear_gradients(M& module) {
    for_each_parameter(module, [](const std::string&, auto& p) { p.clear_grad(); });
}

/// Number of values in all parameters.
template <class M> std::int64_t parameter_count(M& module) {
    std::int64_t count = 0;
    for_each_parameter(module, [&](const std::string&, auto& p) { count += p.count(); });
    return count;
}

}  // namespace dinomaly::nn::inline DINOMALY_ABI
