// SPDX-License-Identifier: Apache-2.0
// Few-shot: of each class a few pictures are learned from, drawn as the authors' script draws them: class by class with
// one generator, Python's random.sample of the sorted files after random.seed(seed).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/class_names.hpp"
#include "dinomaly/vision/objects.hpp"
#include "dinomaly/vision/python_random.hpp"
#include "dinomaly/vision/sample.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

namespace detail {

/// The authors' scripts list MVTec-AD's textures first. Other data sets are listed in the order of their names.
inline constexpr std::array<std::string_view, 15> mvtec_order{
    "carpet",   "grid",      "leather", "tile",  "wood",       "bottle",     "cable", "capsule",
    "hazelnut", "metal_nut", "pill",    "screw", "toothbrush", "transistor", "zipper"};

}  // namespace detail

/// In which order the authors draw for the classes of a data set: numbers of `classes`.
inline std::vector<std::size_t> drawing_order(const std::vector<ClassData>& classes, DataSetKind kind) {
    std::vector<std::size_t> order(classes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (kind != DataSetKind::mvtec) return order;
    std::ranges::stable_sort(order, {}, [&](std::size_t i) {
        return std::ranges::find(detail::mvtec_order, classes[i].name) - detail::mvtec_order.begin();
    });
    return order;
}

/// Leaves `shots` of each class's pictures, or objects of several, to learn from, in the order drawn; `order` says for
/// which class is drawn first. Throws, naming the class, where there are fewer.
inline void choose_shots(std::vector<ClassData>& classes, const std::vector<std::size_t>& order, std::size_t shots,
                         std::uint64_t seed) {
    check(shots > 0, "few-shot", "0 pictures a class, at least 1 expected");
    PythonRandom random(seed);
    for (const std::size_t i : order) {
        std::vector<Sample>& train = classes[i].train;
        const std::size_t count = objects_of(train).size();
        check(shots <= count, "few-shot", "class '", classes[i].name, "' has ", count,
              " pictures to learn from, fewer than the ", shots, " asked for");
        std::vector<Sample> sorted = std::move(train);
        if (classes[i].fusion != ScoreFusion::sum)  // the order of pairs is that of their numbers
            std::ranges::stable_sort(sorted, {}, [](const Sample& sample) { return sample.picture.generic_string(); });
        train.clear();
        const std::vector<Members> objects = objects_of(sorted);
        for (const std::size_t number : random.sample(objects.size(), shots))
            for (const std::size_t member : objects[number]) train.push_back(sorted[member]);
    }
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
