// SPDX-License-Identifier: Apache-2.0
// Judging pictures one after the other, in the judge's tiles, while background threads decode those to come.
//
//     judge_files(predictor, files, {}, [](std::size_t i, Prediction p, const vision::Preprocess& map_sizes) { .. });
//
// judge_samples() does it for samples of a data set, which may be windows of pictures or have depths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/tiled.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/loader.hpp"
#include "dinomaly/vision/source.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// How judge_files works.
struct JudgeFilesOptions {
    std::size_t batch = 4;  ///< pictures or windows judged at a time
    int decode_threads = 1;
};

/// Judges samples in the judge's tiles, in their order, decoding in background threads. After each one
/// visit(number, judgement, map_sizes) is called; the map lies over what is seen of the picture as map_sizes says
/// (overlay, load_mask). Throws Error when a picture cannot be read, or tiles do not fit (vision::sources_of).
template <class Judge, class Visit>
void judge_samples(const Judge& judge, const std::vector<vision::Sample>& samples, const JudgeFilesOptions& options,
                   const Visit& visit) {
    check(options.batch > 0, "judge_files", "a batch of 0 pictures");
    const vision::Preprocess sizes = judge.sizes();
    const vision::PictureSize tile = tile_of(judge);
    std::vector<vision::Source> sources;
    std::vector<std::size_t> numbers;  // of the samples that the sources belong to
    for (std::size_t i = 0; i < samples.size(); ++i)
        for (vision::Source& source : vision::sources_of(samples[i], sizes, tile)) {
            sources.push_back(std::move(source));
            numbers.push_back(i);
        }
    std::vector<std::vector<std::size_t>> batches;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (i % options.batch == 0) batches.emplace_back();
        batches.back().push_back(i);
    }
    vision::Loader loader(sources, std::move(batches), sizes, {.threads = options.decode_threads, .cache_bytes = 0});
    std::optional<detail::TiledJudgement<JudgedBy<Judge>>> current;
    while (const auto batch = loader.next()) {
        auto judged = judge.judge(batch->pixels, static_cast<std::int64_t>(batch->indices.size()));
        for (std::size_t i = 0; i < judged.size(); ++i) {
            const vision::Source& source = sources[batch->indices[i]];
            const bool is_tile = source.window && !samples[numbers[batch->indices[i]]].window;
            if (!current)
                current.emplace(is_tile ? vision::Tiling(vision::read_size(source.path), sizes, tile)
                                        : vision::Tiling(sizes.size, sizes, {}));
            if (!current->add(std::move(judged[i]))) continue;
            const vision::Preprocess map_sizes = current->tiling().map_sizes();
            visit(numbers[batch->indices[i]], current->take(), map_sizes);
            current.reset();
        }
    }
}

/// Judges what is seen of one sample (vision::SourceReader::read_all): a picture, in the judge's tiles, or several
/// together.
template <class Judge> JudgedBy<Judge> judge_pictures(const Judge& judge, const std::vector<vision::Image>& pictures) {
    check(!pictures.empty(), "judge_files", "no picture to judge");
    if (pictures.size() == 1) return judge_tiled(judge, pictures.front(), tile_of(judge));
    std::vector<float> pixels;
    for (const vision::Image& picture : pictures) {
        const std::vector<float> input = vision::to_input(picture, judge.sizes());
        pixels.insert(pixels.end(), input.begin(), input.end());
    }
    return std::move(judge.judge(pixels, 1).at(0));
}

/// judge_samples() of whole picture files.
template <class Judge, class Visit>
void judge_files(const Judge& judge, const std::vector<std::filesystem::path>& files, const JudgeFilesOptions& options,
                 const Visit& visit) {
    std::vector<vision::Sample> samples(files.size());
    for (std::size_t i = 0; i < files.size(); ++i) samples[i].picture = files[i];
    judge_samples(judge, samples, options, visit);
}

}  // namespace dinomaly::inline DINOMALY_ABI
