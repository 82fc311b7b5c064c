// SPDX-License-Identifier: Apache-2.0
// The frozen forms of a Dinomaly: FrozenEncoder for training, FrozenDinomaly for use.
//
// Both compute what model.hpp computes, folded and packed (nn/frozen.hpp). Running sums of the groups take the place of
// eight blocks' outputs, and blocks after the last kept one are not even prepared. On a CPU pictures are done
// one after the other, which keeps them in cache, and a picture's numbers do not depend on its batch. Products are done
// in W, which may be 8-bit codes, attention in the device's type.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "dinomaly/model.hpp"
#include "dinomaly/nn/frozen.hpp"
#include "dinomaly/ops/concat.hpp"
#include "dinomaly/ops/slice.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Dinomaly::encode with weights that are prepared once.
template <Device D, class W = typename D::value_type> class FrozenEncoder {
public:
    using T = typename D::compute_type;

    explicit FrozenEncoder(const Dinomaly<D>& model)
        : kept_(model.config.kept),
          grouping_(model.config.grouping(static_cast<std::int64_t>(kept_.size()))),
          modalities_(model.config.modalities),
          first_(model.config.encoder.prefix() - model.config.prefix()),
          vit_(model.encoder, kept_.back()) {}

    /// The group means of images [B, 3 modalities, H, W], in full precision: [B, N, C] each, as Dinomaly::encode.
    anomaly::Groups<Full<D>> encode_full(const Tensor<Full<D>>& images) const {
        check(images.rank() == 4 && images.size(1) == 3 * modalities_, "encoder", "images ", images.shape(), ": [B, ",
              3 * modalities_, ", H, W] expected");
        const NoGrad frozen;
        const std::int64_t height = images.size(2), width = images.size(3);
        const Shape shape{images.size(0), vit_.tokens(height, width), vit_.config().width};
        std::vector<Tensor<Full<D>>> sums;
        for (std::size_t g = 0; g < grouping_.sizes.size(); ++g) sums.push_back(zeros<Full<D>>(shape));
        for (std::int64_t m = 0; m < modalities_; ++m)
            add(modalities_ == 1 ? images : slice(Var<Full<D>>(images), 1, 3 * m, 3).value(), sums);
        anomaly::Groups<Full<D>> groups;
        for (std::size_t g = 0; g < sums.size(); ++g) {
            assign(sums[g], sums[g] * (1 / (grouping_.sizes[g] * static_cast<double>(modalities_))));
            const Var<Full<D>> mean = sums[g];
            groups.push_back(first_ == 0 ? mean : slice(mean, 1, first_, shape[1] - first_));
        }
        return groups;
    }

    /// The same as the device stores them.
    anomaly::Groups<D> encode(const Tensor<Full<D>>& images) const {
        anomaly::Groups<D> groups;
        for (const Var<Full<D>>& group : encode_full(images)) groups.push_back(in<D>(group));
        return groups;
    }

private:
    /// Adds the kept blocks' outputs of pictures [B, 3, H, W] to the sums of their groups.
    void add(const Tensor<Full<D>>& images, std::vector<Tensor<Full<D>>>& groups) const {
        const std::int64_t batch = images.size(0), together = backend::pictures_together(D{}, batch);
        for (std::int64_t b = 0; b < batch; b += together) {
            std::vector<T*> sums(static_cast<std::size_t>(kept_.back()) + 1, nullptr);
            for (std::size_t i = 0; i < kept_.size(); ++i) {
                Tensor<Full<D>>& group = groups[grouping_.of_layer[i]];
                sums[static_cast<std::size_t>(kept_[i])] = group.data() + b * group.shape().count(1, 3);
            }
            vit_.run(images.data() + b * images.shape().count(1, 4), together, images.size(2), images.size(3), sums);
        }
    }

    std::vector<std::int64_t> kept_;
    Grouping grouping_;
    std::int64_t modalities_;
    std::int64_t first_;  // tokens that leave before the bottleneck
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
          features_(model.features),
          encoder_(std::move(encoder)),
          bottleneck_(std::visit([](const auto& part) { return frozen(part); }, model.bottleneck)) {
        for (const auto& block : model.decoder) decoder_.push_back(nn::freeze_block<W>(block));
    }

    const DinomalyConfig& config() const { return config_; }

    /// Anomaly maps [B, 256, 256] of images [B, 3 modalities, H, W]; see Dinomaly::anomaly_map.
    Var<Full<D>> anomaly_map(const Tensor<Full<D>>& images) const {
        const NoGrad predicting;
        check(images.rank() == 4, "model", "images ", images.shape(), ": [B, 3, H, W] expected");
        const std::shared_ptr<const MapMaker> maker = map_maker(images.size(2), images.size(3));
        std::vector<Var<Full<D>>> maps;
        const std::int64_t together = backend::pictures_together(D{}, images.size(0));
        for (std::int64_t b = 0; b < images.size(0); b += together) {
            const Groups en = encoder_->encode_full(images.rows(b, together));
            maps.push_back((*maker)(features_.targets(en), features_.restored(decode(en))));
        }
        return maps.size() == 1 ? maps[0] : concat(maps, 0);
    }

private:
    using Groups = anomaly::Groups<Full<D>>;
    using MapMaker = anomaly::MapMaker<Full<D>>;
    using Mlp = backend::FrozenMlp<nn::FrozenLinear<D, W>>;

    static Mlp frozen(const std::vector<nn::NoisyBottleneck<D>>& one) {
        return nn::freeze_mlp<W>(one[0].fc1, one[0].fc2);
    }
    static Mlp frozen(const nn::NarrowBottleneck<D>& one) { return nn::freeze_mlp<W>(one.narrow, one.fc1, one.fc2); }

    /// That of the last size is kept.
    std::shared_ptr<const MapMaker> map_maker(std::int64_t height, std::int64_t width) const {
        const std::lock_guard lock(kept_->mutex);
        if (kept_->height != height || kept_->width != width) {
            kept_->maker = std::make_shared<const MapMaker>(height, width, config_.encoder.patch, config_.reflect_blur);
            kept_->height = height, kept_->width = width;
        }
        return kept_->maker;
    }

    Groups decode(const Groups& en) const {
        Tensor<Full<D>> x = en.size() == 1 ? clone(en[0].value()) : features_.fused(en).value();
        const std::int64_t batch = x.size(0), tokens = x.size(1);
        backend::frozen_mlp(D{}, bottleneck_, batch * tokens, x.data(), x.data());
        const Grouping grouping = config_.grouping(static_cast<std::int64_t>(decoder_.size()));
        Groups sums;
        for (std::size_t g = 0; g < grouping.compared; ++g) sums.push_back(zeros<Full<D>>(x.shape()));
        std::vector<T*> places;
        for (std::size_t i = 0; i < decoder_.size(); ++i) {  // the last blocks restore the first group
            const std::size_t group = grouping.of_layer[decoder_.size() - 1 - i];
            places.push_back(group < sums.size() ? sums[group].value().data() : nullptr);
        }
        backend::frozen_blocks(D{}, decoder_, batch, tokens, x.data(), places);
        return sums;  // their lengths do not matter to a cosine
    }

    struct Kept {
        std::mutex mutex;
        std::int64_t height = -1, width = -1;
        std::shared_ptr<const MapMaker> maker;
    };

    DinomalyConfig config_;
    GroupFeatures<D> features_;
    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
    std::shared_ptr<const Encoder> encoder_;
    Mlp bottleneck_;
    std::vector<backend::FrozenBlock<nn::FrozenLinear<D, W>>> decoder_;
};

}  // namespace dinomaly::inline DINOMALY_ABI
