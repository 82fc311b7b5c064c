// SPDX-License-Identifier: Apache-2.0
// Replay on the CPU: a sequence of verbs that runs again and again is simply run.
#pragma once

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/core/tensor.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// See backend/cuda/replay.hpp, where a sequence is recorded.
template <class D> class Replay;

template <class T> class Replay<Cpu<T>> {
public:
    /// The tensor that the sequence is to read in place of `input`.
    template <Device Stored> static void feed(Tensor<Stored>& held, const Tensor<Stored>& input) { held = input; }
    /// Gives a tensor that the sequence read or wrote back, after it was read.
    template <Device Stored> static void let_go(Tensor<Stored>& held) { held = {}; }
    /// Runs body().
    template <class Body> void run(const Body& body) { body(); }
    /// Records anew at the next run.
    void forget() {}
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
