// SPDX-License-Identifier: Apache-2.0
// Predictor: a model file in memory, frozen and packed; picture in, score and map out.
//
//     Predictor predictor("model.safetensors");                          // fp32
//     Predictor<Cpu<bfloat16>> fast("model.safetensors");                // bf16
//     Predictor<Cpu<bfloat16>, backend::Code> faster("model.safetensors");   // 8-bit codes
//     auto [score, map] = predictor(vision::read_rgb("part.png"));
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/frozen_model.hpp"
#include "dinomaly/model_file.hpp"
#include "dinomaly/tiled.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/normalize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// The judgement of one picture. The map covers the middle crop of the picture, or all of one that was judged in tiles:
/// Predictor::map_sizes tells vision/overlay.hpp which.
struct Prediction {
    float score = 0;         ///< mean of the largest 1 % of the map; 0 would be a perfect reconstruction
    std::vector<float> map;  ///< [map_height, map_width], cosine distances, 0 .. 2
    int map_width = static_cast<int>(anomaly::map_size), map_height = static_cast<int>(anomaly::map_size);
};

template <Device D = Cpu<float>, class W = typename D::value_type> class Predictor {
public:
    /// Reads a model file; see load_model. Sizes above zero replace the file's.
    explicit Predictor(const std::filesystem::path& model_file, vision::PictureSize size = {},
                       vision::PictureSize crop = {})
        : Predictor(load_model<D>(model_file), size, crop) {}
    explicit Predictor(const LoadedModel<D>& loaded, vision::PictureSize size = {}, vision::PictureSize crop = {})
        : Predictor(std::make_shared<const FrozenDinomaly<D, W>>(loaded.model), loaded.info) {
        encoders::set_sizes(info_.sizes, loaded.model.config.encoder, size, crop);
    }
    /// A model that is prepared already.
    Predictor(std::shared_ptr<const FrozenDinomaly<D, W>> model, ModelInfo info)
        : model_(std::move(model)), info_(std::move(info)) {}

    const vision::Preprocess& sizes() const { return info_.sizes; }
    const ModelInfo& info() const { return info_; }

    /// Pictures that are larger are judged in tiles of so many of their pixels; none: all are judged as a whole.
    vision::PictureSize tile() const { return info_.tile; }
    /// Replaces the file's tile. Throws for sides that are not 1 .. 100000, unless both are 0: none.
    void set_tile(vision::PictureSize tile) {
        if (tile != vision::PictureSize{}) vision::check_tile(tile);
        info_.tile = tile;
    }
    /// How the map of a picture lies over it, for vision::overlay.
    vision::Preprocess map_sizes(vision::PictureSize picture) const {
        return vision::Tiling(picture, sizes(), tile()).map_sizes();
    }

    /// Judges a picture of any size, grey or RGB, in tiles where the model has them (tiled.hpp).
    Prediction operator()(const vision::Image& picture) const { return judge_tiled(*this, picture, tile()); }

    /// Judges `count` pictures that are prepared already: pixels [count, 3 modalities, height, width]
    /// (vision::to_input).
    std::vector<Prediction> judge(std::span<const float> pixels, std::int64_t count) const {
        if (count == 0) return {};
        const vision::PictureSize crop = sizes().crop;
        using T = typename D::compute_type;
        const Tensor<Full<D>> images({count, 3 * model_->config().modalities, crop.height, crop.width},
                                     std::vector<T>(pixels.begin(), pixels.end()));
        const std::lock_guard lock(work_->mutex);
        work_->replay.feed(work_->images, images);
        work_->replay.run([this] {
            work_->maps = model_->anomaly_map(work_->images).value();
            work_->scores = anomaly::image_scores(work_->maps);
        });
        const std::vector<T> scores = work_->scores.to_vector(), values = work_->maps.to_vector();
        for (Tensor<Full<D>>* tensor : {&work_->images, &work_->maps, &work_->scores}) work_->replay.let_go(*tensor);
        const std::int64_t each = anomaly::map_size * anomaly::map_size;
        std::vector<Prediction> predictions;
        for (std::int64_t i = 0; i < count; ++i)
            predictions.push_back({static_cast<float>(scores[static_cast<std::size_t>(i)]),
                                   std::vector<float>(values.begin() + i * each, values.begin() + (i + 1) * each)});
        return predictions;
    }

private:
    /// What a GPU records, and the memory that this reads and writes.
    struct Work {
        std::mutex mutex;
        backend::Replay<D> replay;
        Tensor<Full<D>> images, maps, scores;
    };

    std::shared_ptr<const FrozenDinomaly<D, W>> model_;
    ModelInfo info_;
    std::shared_ptr<Work> work_ = std::make_shared<Work>();
};

}  // namespace dinomaly::inline DINOMALY_ABI
