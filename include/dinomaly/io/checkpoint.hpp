// SPDX-License-Identifier: Apache-2.0
// Parameters of a module from and to a StateDict, by name.
//
// Loading checks everything first and reports all that is wrong at once: names the model misses, names it does not
// know, shapes that differ. Only when all is well are values replaced, in place: an optimiser that holds the parameters
// sees the loaded values.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/nn/module.hpp"

namespace dinomaly::io {

/// How a module's parameters and a file's names match.
struct WeightReport {
    std::vector<std::string> missing;    ///< the module has it, the file does not
    std::vector<std::string> extra;      ///< the file has it, the module does not
    std::vector<std::string> misshaped;  ///< "name: found F32 [..], expected [..]"

    bool complete() const { return missing.empty() && extra.empty() && misshaped.empty(); }

    /// All of it, one line a kind.
    std::string text() const {
        std::string out;
        const auto list = [&](const char* kind, const std::vector<std::string>& names) {
            if (names.empty()) return;
            out += std::string(out.empty() ? "" : "\n") + "  " + kind + " (" + std::to_string(names.size()) + "): ";
            for (std::size_t i = 0; i < names.size(); ++i) out += (i ? ", " : "") + names[i];
        };
        list("missing", missing);
        list("not known", extra);
        list("of another shape or type", misshaped);
        return out;
    }
};

/// A device without memory: modules on it have names and shapes alone. A file is compared with such an outline before
/// memory is taken for a model, so that a damaged one cannot ask for much.
struct ShapesOnly {
    using value_type = float;
    using compute_type = float;
    using full = ShapesOnly;

    static std::shared_ptr<void> allocate(std::size_t) { return std::make_shared<char>(); }
    static void zero(void*, std::size_t) {}
    static void fill(float*, std::size_t, float) {}
    static void upload(void*, const void*, std::size_t) {}
    static void download(void*, const void*, std::size_t) {}
    static void copy(void*, const void*, std::size_t) {}
};

/// Compares names and shapes of a module with the tensors of a file that begin with prefix.
template <class M> WeightReport compare_weights(M& module, const StateDict& dict, const std::string& prefix = "") {
    WeightReport report;
    std::set<std::string> known;
    nn::for_each_parameter(module, [&](const std::string& name, auto& p) {
        known.insert(prefix + name);
        const RawTensor* raw = dict.find(prefix + name);
        if (raw == nullptr) {
            report.missing.push_back(prefix + name);
        } else if (raw->shape != p.shape() || !is_floating(raw->dtype)) {
            std::ostringstream text;
            text << prefix << name << ": found " << dtype_name(raw->dtype) << ' ' << raw->shape << ", expected "
                 << p.shape();
            report.misshaped.push_back(text.str());
        }
    });
    for (const auto& [name, raw] : dict)
        if (name.starts_with(prefix) && !known.contains(name)) report.extra.push_back(name);
    return report;
}

/// Tells names that neither have to be in a file nor to be known to the module.
using Ignored = std::function<bool(const std::string&)>;

inline bool nothing_ignored(const std::string&) {
    return false;
}

/// Throws Error with the whole report unless the tensors of a file that begin with prefix fit the module.
template <class M>
void check_weights(M& module, const StateDict& dict, const std::string& prefix = "",
                   const Ignored& ignored = nothing_ignored) {
    WeightReport report = compare_weights(module, dict, prefix);
    std::erase_if(report.missing, ignored);
    std::erase_if(report.extra, ignored);
    check(report.complete(), dict.source().c_str(), "the weights do not fit the model:\n", report.text());
}

/// Fills a module from the tensors of a file that begin with prefix. Throws as check_weights does; nothing is changed
/// then.
template <class M>
void load_weights(M& module, const StateDict& dict, const std::string& prefix = "",
                  const Ignored& ignored = nothing_ignored) {
    check_weights(module, dict, prefix, ignored);
    nn::for_each_parameter(module, [&]<Device D>(const std::string& name, Var<D>& p) {
        using T = typename D::value_type;
        if (!dict.contains(prefix + name)) return;
        const std::vector<T> values = dict.as<T>(prefix + name);
        D::upload(p.value().data(), values.data(), values.size() * sizeof(T));
    });
}

/// Adds a tensor in full precision to a file's contents, as F32 or F64.
template <Device D>
requires std::same_as<D, Full<D>>
void store_tensor(StateDict& dict, const std::string& name, const Tensor<D>& tensor) {
    using T = typename D::value_type;
    const std::vector<T> values = tensor.to_vector();
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    dict.insert(name, std::is_same_v<T, double> ? DType::f64 : DType::f32, tensor.shape(),
                SharedBytes::own(std::move(bytes)));
}

/// Adds all parameters of a module to a file's contents, their names behind prefix.
template <class M> void store_weights(M& module, StateDict& dict, const std::string& prefix = "") {
    nn::for_each_parameter(module,
                           [&](const std::string& name, auto& p) { store_tensor(dict, prefix + name, p.value()); });
}

}  // namespace dinomaly::io
