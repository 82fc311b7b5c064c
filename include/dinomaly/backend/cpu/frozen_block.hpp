// SPDX-License-Identifier: Apache-2.0
// Transformer blocks that never change, on the CPU: x += proj(mix(qkv(norm x))), x += mlp(norm x).
//
// All but the mixing of tokens works on rows, so a panel of rows goes through proj, the MLP and the next block's qkv
// (turned, where places are rotary) while it is in the second cache: between two attentions there is one pass over x,
// in one parallel loop. The hidden layer of the MLP never exists as a whole. The norms' scales and shifts and layer
// scales are folded into the weights (nn/frozen.hpp). x, sums and statistics are in full precision, qkv and what is
// mixed in A, products in W.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "dinomaly/backend/cpu/frozen_linear.hpp"
#include "dinomaly/backend/cpu/linear_attention.hpp"
#include "dinomaly/backend/rotary.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// y = (x - mean) / sqrt(variance + eps) for each row.
template <class T, class Y> void normalize_rows(std::int64_t rows, std::int64_t cols, const T* x, double eps, Y* y) {
    const Lane<T> lane;
    for (std::int64_t r = 0; r < rows; ++r, x += cols, y += cols) {
        const Packet<T> mean(lane.sum(cols, [&](auto at) { return at.load(x); }) / T(cols));
        const T variance = lane.sum(cols, [&](auto at) {
            const Packet<T> d = at.load(x) - mean;
            return d * d;
        }) / T(cols);
        const Packet<T> scale(T(1) / std::sqrt(variance + T(eps)));
        lane.each(cols, [&](auto at) { at.store(y, (at.load(x) - mean) * scale); });
    }
}

/// Scratch memory of one panel as it goes through a block's row-wise parts.
template <class A, class W, class T> class FrozenRows {
public:
    static constexpr bool is_coded = std::is_same_v<W, Code>;
    using Input = std::conditional_t<is_coded, A, W>;  // what layers take
    /// Rows of a panel: the more, the less often weights are read again, which for wide networks do not fit the caches;
    /// the fewer, the nearer stands what one step leaves to the next.
    static constexpr std::int64_t most = 144;

    /// For rows of `width` and MLPs with hidden layers of at most `hidden`.
    FrozenRows(std::int64_t width, std::int64_t hidden)
        : width_(width),
          qkv_width_(is_coded || width % Tile<float>::cols != 0 ? 3 * width : width),
          hidden_width_(is_coded ? hidden : std::min(hidden, hidden_part)),
          normal_(scratch<Input>(most * width)),
          hidden_(scratch<Input>(most * hidden_width_)),
          sums_(scratch<T>(most * width)) {}

    /// qkv [rows, 3 C] of x [rows, C].
    void enter(const FrozenBlock<FrozenLinear<W, T>>& block, std::int64_t rows, const T* x, A* qkv) {
        normalize_rows(rows, width_, x, block.norm1_eps, normal_.get());
        for (std::int64_t first = 0; first < 3 * width_; first += qkv_width_)
            block.qkv.apply(rows, normal_.get(), first, qkv_width_, qkv + first, 3 * width_, assign);
    }

    /// x += proj(mixed), x += mlp(norm2(x)).
    void leave(const FrozenBlock<FrozenLinear<W, T>>& block, std::int64_t rows, const A* mixed, T* x) {
        block.proj.apply(rows, mixed, 0, width_, x, width_, add);
        normalize_rows(rows, width_, x, block.norm2_eps, normal_.get());
        mlp(block.mlp, rows, x, add);
    }

    /// y = mlp(x), x [rows, C] in full precision.
    void through(const FrozenMlp<FrozenLinear<W, T>>& part, std::int64_t rows, const T* x, T* y) {
        std::transform(x, x + rows * width_, normal_.get(), [](T value) { return static_cast<Input>(value); });
        mlp(part, rows, y, assign);
    }

private:
    static constexpr std::int64_t hidden_part = 768;
    static constexpr auto assign = [](Packet<T> sum, const auto*, auto) { return sum; };
    static constexpr auto add = [](Packet<T> sum, const auto* y, auto at) { return at.load(y) + sum; };
    static constexpr auto gelu = [](Packet<T> sum, const auto*, auto) { return sum * math::normal_cdf(sum); };
    static constexpr auto silu = [](Packet<T> sum, const auto*, auto) { return sum * math::sigmoid(sum); };
    static constexpr auto multiply = [](Packet<T> sum, const auto* y, auto at) { return at.load(y) * sum; };

    /// y = f(mlp of normal_, y).
    template <class F> void mlp(const FrozenMlp<FrozenLinear<W, T>>& part, std::int64_t rows, T* y, const F& f) {
        const std::int64_t hidden = part.fc1.out();
        if constexpr (is_coded) {
            hide(part, rows, 0, hidden);
            part.fc2.apply(rows, hidden_.get(), 0, width_, y, width_, f);
        } else {
            for (std::int64_t first = 0; first < hidden; first += hidden_width_) {
                const std::int64_t count = std::min(hidden_width_, hidden - first);
                hide(part, rows, first, count);
                part.fc2.multiply_part(rows, hidden_.get(), first, count, sums_.get(), first > 0);
            }
            finish_rows(rows, width_, sums_.get(), part.fc2.bias(), y, width_, f);
        }
    }

    /// Values first .. first + count - 1 of the hidden layer, [rows, count].
    void hide(const FrozenMlp<FrozenLinear<W, T>>& part, std::int64_t rows, std::int64_t first, std::int64_t count) {
        if (!part.gated) return part.fc1.apply(rows, normal_.get(), first, count, hidden_.get(), count, gelu);
        part.fc1.apply(rows, normal_.get(), first, count, hidden_.get(), count, silu);
        part.gated->apply(rows, normal_.get(), first, count, hidden_.get(), count, multiply);
    }

    std::int64_t width_;
    std::int64_t qkv_width_;     // outputs of qkv that are done at a time; codes of a row are made once, for all
    std::int64_t hidden_width_;  // of the hidden layer likewise; both begin at panels of the weights
    std::shared_ptr<Input> normal_, hidden_;
    std::shared_ptr<T> sums_;  // of fc2
};

/// Calls body(scratch, first row, rows) for every panel of rows.
template <class A, class W, class T, class Body>
void each_frozen_panel(std::int64_t rows, std::int64_t width, std::int64_t hidden, const Body& body) {
    const RowPanels panels(rows, FrozenRows<A, W, T>::most);
    parallel_for(panels.count(), [&](std::int64_t i) {
        FrozenRows<A, W, T> scratch(width, hidden);
        body(scratch, panels.first(i), panels.first(i + 1) - panels.first(i));
    });
}

}  // namespace detail

/// y [rows, C] = mlp(x) in full precision.
template <class A, class W, class T>
void frozen_mlp(Cpu<A>, const FrozenMlp<FrozenLinear<W, T>>& mlp, std::int64_t rows, const T* x, T* y) {
    const std::int64_t width = mlp.fc1.in();
    const auto run = [&](auto& panel, std::int64_t first, std::int64_t count) {
        panel.through(mlp, count, x + first * width, y + first * width);
    };
    detail::each_frozen_panel<A, W, T>(rows, width, mlp.fc1.out(), run);
}

/// Runs blocks over x [B, N, C], in full precision and in place. The output of block i is added to sums[i] [B, N, C]
/// where that is not null.
template <class A, class W, class T>
void frozen_blocks(Cpu<A>, const std::vector<FrozenBlock<FrozenLinear<W, T>>>& blocks, std::int64_t batch,
                   std::int64_t tokens, T* x, const std::vector<T*>& sums, const FrozenPlaces<T>& places = {}) {
    if (blocks.empty() || batch * tokens == 0) return;
    const std::int64_t rows = batch * tokens, width = blocks[0].qkv.in();
    std::int64_t hidden = 0;
    for (const auto& block : blocks) hidden = std::max(hidden, block.mlp.fc1.out());
    const std::shared_ptr<A> qkv = scratch<A>(rows * 3 * width), mixed = scratch<A>(rows * width);
    const auto sizes_of = [&](const auto& block) {
        return AttentionSizes{batch, tokens, block.heads, width / block.heads};
    };
    const auto enter = [&](auto& panel, const auto& block, std::int64_t first, std::int64_t count) {
        panel.enter(block, count, x + first * width, qkv.get() + first * 3 * width);
        if (places.rotation.patches == 0) return;
        const RotaryRow<A, T> turn{sizes_of(block), places.rotation, qkv.get(), qkv.get(), T(1), false};
        for (std::int64_t row = first; row < first + count; ++row) turn(Lane<T>{}, row);
    };
    const auto each_panel = [&](const auto& body) { detail::each_frozen_panel<A, W, T>(rows, width, hidden, body); };
    each_panel([&](auto& panel, std::int64_t first, std::int64_t count) { enter(panel, blocks[0], first, count); });
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const FrozenBlock<FrozenLinear<W, T>>& block = blocks[i];
        if (block.is_linear)
            linear_attention_forward(Cpu<A>{}, sizes_of(block), static_cast<T>(block.attention_eps), qkv.get(),
                                     mixed.get());
        else
            attention_forward(Cpu<A>{}, sizes_of(block), qkv.get(), mixed.get(), static_cast<T*>(nullptr),
                              places.biases.empty() ? nullptr : places.biases[i]);
        each_panel([&](auto& panel, std::int64_t first, std::int64_t count) {
            T* part = x + first * width;
            panel.leave(block, count, mixed.get() + first * width, part);
            if (sums[i] != nullptr)
                Lane<T>{}.each(count * width, [&](auto at) {
                    T* sum = sums[i] + first * width;
                    at.store(sum, at.load(sum) + at.load(part));
                });
            if (i + 1 < blocks.size()) enter(panel, blocks[i + 1], first, count);
        });
    }
}

/// The tokens of pictures: rows of x, `x_stride` elements from picture to picture, = the projected patches plus their
/// position [h w, C] unless that is null; full precision in and out.
template <class A, class W, class T>
void frozen_patches(Cpu<A>, const FrozenLinear<W, T>& projection, const PatchSizes& sizes, const T* images,
                    const T* position, T* x, std::int64_t x_stride) {
    const std::int64_t channels = projection.out(), inputs = projection.in(), patch = sizes.patch;
    const RowPanels panels(sizes.count());
    parallel_for(sizes.batch * panels.count(), [&](std::int64_t task) {
        using Input = typename detail::FrozenRows<A, W, T>::Input;
        const std::int64_t picture = task / panels.count(), panel = task % panels.count();
        const std::int64_t first = panels.first(panel), rows = panels.first(panel + 1) - first;
        const T* image = images + picture * sizes.planes * sizes.height * sizes.width;
        const std::shared_ptr<Input> pixels = scratch<Input>(rows * inputs);
        Input* to = pixels.get();
        for (std::int64_t r = first; r < first + rows; ++r)
            for (std::int64_t plane = 0; plane < sizes.planes; ++plane)
                for (std::int64_t line = 0; line < patch; ++line) {
                    const T* from = image + (plane * sizes.height + r / sizes.cols() * patch + line) * sizes.width +
                                    r % sizes.cols() * patch;
                    for (std::int64_t i = 0; i < patch; ++i) *to++ = static_cast<Input>(from[i]);
                }
        T* tokens = x + picture * x_stride + first * channels;
        if (position != nullptr)
            std::copy_n(position + first * channels, rows * channels, tokens);
        else
            std::fill_n(tokens, rows * channels, T(0));
        projection.apply(rows, pixels.get(), 0, channels, tokens, channels,
                         [](Packet<T> sum, const T* place, auto at) { return at.load(place) + sum; });
    });
}

/// The layer that blocks are made of on a device, with products in W.
template <class A, class W>
auto frozen_linear(Cpu<A>, std::type_identity<W>, std::int64_t n, std::int64_t k,
                   const std::vector<typename Cpu<A>::compute_type>& w,
                   std::vector<typename Cpu<A>::compute_type> bias) {
    return FrozenLinear<W, typename Cpu<A>::compute_type>(n, k, w.data(), std::move(bias));
}

/// Pictures that go through the blocks together: a single one stays in cache.
template <class A> std::int64_t pictures_together(Cpu<A>, std::int64_t) {
    return 1;
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
