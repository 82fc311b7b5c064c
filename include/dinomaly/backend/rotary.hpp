// SPDX-License-Identifier: Apache-2.0
// rotary: turns queries and keys by angles of their token's place (Su et al., RoFormer, 2021), once for every device.
//
//   y_c = x_c cos_c - x_(c + d/2) sin_c,  y_(c + d/2) = x_(c + d/2) cos_c + x_c sin_c,  c < d/2
//
// of every head of q and k [B, N, 3, H, d], for the last tokens, which are patches; the tokens before and v stay as
// they are. A turn's transpose is the turn back: with the sine's sign changed the same kernel is the gradient.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dinomaly/backend/operands.hpp"
#include "dinomaly/core/packet.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// A token's turn, as a kernel of rows.
template <class S, class T> struct RotaryRow {
    AttentionSizes sizes;
    RotaryTable<T> table;
    const S* from;
    S* to;   // may be `from`
    T sign;  // -1 turns back
    bool adds;

    template <class Lane> DINOMALY_HD void operator()(const Lane& lane, std::int64_t row) const {
        const std::int64_t width = sizes.width(), half = sizes.head_dim / 2;
        const std::int64_t patch = row % sizes.tokens - (sizes.tokens - table.patches);
        const std::int64_t turned = patch < 0 ? 0 : 2 * width;  // elements of q and k
        const S* x = from + row * 3 * width;
        S* y = to + row * 3 * width;
        const auto put = [&](auto at, S* place, Packet<T> value) {
            at.store(place, adds ? at.load(place) + value : value);
        };
        for (std::int64_t head = 0; head < turned; head += sizes.head_dim)
            lane.each(half, [&](auto at) {
                const Packet<T> a = at.load(x + head), b = at.load(x + head + half);
                const Packet<T> cosine = at.load(table.cos + patch * half),
                                sine = at.load(table.sin + patch * half) * Packet<T>(sign);
                put(at, y + head, a * cosine - b * sine);
                put(at, y + head + half, b * cosine + a * sine);
            });
        if (from != to) lane.each(3 * width - turned, [&](auto at) { put(at, y + turned, at.load(x + turned)); });
    }
};

/// y [B, N, 3, H, d] = qkv turned, or turned back where sign is -1; adds to y on request. y may be qkv.
template <class D, class S, class T>
void rotary(D device, const AttentionSizes& s, const RotaryTable<T>& table, const S* qkv, S* y, T sign = 1,
            bool adds = false) {
    constexpr std::int64_t most = 2048;  // what a warp of a GPU takes as a row
    rows(device, s.batch * s.tokens, std::min(most, 3 * s.width()), RotaryRow<S, T>{s, table, qkv, y, sign, adds});
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
