// SPDX-License-Identifier: Apache-2.0
// memory_estimate: how much memory training or predicting will take at its peak, before any of it is taken.
//
// Counted as it is held: on a CPU by the block cache (backend/cpu/device.hpp), every tensor rounded up to its size
// class, freed blocks included; on a GPU by slabs (backend/slab_heap.hpp), where freed memory serves whatever comes
// next, so that of what follows each other the largest counts. With a "unit" for one activation [B, N, C] of a batch, N
// tokens of C channels:
//
//   training    a decoder block keeps 5 units (its input, both norms' results, the attention's, the middle), one of 3
//               (qkv) and one of 4 units (fc1), and a CPU's cache one more in fp32. The bottleneck keeps 2 and one of
//               4, the loss 6 in fp32, and the sweep works with one of 3 and two of 4.
//   frozen      a picture at a time: 12 units in fp32 (residuals, groups, distances), one of 3 (qkv) and one (what
//               attention mixed) as they are stored, and the position embedding on its way to the picture's size, or
//               the biases [H, N, N] of its blocks in fp32. A batch at once has the hidden layer too, twice where
//               gated.
//   weights     once in fp32, and once packed in the type of the activations: the encoder's for training, all to judge.
//   optimiser   three moments and the gradient of what is trained, and two spare blocks of the largest size.
//
// Not counted: the program itself, threads' stacks and scratch memory, some 20 MB.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "dinomaly/io/checkpoint.hpp"
#include "dinomaly/model.hpp"
#include "dinomaly/vision/image.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// What memory is asked for.
struct MemoryUse {
    bool trains = true;
    vision::PictureSize crop = 392;          ///< what is seen of a picture
    std::int64_t batch = 16;                 ///< pictures at a time
    std::size_t element_size = 4;            ///< of activations: 4 for fp32, 2 for bf16
    bool on_gpu = false;                     ///< where the frozen network takes a batch together
    std::int64_t batches_waiting = 0;        ///< prepared pictures, fp32, in the loader's queue and in work
    std::size_t features = 0, pictures = 0;  ///< bytes of the feature cache and of decoded pictures kept by the loader
    std::int64_t judged = 0;                 ///< test pictures whose maps are kept and ranked together
};

/// One part of an estimate.
struct MemoryPart {
    const char* name;
    std::size_t bytes;
};

/// An estimate by parts, the empty ones left out.
struct MemoryEstimate {
    std::vector<MemoryPart> parts;

    std::size_t total() const {
        return std::accumulate(parts.begin(), parts.end(), std::size_t{0},
                               [](std::size_t sum, const MemoryPart& part) { return sum + part.bytes; });
    }
};

namespace detail {

/// Bytes of tensors as a device holds them.
struct Blocks {
    bool on_gpu = false;

    /// Of `blocks` tensors of `count` elements.
    std::size_t operator()(std::int64_t blocks, std::int64_t count, std::size_t element_size) const {
        const std::size_t one = static_cast<std::size_t>(count) * element_size;
        return static_cast<std::size_t>(blocks) * (on_gpu ? one : backend::HostCache::size_class(one));
    }
};

/// Bytes of a module's parameters, of all and of the largest.
struct ParameterBytes {
    std::size_t all = 0, largest = 0;
};

template <class M> ParameterBytes parameter_bytes(M& module, std::size_t element_size, Blocks block_bytes) {
    ParameterBytes bytes;
    nn::for_each_parameter(module, [&](const std::string&, auto& p) {
        const std::size_t one = block_bytes(1, p.count(), element_size);
        bytes.all += one;
        bytes.largest = std::max(bytes.largest, one);
    });
    return bytes;
}

inline constexpr std::size_t fp32 = 4;

/// Elements of one activation [N, C] of a picture.
inline std::int64_t activation_count(const DinomalyConfig& config, vision::PictureSize crop) {
    return config.tokens(crop.height, crop.width) * config.encoder.width;
}

/// What the frozen network works with, besides the pictures of a batch.
inline std::size_t frozen_bytes(const DinomalyConfig& config, const MemoryUse& use) {
    const Blocks block_bytes{use.on_gpu};
    const std::int64_t one = activation_count(config, use.crop) * (use.on_gpu ? use.batch : 1);
    const nn::VitConfig& encoder = config.encoder;
    const std::int64_t tokens = encoder.tokens(use.crop.height, use.crop.width);
    const std::int64_t hidden = std::max(4 * one, one / encoder.width * encoder.hidden_width());
    const std::int64_t hidden_layers = use.on_gpu ? 1 + std::int64_t{encoder.is_gated} : 0;
    const std::int64_t biases = encoder.position == nn::Position::relative ? config.kept.back() + 1 : 0;
    return block_bytes(12, one, fp32) + block_bytes(1, 3 * one, use.element_size) +
           block_bytes(1, one, use.element_size) + block_bytes(5, one, fp32) +
           block_bytes(biases, encoder.heads * tokens * tokens, fp32) +
           block_bytes(hidden_layers, hidden, use.element_size) +
           block_bytes(1, use.batch * 3 * config.modalities * use.crop.pixels(), fp32);
}

}  // namespace detail

/// The peak of memory for what is asked, by parts.
inline MemoryEstimate memory_estimate(const DinomalyConfig& config, const MemoryUse& use) {
    using detail::fp32;
    const detail::Blocks block_bytes{use.on_gpu};
    Dinomaly<io::ShapesOnly> outline(config);
    auto trained = outline.trained();
    const std::int64_t pixels = 3 * config.modalities * use.crop.pixels(), map = anomaly::map_size * anomaly::map_size;

    MemoryEstimate estimate;
    const auto add = [&](const char* name, std::size_t bytes) {
        if (bytes > 0) estimate.parts.push_back({name, bytes});
    };
    const auto parameter_bytes = [&](auto& module, std::size_t element_size) {
        return detail::parameter_bytes(module, element_size, block_bytes);
    };
    const std::size_t encoder = parameter_bytes(outline.encoder, use.element_size).all *
                                static_cast<std::size_t>(config.kept.back() + 1) /
                                static_cast<std::size_t>(config.encoder.depth);
    const bool trained_twice = !use.trains || (use.on_gpu && use.element_size != fp32);
    add("weights", parameter_bytes(outline, fp32).all + encoder +
                       (trained_twice ? parameter_bytes(trained, use.element_size).all : 0));
    if (use.trains) {
        const detail::ParameterBytes part = parameter_bytes(trained, fp32);
        const std::int64_t unit = use.batch * detail::activation_count(config, use.crop), depth = config.decoder_depth;
        const std::size_t kept = block_bytes(5 * depth + 2, unit, use.element_size) +
                                 block_bytes(depth + 1, 3 * unit, use.element_size) +
                                 block_bytes(depth + 3, 4 * unit, use.element_size),
                          loss = block_bytes(6, unit, fp32), frozen = detail::frozen_bytes(config, use);
        if (use.on_gpu) {  // gradients take the place of what they were made of
            add("moments", 3 * part.all);
            add("activations", std::max(kept + loss, frozen));
        } else {
            add("moments and gradients", 4 * part.all + 2 * part.largest);
            add("activations", kept + loss + block_bytes(depth, unit, fp32));
            add("encoder", frozen);
        }
    } else {
        add("activations", detail::frozen_bytes(config, use) + block_bytes(1, use.crop.pixels(), fp32) +
                               block_bytes(3, use.batch * map, fp32));
    }
    add("feature cache", use.features);
    add("pictures", use.pictures + static_cast<std::size_t>(use.batches_waiting * use.batch * pixels) * fp32);
    constexpr std::int64_t judged_bytes = 24;  // a map, a mask and, while they are ranked, twice 8 bytes a pixel
    add("maps", static_cast<std::size_t>(use.judged * map * judged_bytes));
    return estimate;
}

/// The largest batch, at most use.batch, whose estimate is within `limit` bytes; 0 where none is.
inline std::int64_t largest_batch(const DinomalyConfig& config, MemoryUse use, std::size_t limit) {
    while (use.batch > 0 && memory_estimate(config, use).total() > limit) --use.batch;
    return use.batch;
}

}  // namespace dinomaly::inline DINOMALY_ABI
