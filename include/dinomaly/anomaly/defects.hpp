// SPDX-License-Identifier: Apache-2.0
// Defects: the connected regions of a picture whose map reaches the pixel threshold, in the picture's own pixels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "dinomaly/anomaly/regions.hpp"
#include "dinomaly/vision/picture_map.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

/// A connected region of pixels (8 neighbours).
struct Defect {
    std::int64_t area = 0;  ///< pixels
    vision::Window box;     ///< the smallest rectangle around it
    float peak = 0;         ///< its largest value, and the first pixel that has it
    int peak_x = 0, peak_y = 0;
    float mean = 0;
};

/// The regions of at least `min_area` pixels whose values are `threshold` or more, the highest peak first; of equal
/// peaks the larger area. Takes a byte for each covered pixel, and two passes over the map. Throws unless the threshold
/// is a number.
inline std::vector<Defect> find_defects(const vision::PictureMap& map, float threshold, std::int64_t min_area = 1) {
    check(!(threshold != threshold), "find_defects", "the threshold is not a number");
    const vision::Window& covered = map.covered();
    const auto width = static_cast<std::size_t>(covered.width);
    std::vector<float> values(width);
    std::vector<std::uint8_t> mask(width * static_cast<std::size_t>(covered.height));
    for (int y = 0; y < covered.height; ++y) {
        map.read_covered(covered.top + y, values);
        std::ranges::transform(values, mask.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y) * width),
                               [threshold](float value) { return static_cast<std::uint8_t>(value >= threshold); });
    }
    const Regions regions = label_regions(mask, covered.width, covered.height);

    std::vector<Defect> defects(regions.area.size());
    std::vector<double> sums(defects.size());
    int row_read = -1;
    for (const Run& run : regions.runs) {  // in reading order
        Defect& defect = defects[run.region];
        const int row = static_cast<int>(run.first / width), y = covered.top + row;
        if (row != row_read) map.read_covered(y, values);
        row_read = row;
        const std::size_t first = run.first % width, count = run.end - run.first;
        const int left = covered.left + static_cast<int>(first), right = left + static_cast<int>(count);
        if (defect.area == 0) {
            defect.box = {left, y, 0, 0};
            defect.peak = values[first];
            defect.peak_x = left;
            defect.peak_y = y;
        }
        const int end = std::max(defect.box.left + defect.box.width, right);
        defect.box.left = std::min(defect.box.left, left);
        defect.box.width = end - defect.box.left;
        defect.box.height = y + 1 - defect.box.top;
        defect.area += static_cast<std::int64_t>(count);
        for (std::size_t x = first; x < first + count; ++x) {
            sums[run.region] += static_cast<double>(values[x]);
            if (values[x] <= defect.peak) continue;
            defect.peak = values[x];
            defect.peak_x = covered.left + static_cast<int>(x);
            defect.peak_y = y;
        }
    }
    for (std::size_t k = 0; k < defects.size(); ++k)
        defects[k].mean = static_cast<float>(sums[k] / static_cast<double>(defects[k].area));
    std::erase_if(defects, [min_area](const Defect& defect) { return defect.area < min_area; });
    std::ranges::stable_sort(
        defects, [](const Defect& a, const Defect& b) { return std::tie(a.peak, a.area) > std::tie(b.peak, b.area); });
    return defects;
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
