// SPDX-License-Identifier: Apache-2.0
// FeatureCache: the encoder's features of pictures that training sees again.
//
// The encoder is frozen and pictures are not augmented, so their features never change: from the second time on, a
// step costs the bottleneck and the decoder alone, and the picture need not even be decoded. A picture takes
// G N C elements, N tokens of C channels in G groups: 2.4 MB for two groups of ViT-S at 392 x 392 in fp32.
//
//     FeatureCache<D> cache(FeatureSizes::of(model.config, crop), repeated(batches));
//     const auto unknown = cache.unknown(batches);            // the pictures whose pixels each batch needs
//     for (std::size_t i = 0; i < batches.size(); ++i)
//         trainer.learn(cache.features(*trainer.encoder(), batches[i], unknown[i], read(unknown[i])));
//
// Pictures are encoded one at a time, whether they are kept or not: a picture's features are then the same bits
// whatever else is in its batch, and the encoder needs memory for one picture.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "dinomaly/feature_slots.hpp"
#include "dinomaly/frozen_model.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// Numbers of pictures, a list for each batch.
using PictureBatches = std::vector<std::vector<std::size_t>>;

/// The pictures that the batches ask for more than once, rising: those that are worth keeping.
inline std::vector<std::size_t> repeated(const PictureBatches& batches) {
    std::map<std::size_t, std::size_t> times;
    for (const auto& batch : batches)
        for (const std::size_t picture : batch) ++times[picture];
    std::vector<std::size_t> found;
    for (const auto& [picture, count] : times)
        if (count > 1) found.push_back(picture);
    return found;
}

/// How large a picture's features are: groups of [tokens, width].
struct FeatureSizes {
    std::int64_t tokens, width;
    std::size_t groups = 2;

    /// Of pictures of which `crop` is seen.
    static FeatureSizes of(const DinomalyConfig& config, vision::PictureSize crop) {
        return {config.tokens(crop.height, crop.width), config.encoder.width,
                config.grouping(static_cast<std::int64_t>(config.kept.size())).sizes.size()};
    }
    /// Bytes of a picture's features.
    std::size_t bytes(std::size_t element_size) const {
        return groups * static_cast<std::size_t>(tokens * width) * element_size;
    }
};

/// What a FeatureCache holds and how often it helped.
struct FeatureCacheStatistics {
    std::size_t pictures = 0, bytes = 0;  ///< kept now
    std::size_t hits = 0, asked = 0;      ///< of the pictures asked for, those that were not encoded again
};

/// Features of a fixed set of pictures, kept from the first time on. Used by one thread, as a Trainer is.
template <Device D> class FeatureCache {
public:
    using T = typename D::value_type;
    using Groups = anomaly::Groups<D>;

    /// Keeps the pictures of these numbers in memory; with none of them it only encodes.
    FeatureCache(const FeatureSizes& sizes, const std::vector<std::size_t>& kept)
        : sizes_(sizes), slots_(number(sizes, kept)), store_(sizes.groups * kept.size(), sizes.tokens * sizes.width) {}

    /// Keeps them in the file `path`. What is there is used when it was made for the same pictures, sizes and `key`,
    /// which has to tell encoders, picture contents and sizes apart. Throws Error when the disk has no room.
    FeatureCache(const FeatureSizes& sizes, const std::vector<std::size_t>& kept, const std::filesystem::path& path,
                 const std::string& key)
        : sizes_(sizes),
          slots_(number(sizes, kept)),
          store_(path, sizes.groups * kept.size(), sizes.tokens * sizes.width, describe(sizes, kept, key)) {}

    /// Whether the features of a picture are here.
    bool holds(std::size_t picture) const {
        const auto found = slots_.find(picture);
        if (found == slots_.end()) return false;
        for (std::size_t g = 0; g < sizes_.groups; ++g)
            if (!store_.is_filled(found->second + g)) return false;
        return true;
    }

    /// For each batch the pictures, each once, whose features are not here when the batches come in this order.
    PictureBatches unknown(const PictureBatches& batches) const {
        std::unordered_set<std::size_t> known;
        PictureBatches result;
        for (const auto& batch : batches) {
            auto& missing = result.emplace_back();
            for (const std::size_t picture : batch) {
                if (holds(picture) || known.contains(picture) || std::ranges::count(missing, picture) > 0) continue;
                missing.push_back(picture);
                if (slots_.contains(picture)) known.insert(picture);
            }
        }
        return result;
    }

    /// The features [B, N, C] of the pictures of a batch. Those in `unknown` are encoded from images [U, 3, H, W] and
    /// kept; the others must be here. Throws Error when one is in neither.
    Groups features(const FrozenEncoder<D>& encoder, std::span<const std::size_t> pictures,
                    std::span<const std::size_t> unknown, const Tensor<Full<D>>& images) {
        const auto batch = static_cast<std::int64_t>(pictures.size());
        const Shape shape{batch, sizes_.tokens, sizes_.width};
        std::vector<Tensor<D>> groups;
        for (std::size_t g = 0; g < sizes_.groups; ++g) groups.emplace_back(shape);
        const std::int64_t length = sizes_.tokens * sizes_.width;
        const auto target = [&](std::size_t place, std::size_t g) {
            return groups[g].data() + static_cast<std::int64_t>(place) * length;
        };
        for (std::size_t i = 0; i < unknown.size(); ++i) {
            const Groups one = encoder.encode(images.rows(static_cast<std::int64_t>(i), 1));
            const Shape expected{1, sizes_.tokens, sizes_.width};
            check(one.size() == sizes_.groups && one[0].shape() == expected, "feature cache", one.size(),
                  " groups of shape ", one[0].shape(), "; ", sizes_.groups, " of ", expected, " expected");
            const auto slot = slots_.find(unknown[i]);
            for (std::size_t g = 0; g < one.size(); ++g) {
                const T* features = one[g].value().data();
                if (slot != slots_.end()) store_.write(slot->second + g, features);
                for (std::size_t place = 0; place < pictures.size(); ++place)
                    if (pictures[place] == unknown[i]) D::copy(target(place, g), features, store_.slot_bytes());
            }
        }
        for (std::size_t place = 0; place < pictures.size(); ++place) {
            if (std::ranges::count(unknown, pictures[place]) > 0) continue;
            check(holds(pictures[place]), "feature cache", "picture ", pictures[place],
                  " is not kept: its pixels are needed");
            for (std::size_t g = 0; g < groups.size(); ++g)
                store_.read(slots_.at(pictures[place]) + g, target(place, g));
        }
        hits_ += pictures.size() - std::min(pictures.size(), unknown.size());
        asked_ += pictures.size();
        return {groups.begin(), groups.end()};
    }

    FeatureCacheStatistics statistics() const {
        return {store_.filled() / sizes_.groups, store_.filled() * store_.slot_bytes(), hits_, asked_};
    }

private:
    using Slots = std::unordered_map<std::size_t, std::size_t>;

    /// Each picture has a slot a group.
    static Slots number(const FeatureSizes& sizes, const std::vector<std::size_t>& kept) {
        Slots slots;
        for (std::size_t i = 0; i < kept.size(); ++i) slots.emplace(kept[i], sizes.groups * i);
        return slots;
    }

    static std::string describe(const FeatureSizes& sizes, const std::vector<std::size_t>& kept,
                                const std::string& key) {
        std::ostringstream text;
        text << key << "; elements of " << sizeof(T) << " bytes, " << sizes.groups << " groups of " << sizes.tokens
             << " x " << sizes.width;
        for (const std::size_t picture : kept) text << ' ' << picture;
        return text.str();
    }

    FeatureSizes sizes_;
    Slots slots_;
    FeatureSlots<D> store_;
    std::size_t hits_ = 0, asked_ = 0;
};

}  // namespace dinomaly::inline DINOMALY_ABI
