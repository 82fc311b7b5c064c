// SPDX-License-Identifier: Apache-2.0
// Modules that never change, prepared for use: exact algebra folds what can be folded into weights that are packed
// once.
//
//   norm, then linear     w (n g + h) + b = (w g) n + (w h + b)     the norm's scale g and shift h leave
//   linear, then scale    s (w x + b) = (s w) x + s b               the layer scale s leaves
//   linear, then linear   w (v x + a) + b = (w v) x + (w a + b)     one layer is left
//
// W is the type of products: that of the device, or backend::Code for 8-bit codes. Activations between are those of the
// device, residuals and sums in full precision. The results equal the plain modules' but for rounding, and there is no
// gradient.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "dinomaly/backend/verbs.hpp"
#include "dinomaly/nn/block.hpp"
#include "dinomaly/nn/linear_attention.hpp"
#include "dinomaly/nn/vit.hpp"

namespace dinomaly::nn::inline DINOMALY_ABI {

namespace detail {

/// A linear layer on the host while its neighbours are folded into it, in double.
class Folding {
public:
    template <Device D> explicit Folding(const Linear<D>& linear) : Folding(linear.weight, linear.bias) {}
    /// weight [N, ..], flattened to [N, K], and bias [N].
    template <Device F>
    Folding(const Var<F>& weight, const Var<F>& bias)
        : n_(weight.size(0)),
          k_(weight.count() / std::max<std::int64_t>(n_, 1)),
          w_(doubles(weight)),
          b_(doubles(bias)) {}

    /// What comes before: y = x * scale + shift.
    template <Device D> Folding after(const LayerNorm<D>& norm) && {
        const std::vector<double> scale = doubles(norm.weight), shift = doubles(norm.bias);
        for (std::int64_t o = 0; o < n_; ++o)
            for (std::int64_t i = 0; i < k_; ++i) {
                double& w = w_[static_cast<std::size_t>(o * k_ + i)];
                b_[static_cast<std::size_t>(o)] += w * shift[static_cast<std::size_t>(i)];
                w *= scale[static_cast<std::size_t>(i)];
            }
        return std::move(*this);
    }

    /// What comes after: y * gamma, or nothing.
    template <Device D> Folding before(const LayerScale<D>& scale) && {
        if (!scale.is_learned) return std::move(*this);
        const std::vector<double> gamma = doubles(scale.gamma);
        for (std::int64_t o = 0; o < n_; ++o) {
            const double factor = gamma[static_cast<std::size_t>(o)];
            for (std::int64_t i = 0; i < k_; ++i) w_[static_cast<std::size_t>(o * k_ + i)] *= factor;
            b_[static_cast<std::size_t>(o)] *= factor;
        }
        return std::move(*this);
    }
    template <Device D> Folding before(const NoScale<D>&) && { return std::move(*this); }

    /// What comes before: another linear layer.
    template <Device D> Folding after(const Linear<D>& linear) && {
        const Folding first(linear);
        Folding both(*this);
        both.k_ = first.k_;
        both.w_.assign(static_cast<std::size_t>(n_ * first.k_), 0.0);
        for (std::int64_t o = 0; o < n_; ++o)
            for (std::int64_t i = 0; i < k_; ++i) {
                const double w = w_[static_cast<std::size_t>(o * k_ + i)];
                both.b_[static_cast<std::size_t>(o)] += w * first.b_[static_cast<std::size_t>(i)];
                for (std::int64_t k = 0; k < first.k_; ++k)
                    both.w_[static_cast<std::size_t>(o * first.k_ + k)] +=
                        w * first.w_[static_cast<std::size_t>(i * first.k_ + k)];
            }
        return both;
    }

    /// The layer that runs on D with products in W.
    template <Device D, class W> auto prepared() const {
        using T = typename D::compute_type;
        return backend::frozen_linear(D{}, std::type_identity<W>{}, n_, k_, std::vector<T>(w_.begin(), w_.end()),
                                      std::vector<T>(b_.begin(), b_.end()));
    }

private:
    template <Device F> static std::vector<double> doubles(const Var<F>& x) {
        const auto values = x.value().to_vector();
        return {values.begin(), values.end()};
    }

    std::int64_t n_, k_;
    std::vector<double> w_, b_;
};

}  // namespace detail

/// A linear layer prepared for device D with products in W.
template <Device D, class W>
using FrozenLinear = decltype(std::declval<const detail::Folding&>().template prepared<D, W>());

/// fc2(gelu(fc1(x))) of two layers, packed.
template <class W, Device D> auto freeze_mlp(const Linear<D>& fc1, const Linear<D>& fc2) {
    return backend::FrozenMlp<FrozenLinear<D, W>>{detail::Folding(fc1).template prepared<D, W>(),
                                                  detail::Folding(fc2).template prepared<D, W>()};
}

/// The same with a linear layer before fc1, of which fc1 takes up what it does.
template <class W, Device D> auto freeze_mlp(const Linear<D>& first, const Linear<D>& fc1, const Linear<D>& fc2) {
    return backend::FrozenMlp<FrozenLinear<D, W>>{detail::Folding(fc1).after(first).template prepared<D, W>(),
                                                  detail::Folding(fc2).template prepared<D, W>()};
}

/// The MLP of a block between its norm and its scale, folded and packed.
template <class W, Device D, class Scale>
auto freeze_mlp(const LayerNorm<D>& norm, const Mlp<D>& mlp, const Scale& scale) {
    using detail::Folding;
    return backend::FrozenMlp<FrozenLinear<D, W>>{Folding(mlp.fc1).after(norm).template prepared<D, W>(),
                                                  Folding(mlp.fc2).before(scale).template prepared<D, W>()};
}
template <class W, Device D, class Scale>
auto freeze_mlp(const LayerNorm<D>& norm, const GatedMlp<D>& mlp, const Scale& scale) {
    using detail::Folding;
    const NoGrad frozen;
    return backend::FrozenMlp<FrozenLinear<D, W>>{Folding(mlp.half(0)).after(norm).template prepared<D, W>(),
                                                  Folding(mlp.w3).before(scale).template prepared<D, W>(),
                                                  Folding(mlp.half(1)).after(norm).template prepared<D, W>()};
}

/// A nn::Block, folded and packed.
template <class W, class B> auto freeze_block(const B& block) {
    using D = typename B::device;
    using detail::Folding;
    backend::FrozenBlock<FrozenLinear<D, W>> frozen{
        .norm1_eps = block.norm1.eps,
        .norm2_eps = block.norm2.eps,
        .heads = block.attn.heads,
        .is_linear = false,
        .attention_eps = 0,
        .qkv = Folding(block.attn.qkv).after(block.norm1).template prepared<D, W>(),
        .proj = Folding(block.attn.proj).before(block.ls1).template prepared<D, W>(),
        .mlp = with_module(block.mlp, [&](const auto& mlp) { return freeze_mlp<W>(block.norm2, mlp, block.ls2); })};
    if constexpr (std::same_as<decltype(block.attn), LinearAttention<typename B::device>>) {
        frozen.is_linear = !block.attn.is_softmax;
        frozen.attention_eps = block.attn.eps;
    }
    return frozen;
}

/// A vision transformer up to its last block that is wanted, for pictures of any size.
template <Device D, class W = typename D::value_type> class FrozenVit {
public:
    using T = typename D::compute_type;

    /// Prepares blocks 0 .. last.
    FrozenVit(const VisionTransformer<D>& vit, std::int64_t last)
        : config_(vit.config),
          projection_(
              detail::Folding(vit.patch_embed.proj.weight, vit.patch_embed.proj.bias).template prepared<D, W>()) {
        check(last < static_cast<std::int64_t>(vit.blocks.size()), "encoder", "block ", last, " of ",
              vit.blocks.size());
        stem_.config = vit.config;
        stem_.cls_token = vit.cls_token.detach();
        stem_.pos_embed = vit.pos_embed.detach();
        stem_.register_tokens = vit.register_tokens.detach();
        stem_.rope.periods = vit.rope.periods.detach();
        for (std::int64_t i = 0; i <= last; ++i) {
            const auto& block = vit.blocks[static_cast<std::size_t>(i)];
            blocks_.push_back(freeze_block<W>(block));
            if (block.attn.bias.defined()) {
                biases_.push_back(block.attn.bias);
                biases_.back().table = block.attn.bias.table.detach();
            }
        }
    }

    const VitConfig& config() const { return config_; }

    /// Tokens of a picture of height x width. Throws Error when it is smaller than a patch.
    std::int64_t tokens(std::int64_t height, std::int64_t width) const {
        check(height >= config_.patch && width >= config_.patch, "encoder", "a picture of ", height, " x ", width,
              ": at least one patch of ", config_.patch, " x ", config_.patch, " expected");
        return config_.tokens(height, width);
    }

    /// Runs `batch` images [batch, 3, height, width]. The output [batch, N, C] of block i is added to sums[i], where
    /// that is not null.
    void run(const T* images, std::int64_t batch, std::int64_t height, std::int64_t width,
             const std::vector<T*>& sums) const {
        const std::int64_t count = tokens(height, width);
        const Known known = known_of(height / config_.patch, width / config_.patch);
        const Tensor<Full<D>>& first = known.first;
        Tensor<Full<D>> x({batch, count, config_.width});
        const std::int64_t stride = count * config_.width;
        for (std::int64_t b = 0; b < batch; ++b)
            Full<D>::copy(x.data() + b * stride, first.data(), static_cast<std::size_t>(first.count()) * sizeof(T));
        backend::frozen_patches(D{}, projection_, {batch, 3, height, width, config_.patch}, images,
                                known.position.defined() ? known.position.data() + config_.width : nullptr,
                                x.data() + first.count(), stride);
        backend::FrozenPlaces<T> places;
        if (known.rotation.defined()) places.rotation = known.rotation.table();
        for (const Tensor<Full<D>>& bias : known.biases) places.biases.push_back(bias.data());
        backend::frozen_blocks(D{}, blocks_, batch, count, x.data(), sums, places);
    }

private:
    /// What pictures of h x w patches have in common.
    struct Known {
        std::int64_t h = -1, w = -1;
        Tensor<Full<D>> position;             // [1, 1 + h w, C], where it is absolute
        Tensor<Full<D>> first;                // class token with its position and registers, [prefix, C]
        Rotation<Full<D>> rotation;           // where places are rotary
        std::vector<Tensor<Full<D>>> biases;  // [H, N, N] of each block, where they are relative
    };

    /// That of the last size is kept.
    Known known_of(std::int64_t h, std::int64_t w) const {
        const std::lock_guard lock(kept_->mutex);
        Known& known = kept_->known;
        if (known.h == h && known.w == w) return known;
        const NoGrad frozen;
        Known found{h, w, {}, {}, stem_.rope(h, w), {}};
        Var<Full<D>> first = stem_.cls_token;
        if (config_.position == Position::absolute) {
            const Var<Full<D>> position = stem_.position(h, w);
            found.position = position.value();
            first = first + slice(position, 1, 0, 1);
        }
        if (config_.registers > 0) first = concat({first, stem_.register_tokens}, 1);
        found.first = first.value();
        for (const RelativeBias<D>& bias : biases_) found.biases.push_back(bias(h, w).value());
        return known = std::move(found);
    }

    struct Kept {
        std::mutex mutex;
        Known known;
    };

    VitConfig config_;
    VisionTransformer<D> stem_;  // what makes the tokens; no blocks
    std::vector<RelativeBias<D>> biases_;
    FrozenLinear<D, W> projection_;
    std::vector<backend::FrozenBlock<FrozenLinear<D, W>>> blocks_;
    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

}  // namespace dinomaly::nn::inline DINOMALY_ABI
