// SPDX-License-Identifier: Apache-2.0
// Device: the one parameter of every tensor, variable and module. It says where values live and in which type.
//
// value_type is the storage type of activations, compute_type that of formulas, sums and statistics, and `full` the
// device of the same place that stores the latter: parameters and their gradients live there, and so do statistics and
// losses. Cpu<float> is its own full device; that of Cpu<bfloat16> is Cpu<float>. The backends supply the devices
// (backend/cpu/device.hpp); core only names what it needs of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// A place for tensors: memory that comes back through a shared_ptr, and copies from and to the host and within.
template <class D>
concept Device = requires(void* target, const void* source, std::size_t bytes, typename D::value_type* values,
                          typename D::value_type value) {
    typename D::value_type;
    typename D::compute_type;
    typename D::full;
    { D::allocate(bytes) } -> std::same_as<std::shared_ptr<void>>;
    D::zero(target, bytes);
    D::fill(values, bytes, value);
    D::upload(target, source, bytes);
    D::download(target, source, bytes);
    D::copy(target, source, bytes);
};

/// The device at the same place that stores values in full precision.
template <Device D> using Full = typename D::full;

}  // namespace dinomaly::inline DINOMALY_ABI
