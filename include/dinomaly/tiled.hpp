// SPDX-License-Identifier: Apache-2.0
// Judging pictures with a judge of prepared crops, in tiles where pictures are larger than one (vision/tiling.hpp).
//
//     Prediction p = judge_tiled(predictor, picture, 1024);
//
// A judge is anything with sizes() and judge(pixels, count) that gives one {score, map, map_width, map_height} a crop,
// and, where it has one, tile(): Predictor and the program's engine are.
//
// The score of a tiled picture is the mean of the largest values of its blended map, as many as 1 % of one window's:
// 655 where a window's map has 256 x 256. So a defect of one size weighs the same in a picture of any size, and scores
// compare with those of pictures that are one tile. With 1 % of the whole map a small defect would drown in a large
// picture.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/map_blend.hpp"
#include "dinomaly/vision/normalize.hpp"
#include "dinomaly/vision/tiling.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// What a judge tells of one picture.
template <class Judge>
using JudgedBy =
    typename decltype(std::declval<const Judge&>().judge(std::span<const float>(), std::int64_t(0)))::value_type;

/// The tiles in which a judge judges; none where it knows of none.
template <class Judge> vision::PictureSize tile_of(const Judge& judge) {
    if constexpr (requires { judge.tile(); })
        return judge.tile();
    else
        return {};
}

namespace detail {

inline float mean_of_largest_values(std::vector<float> values, std::size_t count) {
    count = std::clamp<std::size_t>(count, 1, values.size());
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count - 1), values.end(),
                     std::greater<>());
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
    return static_cast<float>(sum / static_cast<double>(count));
}

/// Takes the judgements of a picture's windows in and makes that of the picture.
template <class Judged> class TiledJudgement {
public:
    explicit TiledJudgement(vision::Tiling tiling) : tiling_(std::move(tiling)) {}

    const vision::Tiling& tiling() const { return tiling_; }

    /// Adds the next window's; returns whether it was the last.
    bool add(Judged judged) {
        if (tiling_.is_whole()) {
            result_ = std::move(judged);
        } else {
            if (!blend_) blend_.emplace(tiling_, vision::PictureSize{judged.map_width, judged.map_height});
            blend_->add(added_, judged.map);
        }
        return ++added_ == tiling_.count();
    }

    /// The judgement of the picture whose windows were all added.
    Judged take() {
        if (!blend_) return std::move(result_);
        const auto count = static_cast<std::size_t>(blend_->values_of_window() * 0.01 + 1e-6);
        result_.map_width = blend_->size().width;
        result_.map_height = blend_->size().height;
        result_.map = blend_->take();
        result_.score = mean_of_largest_values(result_.map, count);
        return std::move(result_);
    }

private:
    vision::Tiling tiling_;
    std::optional<vision::MapBlend> blend_;
    std::size_t added_ = 0;
    Judged result_{};
};

}  // namespace detail

/// Judges a picture of any size in tiles of `tile` of its pixels; as a whole where it is no larger or there are none.
/// The map lies over the picture as vision::Tiling::map_sizes() says. `batch` windows are judged at a time.
template <class Judge>
JudgedBy<Judge> judge_tiled(const Judge& judge, const vision::Image& picture, vision::PictureSize tile,
                            std::size_t batch = 4) {
    check(batch > 0, "judge_tiled", "a batch of 0 windows");
    const vision::Preprocess sizes = judge.sizes();
    detail::TiledJudgement<JudgedBy<Judge>> all(vision::Tiling({picture.width, picture.height}, sizes, tile));
    const vision::Tiling& tiling = all.tiling();
    for (std::size_t i = 0; i < tiling.count(); i += batch) {
        const std::size_t end = std::min(i + batch, tiling.count());
        std::vector<float> pixels;
        for (std::size_t w = i; w < end; ++w) {
            const std::vector<float> input = tiling.is_whole()
                                                 ? vision::to_input(picture, sizes)
                                                 : vision::to_input(vision::cut(picture, tiling.window(w)), sizes);
            pixels.insert(pixels.end(), input.begin(), input.end());
        }
        for (JudgedBy<Judge>& judged : judge.judge(pixels, static_cast<std::int64_t>(end - i)))
            all.add(std::move(judged));
    }
    return all.take();
}

}  // namespace dinomaly::inline DINOMALY_ABI
