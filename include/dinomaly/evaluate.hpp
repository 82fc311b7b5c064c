// SPDX-License-Identifier: Apache-2.0
// Judging a class's test pictures: scores and maps from a predictor, the figures of both mask rules, and their form as
// JSON. Pictures are decoded in background threads; masks reach the maps' 256 x 256 by nearest neighbour. The map of a
// picture that is judged in tiles covers all of it; it is brought to 256 x 256 by the filter that resizes pictures, and
// its whole mask as other masks are.
//
// Where pictures are views or a pair of one object (ClassData::fusion), the figures of pictures are those of objects,
// whose scores object_fusion.hpp makes; those of pixels are over all pictures, and over each part of a pair. They are
// exact, where the authors' code for views takes a histogram of 1000 steps.
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
#include <span>
#include <string>
#include <vector>

#include "dinomaly/anomaly/curves.hpp"
#include "dinomaly/anomaly/metrics.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/decision.hpp"
#include "dinomaly/judge_files.hpp"
#include "dinomaly/object_fusion.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/map_blend.hpp"
#include "dinomaly/vision/objects.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// One judged picture, or an object of several.
struct PictureResult {
    std::string path;  ///< relative to the data set's root, "@left,top" behind it for a view; of an object its name
    bool anomalous = false;
    float score = 0;
    float peak = 0;        ///< the largest value of its map
    std::string defect;    ///< the name of its folder; "good" for a good part
    std::string object{};  ///< of which object it is a picture; empty: it is one itself
};

/// The figures of pixels of one part of all objects, as of their infrared pictures.
struct PartReport {
    std::string name;
    anomaly::PixelMetrics above_zero, above_half;
};

/// The figures of one class, or of the mean of classes (then without pictures).
struct ClassReport {
    std::string name;
    anomaly::ImageMetrics image;
    anomaly::PixelMetrics above_zero;  ///< a mask value above 0 marks a defect (the authors' rule)
    anomaly::PixelMetrics above_half;  ///< a mask value above 0.5 does
    std::vector<PictureResult> pictures;
    std::vector<PictureResult> objects{};        ///< in the order of objects_of(); empty: each picture is one
    std::vector<PartReport> parts{};             ///< of pairs
    anomaly::ValueHistogram pixels;              ///< of the maps, by the authors' rule
    std::vector<float> maps;                     ///< [pictures, 256, 256]; empty unless they were to be kept
    anomaly::Curves image_curves, pixel_curves;  ///< of above_zero; empty unless they were asked for
};

/// What verdicts are about: objects, where pictures are judged together, else pictures.
inline const std::vector<PictureResult>& judged_objects(const ClassReport& report) {
    return report.objects.empty() ? report.pictures : report.objects;
}

/// How to evaluate.
struct EvaluateOptions {
    std::size_t batch = 4;  ///< pictures judged at a time
    int decode_threads = 1;
    bool keep_maps = false;
    bool curves = false;                        ///< compute the curves to draw
    std::function<void(std::size_t)> progress;  ///< called with the number of pictures judged so far
};

namespace detail {

/// The objects of a class whose pictures were judged; `maps` are theirs, `each` values a map.
inline std::vector<PictureResult> fuse_objects(const vision::ClassData& data,
                                               const std::vector<PictureResult>& pictures, std::span<const float> maps,
                                               std::size_t each) {
    std::vector<PictureResult> objects;
    for (const vision::Members& members : vision::objects_of(data.test)) {
        const vision::Sample& first = data.test[members.front()];
        PictureResult& object = objects.emplace_back();
        object.path = data.name + '/' + (first.object.empty() ? pictures[members.front()].path : first.object);
        object.defect = first.defect;
        std::vector<float> scores, values;
        for (const std::size_t i : members) {
            const PictureResult& picture = pictures[i];
            object.anomalous = object.anomalous || picture.anomalous || data.test[i].object_is_bad;
            if (picture.anomalous) object.defect = picture.defect;
            object.peak = std::max(object.peak, picture.peak);
            scores.push_back(picture.score);
            const std::span<const float> map = maps.subspan(i * each, each);
            values.insert(values.end(), map.begin(), map.end());
        }
        object.score = fuse_scores(data.fusion, scores, values);
    }
    return objects;
}

/// The figures of pixels of each part that the samples of pairs name.
inline std::vector<PartReport> part_reports(const vision::ClassData& data, std::span<const float> maps,
                                            std::span<const float> masks, std::int64_t side) {
    std::vector<PartReport> parts;
    const auto each = static_cast<std::size_t>(side * side);
    for (const vision::Sample& sample : data.test)
        if (std::ranges::count(parts, sample.part, &PartReport::name) == 0) parts.push_back({sample.part, {}, {}});
    for (PartReport& part : parts) {
        std::vector<float> some_maps, some_masks;
        for (std::size_t i = 0; i < data.test.size(); ++i) {
            if (data.test[i].part != part.name) continue;
            const auto map = maps.subspan(i * each, each), mask = masks.subspan(i * each, each);
            some_maps.insert(some_maps.end(), map.begin(), map.end());
            some_masks.insert(some_masks.end(), mask.begin(), mask.end());
        }
        const anomaly::StackSize stack{static_cast<std::int64_t>(some_maps.size() / each), side, side};
        const anomaly::Ranking ranking(some_maps);
        part.above_zero = anomaly::pixel_metrics(ranking, some_masks, stack, anomaly::MaskRule::above_zero);
        part.above_half = anomaly::pixel_metrics(ranking, some_masks, stack, anomaly::MaskRule::above_half);
    }
    return parts;
}

}  // namespace detail

/// Judges the test pictures of a class. Throws Error when it has none or a picture or mask cannot be read.
template <class Judge>
ClassReport evaluate_class(const Judge& judge, const vision::ClassData& data, const std::filesystem::path& root,
                           const EvaluateOptions& options = {}) {
    constexpr std::int64_t side = 256;
    check(!data.test.empty(), "evaluate", "class '", data.name, "' has no test pictures");
    check(options.batch > 0, "evaluate", "a batch of 0 pictures");

    ClassReport report;
    report.name = data.name;
    std::vector<float> masks;
    report.maps.reserve(data.test.size() * side * side);
    masks.reserve(data.test.size() * side * side);
    const auto note = [&](std::size_t i, const auto& judged, const vision::Preprocess& sizes) {
        const vision::Sample& sample = data.test[i];
        const std::vector<float> map =
            vision::resize_map(judged.map, {judged.map_width, judged.map_height}, static_cast<int>(side));
        report.maps.insert(report.maps.end(), map.begin(), map.end());
        const std::vector<float> truth = vision::load_mask(sample, sizes);
        const std::vector<float> mask = anomaly::nearest_mask(truth, sizes.crop.width, sizes.crop.height, side, side);
        masks.insert(masks.end(), mask.begin(), mask.end());
        const bool anomalous = sample.is_labelled_by_mask ? std::ranges::max(truth) >= 1 : sample.anomalous;
        report.pictures.push_back(
            {sample.picture.lexically_relative(root).generic_string() + vision::source_of(sample).place(), anomalous,
             judged.score, std::ranges::max(judged.map), sample.defect, sample.object});
        if (options.progress) options.progress(report.pictures.size());
    };
    judge_samples(judge, data.test, {.batch = options.batch, .decode_threads = options.decode_threads}, note);
    if (data.fusion != vision::ScoreFusion::single)
        report.objects = detail::fuse_objects(data, report.pictures, report.maps, side * side);
    if (data.fusion == vision::ScoreFusion::sum) report.parts = detail::part_reports(data, report.maps, masks, side);
    std::vector<float> scores;
    std::vector<std::uint8_t> labels;
    for (const PictureResult& object : judged_objects(report)) {
        scores.push_back(object.score);
        labels.push_back(object.anomalous ? 1 : 0);
    }
    const anomaly::StackSize stack{static_cast<std::int64_t>(report.pictures.size()), side, side};
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

/// What a decision is found from: the judged pictures of a class, or its objects.
inline JudgedPictures judged_pictures(const ClassReport& report) {
    JudgedPictures judged{
        .name = report.name, .good_scores = {}, .good_peaks = {}, .bad_scores = {}, .pixels = report.pixels};
    for (const PictureResult& picture : judged_objects(report)) {
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
    nlohmann::json figures{{"image",
                            {{"auroc", number_or_null(report.image.auroc)},
                             {"ap", number_or_null(report.image.ap)},
                             {"f1_max", number_or_null(report.image.f1_max)}}},
                           {"pixel gt>0", pixel(report.above_zero)},
                           {"pixel gt>0.5", pixel(report.above_half)}};
    for (const PartReport& part : report.parts)
        figures["parts"][part.name] = {{"pixel gt>0", pixel(part.above_zero)},
                                       {"pixel gt>0.5", pixel(part.above_half)}};
    return figures;
}

/// A judged picture with its object, or an object.
inline nlohmann::json result_json(const PictureResult& result, const char* name, const std::string& class_name) {
    nlohmann::json object{{name, result.path}, {"label", result.anomalous ? 1 : 0}, {"score", result.score}};
    if (!result.object.empty()) object["object"] = class_name + '/' + result.object;
    return object;
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
/// null for a figure that is not defined. Where pictures are judged together there is a list "objects" too.
inline nlohmann::json to_json(const std::vector<ClassReport>& reports) {
    nlohmann::json classes = nlohmann::json::object(), pictures = nlohmann::json::array(), objects = pictures;
    for (const ClassReport& report : reports) {
        classes[report.name] = detail::figures_json(report);
        for (const PictureResult& picture : report.pictures)
            pictures.push_back(detail::result_json(picture, "path", report.name));
        for (const PictureResult& object : report.objects)
            objects.push_back(detail::result_json(object, "object", report.name));
    }
    nlohmann::json all{
        {"classes", classes}, {"mean", detail::figures_json(mean_report(reports))}, {"pictures", pictures}};
    if (!objects.empty()) all["objects"] = objects;
    return all;
}

}  // namespace dinomaly::inline DINOMALY_ABI
