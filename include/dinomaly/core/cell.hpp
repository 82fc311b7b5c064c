// SPDX-License-Identifier: Apache-2.0
// Cell: one value in a device's memory that the host sets and kernels read.
//
// What changes from step to step (a count, a rate) goes through cells, so that a sequence of kernels can be recorded
// once and replayed with new values.
#pragma once

#include <memory>
#include <type_traits>

#include "dinomaly/core/concepts.hpp"

namespace dinomaly::inline DINOMALY_ABI {

template <Device D, class S> class Cell {
public:
    static_assert(std::is_trivially_copyable_v<S>);

    explicit Cell(const S& value = {}) : memory_(std::static_pointer_cast<S>(D::allocate(sizeof(S)))) { set(value); }

    /// For the kernels that come after; those handed out before still read the last value.
    void set(const S& value) { D::upload(memory_.get(), &value, sizeof value); }

    /// For kernels.
    const S* data() const { return memory_.get(); }

private:
    std::shared_ptr<S> memory_;
};

}  // namespace dinomaly::inline DINOMALY_ABI
