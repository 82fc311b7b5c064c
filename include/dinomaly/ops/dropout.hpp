// SPDX-License-Identifier: Apache-2.0
// dropout: y = x * m, where m is 0 with probability p and 1/(1-p) otherwise, as part of a formula.
//
// m is a function of (seed, stream, element index), computed where it is needed: no mask is stored, and backward,
// another backend and a resumed run draw the same one. Srivastava et al., Dropout, 2014 (the inverted form).
#pragma once

#include "dinomaly/ops/arithmetic.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// x with a fraction p of its elements zeroed and the rest scaled by 1/(1-p); 0 <= p < 1. Give each use in a step its
/// own stream. A number in the device's memory, *step, is added to the stream where step is not null (core/cell.hpp).
template <Operand X> auto dropout(X&& x, double p, Philox random, const std::uint64_t* step = nullptr) {
    check(p >= 0 && p < 1, "dropout", "probability ", p, ", 0 <= p < 1 expected");
    using D = device_of<X>;
    return make_map(op::Multiply{}, std::forward<X>(x), DropoutFactor<D>{random, p, step});
}

}  // namespace dinomaly::inline DINOMALY_ABI
