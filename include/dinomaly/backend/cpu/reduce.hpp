// SPDX-License-Identifier: Apache-2.0
// The reduce verb on the CPU: y [outer, inner] = op over the middle axis of x [outer, n, inner].
//
// Long sums are cut into parts by size alone and the parts are combined in order, so the result does not depend on the
// number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/backend/reductions.hpp"
#include "dinomaly/core/packet.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// One value from n neighbours.
template <class Op, class T> T reduce_row(const T* x, std::int64_t n) {
    constexpr int width = Packet<T>::width;
    Packet<T> total(Op::template identity<T>);
    std::int64_t i = 0;
    for (; i + width <= n; i += width) total = Op::combine(total, Packet<T>::load(x + i));
    if (i < n) {
        const int rest = static_cast<int>(n - i);
        total = Op::combine(total, keep_first(Packet<T>::load(x + i, rest), rest, Op::template identity<T>));
    }
    return Op::across(total);
}

/// y [inner] from x [n, inner].
template <class Op, class T> void reduce_columns(const T* x, std::int64_t n, std::int64_t inner, T* y) {
    if (inner == 1) {
        *y = reduce_row<Op>(x, n);
        return;
    }
    constexpr int width = Packet<T>::width;
    std::fill_n(y, inner, Op::template identity<T>);
    for (std::int64_t row = 0; row < n; ++row, x += inner) {
        std::int64_t i = 0;
        for (; i + width <= inner; i += width) Op::combine(Packet<T>::load(y + i), Packet<T>::load(x + i)).store(y + i);
        if (i < inner) {
            const int rest = static_cast<int>(inner - i);
            Op::combine(Packet<T>::load(y + i, rest), Packet<T>::load(x + i, rest)).store(y + i, rest);
        }
    }
}

}  // namespace detail

/// y [outer, inner] = Op over axis 1 of x [outer, n, inner].
template <class Op, class T>
void reduce(Cpu<T>, Op, std::int64_t outer, std::int64_t n, std::int64_t inner, const T* x, T* y) {
    if (outer * inner == 0) return;
    const std::int64_t parts =
        std::clamp<std::int64_t>(n * inner / 32768, 1, std::min<std::int64_t>(16, std::max<std::int64_t>(n, 1)));
    if (parts == 1 || outer >= 64) {
        parallel_ranges(outer, std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(1, n * inner)),
                        [&](std::int64_t first, std::int64_t last) {
                            for (std::int64_t o = first; o < last; ++o)
                                detail::reduce_columns<Op>(x + o * n * inner, n, inner, y + o * inner);
                        });
        return;
    }
    const std::shared_ptr<void> scratch = Cpu<T>::allocate(static_cast<std::size_t>(outer * parts * inner) * sizeof(T));
    T* const partial = static_cast<T*>(scratch.get());
    parallel_for(outer * parts, [&](std::int64_t task) {
        const std::int64_t o = task / parts, part = task % parts;
        const std::int64_t first = n * part / parts, last = n * (part + 1) / parts;
        detail::reduce_columns<Op>(x + (o * n + first) * inner, last - first, inner, partial + task * inner);
    });
    for (std::int64_t o = 0; o < outer; ++o)
        detail::reduce_columns<Op>(partial + o * parts * inner, parts, inner, y + o * inner);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
