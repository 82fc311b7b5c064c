// SPDX-License-Identifier: Apache-2.0
// Predictor: a model file in memory; picture in, score and map out.
//
//     Predictor predictor("model.safetensors");
//     auto [score, map] = predictor(vision::read_rgb("part.png"));
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/model_file.hpp"
#include "dinomaly/vision/image.hpp"
#include "dinomaly/vision/normalize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// The judgement of one picture. The map covers the middle crop of the picture (vision/overlay.hpp puts it there).
struct Prediction {
    float score;             ///< mean of the largest 1 % of the map; 0 would be a perfect reconstruction
    std::vector<float> map;  ///< [map_height, map_width], cosine distances, 0 .. 2
    int map_width = static_cast<int>(anomaly::map_size), map_height = static_cast<int>(anomaly::map_size);
};

template <Device D = Cpu<float>> class Predictor {
public:
    /// Reads a model file; see load_model. Sizes above zero replace the file's.
    explicit Predictor(const std::filesystem::path& model_file, int size = 0, int crop = 0)
        : Predictor(load_model<D>(model_file), size, crop) {}
    explicit Predictor(LoadedModel<D> loaded, int size = 0, int crop = 0) : loaded_(std::move(loaded)) {
        if (size > 0) loaded_.info.sizes.size = size;
        if (crop > 0) loaded_.info.sizes.crop = crop;
        loaded_.info.sizes.validate();
    }

    const vision::Preprocess& sizes() const { return loaded_.info.sizes; }
    const ModelInfo& info() const { return loaded_.info; }
    const Dinomaly<D>& model() const { return loaded_.model; }

    /// Judges a picture of any size, grey or RGB.
    Prediction operator()(const vision::Image& picture) const {
        return std::move(judge(vision::to_input(picture, sizes()), 1).front());
    }

    /// Judges `count` pictures that are prepared already: pixels [count, 3, crop, crop] (vision::to_input).
    std::vector<Prediction> judge(std::span<const float> pixels, std::int64_t count) const {
        const std::int64_t crop = sizes().crop;
        using T = typename D::compute_type;
        const Tensor<Full<D>> images({count, 3, crop, crop}, std::vector<T>(pixels.begin(), pixels.end()));
        const Var<Full<D>> maps = loaded_.model.anomaly_map(Var<Full<D>>(images));
        const std::vector<float> scores = anomaly::image_score(maps);
        const std::vector<T> values = maps.value().to_vector();
        const std::int64_t each = anomaly::map_size * anomaly::map_size;
        std::vector<Prediction> predictions;
        for (std::int64_t i = 0; i < count; ++i)
            predictions.push_back({scores[static_cast<std::size_t>(i)],
                                   std::vector<float>(values.begin() + i * each, values.begin() + (i + 1) * each)});
        return predictions;
    }

private:
    LoadedModel<D> loaded_;
};

}  // namespace dinomaly::inline DINOMALY_ABI
