// SPDX-License-Identifier: Apache-2.0
// Objects: samples that are judged together, as the views of one part.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Numbers of the samples of one object, rising.
using Members = std::vector<std::size_t>;

/// The objects of samples, in the order in which each is met first; a sample without an object's name is one itself.
inline std::vector<Members> objects_of(std::span<const Sample> samples) {
    std::vector<Members> objects;
    std::unordered_map<std::string, std::size_t> numbers;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::string& name = samples[i].object;
        if (name.empty()) {
            objects.push_back({i});
            continue;
        }
        const auto [at, is_new] = numbers.emplace(name, objects.size());
        if (is_new) objects.emplace_back();
        objects[at->second].push_back(i);
    }
    return objects;
}

/// Whether an object is bad, as far as is known without opening its masks.
inline bool is_bad_object(std::span<const Sample> samples, const Members& members) {
    return std::ranges::any_of(members,
                               [&](std::size_t i) { return samples[i].anomalous || samples[i].object_is_bad; });
}

/// How many objects are good and how many are bad.
struct ObjectCounts {
    std::size_t good = 0, bad = 0;
};
inline ObjectCounts count_objects(std::span<const Sample> samples) {
    ObjectCounts counts;
    for (const Members& members : objects_of(samples)) ++(is_bad_object(samples, members) ? counts.bad : counts.good);
    return counts;
}

/// About `wanted` objects with all their samples, every n-th of all; `most` at most.
inline std::vector<Sample> some_objects(std::span<const Sample> samples, std::size_t wanted,
                                        std::size_t most = SIZE_MAX) {
    const std::vector<Members> objects = objects_of(samples);
    const std::size_t step = std::max<std::size_t>(1, objects.size() / std::max<std::size_t>(1, wanted));
    std::vector<Sample> some;
    for (std::size_t i = 0; i < objects.size() && i / step < most; i += step)
        for (const std::size_t member : objects[i]) some.push_back(samples[member]);
    return some;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
