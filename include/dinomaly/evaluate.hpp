// SPDX-License-Identifier: Apache-2.0
// Judging a class's test pictures: scores and maps from a predictor, the figures of both mask rules, and their form as
// JSON. Pictures are decoded in background threads; masks reach the maps' 256 x 256 by nearest neighbour. The map of a
// picture that is judged in tiles covers all of it; it is brought to 256 x 256 by the filter that resizes pictures, and
// its whole mask as other masks are.
//
//     for (const auto& data : vision::scan("mvtec")) reports.push_back(evaluate_class(predictor, data, "mvtec"));
//     std::cout << to_json(reports);
//
// The predictor is a judge of tiled.hpp, as dinomaly::Predictor is; this header does not pull the model in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dinomaly/anomaly/curves.hpp"
#include "dinomaly/anomaly/metrics.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/decision.hpp"
#include "dinomaly/judge_files.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/map_blend.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// One judged picture.
struct PictureResult {
    std::string path;  ///< relative to the data set's root
    bool anomalous = false;
    float score = 0;
    float peak = 0;      ///< the largest value of its map
    std::string defect;  ///< the name of its folder; "good" for a good part
};

/// The figures of one class, or of the mean of classes (then without pictures).
struct ClassReport {
    std::string name;
    anomaly::ImageMetrics image;
    anomaly::PixelMetrics above_zero;  ///< a mask value above 0 marks a defect (the authors' rule)
    anomaly::PixelMetrics above_half;  ///< a mask value above 0.5 does
    std::vector<PictureResult> pictures;
    anomaly::ValueHistogram pixels;              ///< of the maps, by the authors' rule
    std::vector<float> maps;                     ///< [pictures, 256, 256]; empty unless they were to be kept
    anomaly::Curves image_curves, pixel_curves;  ///< of above_zero; empty unless they were asked for
};

/// How to evaluate.
struct EvaluateOptions {
    std::size_t batch = 4;  ///< pictures judged at a time
    int decode_threads = 1;
    bool keep_maps = false;
    bool curves = false;                        ///< compute the curves to draw
    std::function<void(std::size_t)> progress;  ///< called with the number of pictures judged so far
};

/// Judges the test pictures of a class. Throws Error when it has none or a picture or mask cannot be read.
template <class Judge>
ClassReport evaluate_class(const Judge& judge, const vision::ClassData& data, const std::filesystem::path& root,
                           const EvaluateOptions& options = {}) {
    constexpr std::int64_t side = 256;
    check(!data.test.empty(), "evaluate", "class '", data.name, "' has no test pictures");
    check(options.batch > 0, "evaluate", "a batch of 0 pictures");

    std::vector<std::filesystem::path> files;
    for (const vision::Sample& sample : data.test) files.push_back(sample.picture);

    ClassReport report;
    report.name = data.name;
    std::vector<float> scores, masks;
    std::vector<std::uint8_t> labels;
    report.maps.reserve(files.size() * side * side);
    masks.reserve(files.size() * side * side);
    const auto note = [&](std::size_t i, const auto& judged, const vision::Preprocess& sizes) {
        const vision::Sample& sample = data.test[i];
        const std::vector<float> map =
            vision::resize_map(judged.map, {judged.map_width, judged.map_height}, static_cast<int>(side));
        report.maps.insert(report.maps.end(), map.begin(), map.end());
        const std::vector<float> mask =
            anomaly::nearest_mask(vision::load_mask(sample, sizes), sizes.crop.width, sizes.crop.height, side, side);
        masks.insert(masks.end(), mask.begin(), mask.end());
        scores.push_back(judged.score);
        labels.push_back(sample.anomalous ? 1 : 0);
        report.pictures.push_back({sample.picture.lexically_relative(root).generic_string(), sample.anomalous,
                                   judged.score, std::ranges::max(judged.map), sample.defect});
        if (options.progress) options.progress(report.pictures.size());
    };
    judge_files(judge, files, {.batch = options.batch, .decode_threads = options.decode_threads}, note);
    const anomaly::StackSize stack{static_cast<std::int64_t>(scores.size()), side, side};
    const anomaly::Ranking ranking(report.maps);
    report.image = anomaly::image_metrics(scores, labels);
    report.above_zero = anomaly::pixel_metrics(ranking, masks, stack, anomaly::MaskRule::above_zero);
    report.above_half = anomaly::pixel_metrics(ranking, masks, stack, anomaly::MaskRule::above_half);
    if (options.curves) {
        report.image_curves = anomaly::image_curves(scores, labels);
        report.pixel_curves = anomaly::pixel_curves(ranking, masks, stack, anomaly::MaskRule::above_zero);
    }
    report.pixels.add(report.maps, anomaly::mask_labels(masks, anomaly::MaskRule::above_zero));
    if (!options.keep_maps) report.maps = {};
    return report;
}

/// What a decision is found from: the judged pictures of a class.
inline JudgedPictures judged_pictures(const ClassReport& report) {
    JudgedPictures judged{
        .name = report.name, .good_scores = {}, .good_peaks = {}, .bad_scores = {}, .pixels = report.pixels};
    for (const PictureResult& picture : report.pictures) {
        (picture.anomalous ? judged.bad_scores : judged.good_scores).push_back(picture.score);
        if (!picture.anomalous) judged.good_peaks.push_back(picture.peak);
    }
    return judged;
}

namespace detail {

/// The mean of a figure over the classes that have it; NaN when none has.
template <class Get> double mean_figure(const std::vector<ClassReport>& reports, const Get& get) {
    double sum = 0;
    int count = 0;
    for (const ClassReport& report : reports) {
        const double value = get(report);
        if (std::isnan(value)) continue;
        sum += value;
        ++count;
    }
    return count > 0 ? sum / count : anomaly::undefined_metric;
}

inline anomaly::PixelMetrics mean_pixel_metrics(const std::vector<ClassReport>& reports,
                                                anomaly::PixelMetrics ClassReport::*rule) {
    const auto mean = [&](double anomaly::PixelMetrics::*figure) {
        return mean_figure(reports, [&](const ClassReport& report) { return report.*rule.*figure; });
    };
    using Metrics = anomaly::PixelMetrics;
    return {mean(&Metrics::auroc), mean(&Metrics::ap), mean(&Metrics::f1_max), mean(&Metrics::aupro),
            mean(&Metrics::aupro_exact)};
}

/// JSON has no NaN: an undefined figure becomes null.
inline nlohmann::json number_or_null(double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

inline nlohmann::json figures_json(const ClassReport& report) {
    const auto pixel = [](const anomaly::PixelMetrics& m) {
        return nlohmann::json{{"auroc", number_or_null(m.auroc)},
                              {"ap", number_or_null(m.ap)},
                              {"f1_max", number_or_null(m.f1_max)},
                              {"aupro", number_or_null(m.aupro)},
                              {"aupro_exact", number_or_null(m.aupro_exact)}};
    };
    return {{"image",
             {{"auroc", number_or_null(report.image.auroc)},
              {"ap", number_or_null(report.image.ap)},
              {"f1_max", number_or_null(report.image.f1_max)}}},
            {"pixel gt>0", pixel(report.above_zero)},
            {"pixel gt>0.5", pixel(report.above_half)}};
}

}  // namespace detail

/// Mean of each figure over the classes that have it, named "mean"; thresholds have no mean.
inline ClassReport mean_report(const std::vector<ClassReport>& reports) {
    const auto image = [&](double anomaly::ImageMetrics::*figure) {
        return detail::mean_figure(reports, [&](const ClassReport& report) { return report.image.*figure; });
    };
    ClassReport mean;
    mean.name = "mean";
    mean.image = {image(&anomaly::ImageMetrics::auroc), image(&anomaly::ImageMetrics::ap),
                  image(&anomaly::ImageMetrics::f1_max), anomaly::undefined_metric};
    mean.above_zero = detail::mean_pixel_metrics(reports, &ClassReport::above_zero);
    mean.above_half = detail::mean_pixel_metrics(reports, &ClassReport::above_half);
    return mean;
}

/// {"classes": {name: {"image": {..}, "pixel gt>0": {..}, "pixel gt>0.5": {..}}}, "mean": {..}, "pictures": [..]}, with
/// null for a figure that is not defined.
inline nlohmann::json to_json(const std::vector<ClassReport>& reports) {
    nlohmann::json classes = nlohmann::json::object(), pictures = nlohmann::json::array();
    for (const ClassReport& report : reports) {
        classes[report.name] = detail::figures_json(report);
        for (const PictureResult& picture : report.pictures)
            pictures.push_back(
                {{"path", picture.path}, {"label", picture.anomalous ? 1 : 0}, {"score", picture.score}});
    }
    return {{"classes", classes}, {"mean", detail::figures_json(mean_report(reports))}, {"pictures", pictures}};
}

}  // namespace dinomaly::inline DINOMALY_ABI
