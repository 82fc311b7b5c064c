// SPDX-License-Identifier: Apache-2.0
// The figures of one class: image AUROC, AP and best F1; pixel AUROC, AP, best F1 and AUPRO in both forms.
//
// Maps and masks are stacks [count, height, width] of floats (256x256 by the protocol), masks in 0..1. A mask reaches
// that size by nearest_mask() and becomes a label by one of two rules: > 0 (the authors'; keeps tiny defects) or
// > 0.5 (earlier practice). A figure without meaning (one class absent) is NaN; see ranking.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dinomaly/anomaly/aupro.hpp"
#include "dinomaly/anomaly/ranking.hpp"
#include "dinomaly/anomaly/regions.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

struct ImageMetrics {
    double auroc = undefined_metric;
    double ap = undefined_metric;
    double f1_max = undefined_metric;
    double f1_threshold = undefined_metric;  ///< the score at and above which a picture counts as bad at f1_max
};

struct PixelMetrics {
    double auroc = undefined_metric;
    double ap = undefined_metric;
    double f1_max = undefined_metric;
    double aupro = undefined_metric;  ///< the authors' 200 thresholds
    double aupro_exact = undefined_metric;
};

/// When a mask value in 0..1 marks a defect.
enum class MaskRule { above_zero, above_half };

/// Metrics of whole pictures from their scores; a label other than 0 means anomalous.
inline ImageMetrics image_metrics(std::span<const float> scores, std::span<const std::uint8_t> labels) {
    return detail::of_labels(scores, labels, [](const Curve& curve) {
        const BestF1 best = best_f1(curve);
        return ImageMetrics{auroc(curve), average_precision(curve), best.value, best.threshold};
    });
}

/// Pixel labels of masks by a rule: 1 where the mask marks a defect.
inline std::vector<std::uint8_t> mask_labels(std::span<const float> masks, MaskRule rule) {
    const float bound = rule == MaskRule::above_zero ? 0.0F : 0.5F;
    std::vector<std::uint8_t> labels(masks.size());
    detail::Chunks(masks.size()).for_each([&](std::size_t, std::size_t first, std::size_t end) {
        for (std::size_t i = first; i < end; ++i) labels[i] = masks[i] > bound ? 1 : 0;
    });
    return labels;
}

/// Metrics of the pixels of one class. The ranking of its maps is shared between rules; masks have the maps' size.
inline PixelMetrics pixel_metrics(const Ranking& maps, std::span<const float> masks, StackSize size, MaskRule rule) {
    const Regions regions = label_regions(mask_labels(masks, rule), size);
    const Curve curve(maps, regions);
    return {auroc(curve), average_precision(curve), best_f1(curve).value, aupro_200(curve), aupro_exact(curve)};
}

/// The same from unsorted maps. Throws when maps or masks differ from the size or a map holds a NaN.
inline PixelMetrics pixel_metrics(std::span<const float> maps, std::span<const float> masks, StackSize size,
                                  MaskRule rule) {
    return pixel_metrics(Ranking(maps), masks, size, rule);
}

/// A mask [height, width] taken to [out_height, out_width] by nearest neighbour: source = floor(target * in / out).
inline std::vector<float> nearest_mask(std::span<const float> mask, std::int64_t width, std::int64_t height,
                                       std::int64_t out_width, std::int64_t out_height) {
    const std::int64_t pixels = StackSize{1, height, width}.pixels();
    const std::int64_t out_pixels = StackSize{1, out_height, out_width}.pixels();
    check(static_cast<std::int64_t>(mask.size()) == pixels && (pixels > 0 || out_pixels == 0), "nearest_mask",
          mask.size(), " values do not make a mask of ", width, "x", height, " for ", out_width, "x", out_height);
    std::vector<float> out;
    out.reserve(static_cast<std::size_t>(out_pixels));
    for (std::int64_t y = 0; y < out_height; ++y) {
        const std::span<const float> row =
            mask.subspan(static_cast<std::size_t>(y * height / out_height * width), static_cast<std::size_t>(width));
        for (std::int64_t x = 0; x < out_width; ++x)
            out.push_back(row[static_cast<std::size_t>(x * width / out_width)]);
    }
    return out;
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
