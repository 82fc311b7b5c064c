// SPDX-License-Identifier: Apache-2.0
// The move verb on the CPU: copies (or adds) a block of elements between two strided layouts of the same sizes.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "dinomaly/backend/cpu/device.hpp"
#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/packet.hpp"
#include "dinomaly/core/view.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// target[i] = source[i], or += on request, for every index i of `sizes`, each side under its own element strides.
template <class T>
void move(Cpu<T>, const Shape& sizes, T* target, const Strides& target_strides, const T* source,
          const Strides& source_strides, bool adds = false) {
    std::vector<Strides> strides{target_strides, source_strides};
    const Grid grid = make_grid(sizes, strides);
    if (grid.count() == 0) return;
    const auto row_axis = static_cast<std::size_t>(grid.outer);
    const std::int64_t to_step = strides[0][row_axis], from_step = strides[1][row_axis];
    parallel_ranges(grid.rows, std::max<std::int64_t>(1, 16384 / grid.cols),
                    [&](std::int64_t first, std::int64_t last) {
                        for (std::int64_t r = first; r < last; ++r) {
                            const Row row = Row::of(grid, r);
                            T* to = target + row.offset(strides[0]);
                            const T* from = source + row.offset(strides[1]);
                            if (!adds && to_step == 1 && from_step == 1)
                                std::memcpy(to, from, static_cast<std::size_t>(grid.cols) * sizeof(T));
                            else if (adds)
                                for (std::int64_t c = 0; c < grid.cols; ++c)
                                    to[c * to_step] = static_cast<T>(to[c * to_step] + from[c * from_step]);
                            else
                                for (std::int64_t c = 0; c < grid.cols; ++c) to[c * to_step] = from[c * from_step];
                        }
                    });
}

/// y = a + b for `count` elements; y may be a or b.
template <class S> void add(Cpu<S>, std::int64_t count, const S* a, const S* b, S* y) {
    using Lanes = Packet<typename Cpu<S>::compute_type>;
    parallel_ranges(count, 32768, [&](std::int64_t i, std::int64_t last) {
        for (; i + Lanes::width <= last; i += Lanes::width) (Lanes::load(a + i) + Lanes::load(b + i)).store(y + i);
        if (i < last) {
            const int rest = static_cast<int>(last - i);
            (Lanes::load(a + i, rest) + Lanes::load(b + i, rest)).store(y + i, rest);
        }
    });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
