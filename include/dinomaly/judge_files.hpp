// SPDX-License-Identifier: Apache-2.0
// Judging picture files one after the other, in the judge's tiles, while background threads decode those to come.
//
//     judge_files(predictor, files, {}, [](std::size_t i, Prediction p, const vision::Preprocess& map_sizes) { .. });
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

/// Judges picture files in the judge's tiles, in their order, decoding in background threads. After each picture
/// visit(number, judgement, map_sizes) is called; the map lies over the picture as map_sizes says (overlay, load_mask).
/// Throws Error when a picture cannot be read.
template <class Judge, class Visit>
void judge_files(const Judge& judge, const std::vector<std::filesystem::path>& files, const JudgeFilesOptions& options,
                 const Visit& visit) {
    check(options.batch > 0, "judge_files", "a batch of 0 pictures");
    const vision::Preprocess sizes = judge.sizes();
    const vision::PictureSize tile = tile_of(judge);
    std::vector<vision::Source> sources;
    std::vector<std::size_t> numbers;  // of the files that the sources belong to
    for (std::size_t i = 0; i < files.size(); ++i)
        for (vision::Source& source : vision::sources_of(files[i], sizes, tile)) {
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
            if (!current)
                current.emplace(source.window ? vision::Tiling(vision::read_size(source.path), sizes, tile)
                                              : vision::Tiling(sizes.size, sizes, {}));
            if (!current->add(std::move(judged[i]))) continue;
            const vision::Preprocess map_sizes = current->tiling().map_sizes();
            visit(numbers[batch->indices[i]], current->take(), map_sizes);
            current.reset();
        }
    }
}

}  // namespace dinomaly::inline DINOMALY_ABI
