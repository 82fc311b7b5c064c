// SPDX-License-Identifier: Apache-2.0
// Connected regions of ground-truth masks: pixels that touch by a side or a corner (8 neighbours) belong together.
//
// One pass joins each pixel with its neighbours to the left and above (union-find), a second numbers the regions in
// reading order. Pictures of a stack [count, height, width] never share a region.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly {

/// Sizes of a stack of maps or masks, [count, height, width].
struct StackSize {
    std::int64_t count = 0;
    std::int64_t height = 0;
    std::int64_t width = 0;

    /// Number of pixels. Throws when a size is negative or the product leaves the range of 32 bit indices.
    std::int64_t pixels() const {
        constexpr std::int64_t limit = std::int64_t{1} << 31;
        check(count >= 0 && height >= 0 && width >= 0 && count < limit && height < limit && width < limit, "stack size",
              "[", count, ", ", height, ", ", width, "] is out of range");
        const std::int64_t area = height * width;
        check(area == 0 || count <= (limit - 1) / area, "stack size", "[", count, ", ", height, ", ", width,
              "] holds 2^31 pixels or more");
        return count * area;
    }
};

/// Regions of a stack of masks: label[i] = 0 for a good pixel, k for region k; area[k] counts the pixels of label k.
struct Regions {
    std::vector<std::int32_t> label;
    std::vector<std::int64_t> area;

    std::int64_t good_pixels() const { return area.front(); }
    std::int64_t count() const { return static_cast<std::int64_t>(area.size()) - 1; }
};

namespace detail {

/// Sets of pixels, each known by its smallest member.
class PixelSets {
public:
    explicit PixelSets(std::size_t pixels) : parent_(pixels) { std::iota(parent_.begin(), parent_.end(), 0U); }

    std::size_t first_of(std::size_t pixel) {
        while (parent_[pixel] != pixel) {
            parent_[pixel] = parent_[parent_[pixel]];
            pixel = parent_[pixel];
        }
        return pixel;
    }

    void join(std::size_t a, std::size_t b) {
        const auto [low, high] = std::minmax({first_of(a), first_of(b)});
        parent_[high] = static_cast<std::uint32_t>(low);
    }

private:
    std::vector<std::uint32_t> parent_;
};

}  // namespace detail

/// Regions of the non-zero pixels of masks [count, height, width]. Throws when the span has another size.
inline Regions label_regions(std::span<const std::uint8_t> masks, StackSize size) {
    const std::int64_t pixels = size.pixels();
    check(static_cast<std::int64_t>(masks.size()) == pixels, "label_regions", masks.size(), " mask values, ", pixels,
          " expected");
    const auto width = static_cast<std::size_t>(size.width);
    const auto picture = width * static_cast<std::size_t>(size.height);

    detail::PixelSets sets(masks.size());
    for (std::size_t pixel = 0; pixel < masks.size(); ++pixel) {
        if (masks[pixel] == 0) continue;
        const bool has_left = pixel % width > 0;
        const bool has_right = pixel % width + 1 < width;
        if (has_left && masks[pixel - 1] != 0) sets.join(pixel, pixel - 1);
        if (pixel % picture < width) continue;  // the first row of its picture
        const std::size_t above = pixel - width;
        if (masks[above] != 0) sets.join(pixel, above);
        if (has_left && masks[above - 1] != 0) sets.join(pixel, above - 1);
        if (has_right && masks[above + 1] != 0) sets.join(pixel, above + 1);
    }

    Regions regions{std::vector<std::int32_t>(masks.size()), {0}};
    for (std::size_t pixel = 0; pixel < masks.size(); ++pixel) {
        std::int32_t label = 0;
        if (masks[pixel] != 0) {
            const std::size_t first = sets.first_of(pixel);
            if (first == pixel) regions.area.push_back(0);
            label = first == pixel ? static_cast<std::int32_t>(regions.count()) : regions.label[first];
        }
        regions.label[pixel] = label;
        ++regions.area[static_cast<std::size_t>(label)];
    }
    return regions;
}

/// Regions of one mask [height, width].
inline Regions label_regions(std::span<const std::uint8_t> mask, std::int64_t width, std::int64_t height) {
    return label_regions(mask, {.count = 1, .height = height, .width = width});
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
