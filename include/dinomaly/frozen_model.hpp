// SPDX-License-Identifier: Apache-2.0
// The frozen forms of a Dinomaly: FrozenEncoder for training, FrozenDinomaly for use.
//
// Both compute what model.hpp computes, folded and packed (nn/frozen.hpp). Running sums of the two groups take the place
// of eight blocks' outputs, and blocks after the last kept one are not even prepared. The encoder's products are done in
// W, which may be 8-bit codes; those of bottleneck and decoder in the device's type.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dinomaly/model.hpp"
#include "dinomaly/nn/frozen.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Dinomaly::encode with weights that are prepared once.
template <Device D, class W = typename D::value_type> class FrozenEncoder {
public:
    explicit FrozenEncoder(const Dinomaly<D>& model)
        : vit_(model.encoder, model.config.kept.back()),
          share_(2 / static_cast<double>(model.config.kept.size())),
          target_(static_cast<std::size_t>(model.config.kept.back()) + 1, -1) {
        for (std::size_t i = 0; i < model.config.kept.size(); ++i)
            target_[static_cast<std::size_t>(model.config.kept[i])] = i < model.config.kept.size() / 2 ? 0 : 1;
    }

    /// The two group means of an image [B, 3, H, W], all tokens, in full precision: [B, N, C] each.
    anomaly::Groups<Full<D>> encode_full(const Var<Full<D>>& image) const {
        const NoGrad frozen;
        auto sums = vit_.template operator()<2>(image, target_);
        for (auto& sum : sums) assign(sum, sum * share_);
        return {sums[0], sums[1]};
    }

    /// The same as the device stores them.
    anomaly::Groups<D> encode(const Var<Full<D>>& image) const {
        const anomaly::Groups<Full<D>> groups = encode_full(image);
        return {in<D>(groups[0]), in<D>(groups[1])};
    }

private:
    nn::FrozenVit<D, W> vit_;
    double share_;
    std::vector<int> target_;  // the group that each block belongs to, -1 for none
};

/// A trained Dinomaly that only judges. It keeps nothing of the model it was made from.
template <Device D, class W = typename D::value_type> class FrozenDinomaly {
public:
    using T = typename D::compute_type;
    using S = typename D::value_type;

    explicit FrozenDinomaly(const Dinomaly<D>& model)
        : config_(model.config),
          encoder_(model),
          bottleneck_{nn::detail::Folding(model.bottleneck[0].fc1).template packed<S, T>(),
                      nn::detail::Folding(model.bottleneck[0].fc2).template packed<S, T>()} {
        for (const auto& block : model.decoder) decoder_.push_back(nn::freeze_block<S>(block));
    }

    const DinomalyConfig& config() const { return config_; }

    /// Anomaly maps [B, 256, 256] of images [B, 3, H, W]; see Dinomaly::anomaly_map.
    Var<Full<D>> anomaly_map(const Var<Full<D>>& image) const {
        const NoGrad predicting;
        const auto en = encoder_.encode_full(image);
        return anomaly::anomaly_map(patches(en), patches(decode(en)), image.size(2), image.size(3),
                                    config_.encoder.patch);
    }

private:
    using Groups = anomaly::Groups<Full<D>>;

    Groups decode(const Groups& en) const {
        Tensor<Full<D>> x = Var<Full<D>>(0.5 * (en[0] + en[1])).value();
        const std::int64_t batch = x.size(0), tokens = x.size(1), rows = batch * tokens;
        backend::frozen_mlp(D{}, bottleneck_, rows, x.data(), x.data());
        std::array<Tensor<Full<D>>, 2> sums{zeros<Full<D>>(x.shape()), zeros<Full<D>>(x.shape())};
        std::vector<T*> places;
        for (std::size_t i = 0; i < decoder_.size(); ++i)  // the last blocks restore the first group
            places.push_back(sums[i < decoder_.size() / 2 ? 1 : 0].data());
        backend::frozen_blocks(D{}, decoder_, batch, tokens, x.data(), places);
        return {sums[0], sums[1]};  // their lengths do not matter to a cosine
    }

    Groups patches(const Groups& groups) const {
        const std::int64_t first = config_.encoder.prefix(), count = groups[0].size(1) - first;
        return {slice(groups[0], 1, first, count), slice(groups[1], 1, first, count)};
    }

    DinomalyConfig config_;
    FrozenEncoder<D, W> encoder_;
    backend::FrozenMlp<S, T> bottleneck_;
    std::vector<backend::FrozenBlock<S, T>> decoder_;
};

}  // namespace dinomaly::inline DINOMALY_ABI
