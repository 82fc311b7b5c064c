// SPDX-License-Identifier: Apache-2.0
// The frozen forms of a Dinomaly: FrozenEncoder for training, FrozenDinomaly for use.
//
// Both compute what model.hpp computes, folded and packed (nn/frozen.hpp). Running sums of the two groups take the
// place of eight blocks' outputs, and blocks after the last kept one are not even prepared. On a CPU pictures are done
// one after the other, which keeps them in cache, and a picture's numbers do not depend on its batch. Products are done
// in W, which may be 8-bit codes, attention in the device's type.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "dinomaly/model.hpp"
#include "dinomaly/nn/frozen.hpp"
#include "dinomaly/ops/concat.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Dinomaly::encode with weights that are prepared once.
template <Device D, class W = typename D::value_type> class FrozenEncoder {
public:
    using T = typename D::compute_type;

    explicit FrozenEncoder(const Dinomaly<D>& model)
        : kept_(model.config.kept), vit_(model.encoder, model.config.kept.back()) {}

    /// The two group means of images [B, 3, H, W], all tokens, in full precision: [B, N, C] each.
    anomaly::Groups<Full<D>> encode_full(const Tensor<Full<D>>& images) const {
        check(images.rank() == 4 && images.size(1) == 3, "encoder", "images ", images.shape(),
              ": [B, 3, H, W] expected");
        const std::int64_t batch = images.size(0), height = images.size(2), width = images.size(3);
        const Shape shape{batch, vit_.tokens(height, width), vit_.config().width};
        std::array<Tensor<Full<D>>, 2> groups{zeros<Full<D>>(shape), zeros<Full<D>>(shape)};
        const std::size_t half = kept_.size() / 2;
        const std::int64_t together = backend::pictures_together(D{}, batch);
        for (std::int64_t b = 0; b < batch; b += together) {
            std::vector<T*> sums(static_cast<std::size_t>(kept_.back()) + 1, nullptr);
            for (std::size_t i = 0; i < kept_.size(); ++i)
                sums[static_cast<std::size_t>(kept_[i])] = groups[i / half].data() + b * shape.count(1, 3);
            vit_.run(images.data() + b * 3 * height * width, together, height, width, sums);
        }
        const NoGrad frozen;
        for (auto& group : groups) assign(group, group * (1 / static_cast<double>(half)));
        return {groups[0], groups[1]};
    }

    /// The same as the device stores them.
    anomaly::Groups<D> encode(const Tensor<Full<D>>& images) const {
        const anomaly::Groups<Full<D>> groups = encode_full(images);
        return {in<D>(groups[0]), in<D>(groups[1])};
    }

private:
    std::vector<std::int64_t> kept_;
    nn::FrozenVit<D, W> vit_;
};

/// A trained Dinomaly that only judges. It keeps nothing of the model it was made from.
template <Device D, class W = typename D::value_type> class FrozenDinomaly {
public:
    using T = typename D::compute_type;
    using Encoder = FrozenEncoder<D, W>;

    explicit FrozenDinomaly(const Dinomaly<D>& model) : FrozenDinomaly(model, std::make_shared<const Encoder>(model)) {}
    /// With an encoder that is prepared already.
    FrozenDinomaly(const Dinomaly<D>& model, std::shared_ptr<const Encoder> encoder)
        : config_(model.config),
          encoder_(std::move(encoder)),
          bottleneck_(nn::freeze_mlp<W>(model.bottleneck[0].fc1, model.bottleneck[0].fc2)) {
        for (const auto& block : model.decoder) decoder_.push_back(nn::freeze_block<W>(block));
    }

    const DinomalyConfig& config() const { return config_; }

    /// Anomaly maps [B, 256, 256] of images [B, 3, H, W]; see Dinomaly::anomaly_map.
    Var<Full<D>> anomaly_map(const Tensor<Full<D>>& images) const {
        const NoGrad predicting;
        check(images.rank() == 4, "model", "images ", images.shape(), ": [B, 3, H, W] expected");
        const std::shared_ptr<const MapMaker> maker = map_maker(images.size(2), images.size(3));
        std::vector<Var<Full<D>>> maps;
        const std::int64_t together = backend::pictures_together(D{}, images.size(0));
        for (std::int64_t b = 0; b < images.size(0); b += together) {
            const Groups en = encoder_->encode_full(images.rows(b, together));
            maps.push_back((*maker)(patches(en), patches(decode(en))));
        }
        return maps.size() == 1 ? maps[0] : concat(maps, 0);
    }

private:
    using Groups = anomaly::Groups<Full<D>>;
    using MapMaker = anomaly::MapMaker<Full<D>>;

    /// That of the last size is kept.
    std::shared_ptr<const MapMaker> map_maker(std::int64_t height, std::int64_t width) const {
        const std::lock_guard lock(kept_->mutex);
        if (kept_->height != height || kept_->width != width) {
            kept_->maker = std::make_shared<const MapMaker>(height, width, config_.encoder.patch);
            kept_->height = height, kept_->width = width;
        }
        return kept_->maker;
    }

    Groups decode(const Groups& en) const {
        Tensor<Full<D>> x = Var<Full<D>>(0.5 * (en[0] + en[1])).value();
        const std::int64_t batch = x.size(0), tokens = x.size(1);
        backend::frozen_mlp(D{}, bottleneck_, batch * tokens, x.data(), x.data());
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

    struct Kept {
        std::mutex mutex;
        std::int64_t height = -1, width = -1;
        std::shared_ptr<const MapMaker> maker;
    };

    DinomalyConfig config_;
    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
    std::shared_ptr<const Encoder> encoder_;
    backend::FrozenMlp<nn::FrozenLinear<D, W>> bottleneck_;
    std::vector<backend::FrozenBlock<nn::FrozenLinear<D, W>>> decoder_;
};

}  // namespace dinomaly::inline DINOMALY_ABI
