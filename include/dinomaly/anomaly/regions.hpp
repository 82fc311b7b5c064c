// SPDX-License-Identifier: Apache-2.0
// Connected regions of ground-truth masks: pixels that touch by a side or a corner (8 neighbours) belong together.
//
// Masks are mostly empty, so regions are kept as runs: stretches of one row. One pass over a picture's rows finds its
// runs and joins each with those it touches in the row above (union-find); the regions are then numbered in reading
// order. Pictures of a stack [count, height, width] never share a region, and are labelled in parallel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "dinomaly/backend/cpu/parallel.hpp"
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

/// Neighbouring anomalous pixels of one row: positions first .. end - 1 in the stack.
struct Run {
    std::uint32_t first;
    std::uint32_t end;
    std::uint32_t region;  ///< counted from 0

    friend bool operator==(const Run&, const Run&) = default;
};

/// Regions of a stack of masks: their runs in reading order, and area[k], the pixels of region k.
struct Regions {
    std::vector<Run> runs;
    std::vector<std::int64_t> area;
    std::int64_t pixels = 0;     ///< of the whole stack
    std::int64_t anomalous = 0;  ///< pixels of all regions

    std::int64_t count() const { return static_cast<std::int64_t>(area.size()); }
    std::int64_t good() const { return pixels - anomalous; }
    bool both_present() const { return anomalous > 0 && good() > 0; }
};

namespace detail {

/// The first position at or after `from` whose mask value is not 0, or `end`.
inline std::size_t skip_good(const std::uint8_t* mask, std::size_t from, std::size_t end) {
    for (std::uint64_t eight = 0; from + sizeof eight <= end; from += sizeof eight) {
        std::memcpy(&eight, mask + from, sizeof eight);
        if (eight != 0) break;
    }
    while (from < end && mask[from] == 0) ++from;
    return from;
}

/// The runs of one picture. While it grows, a run's `region` is the number of an earlier run of its region, or its own.
class PictureRuns {
public:
    /// The picture begins at position `first` of the stack.
    void label(const std::uint8_t* mask, std::size_t first, std::size_t height, std::size_t width) {
        std::size_t above = 0;  // the row above holds the runs above .. row - 1
        for (std::size_t y = 0; y < height; ++y) {
            const std::size_t row = runs.size(), begin = first + y * width, end = begin + width;
            for (std::size_t at = skip_good(mask, begin, end); at < end; at = skip_good(mask, at, end)) {
                const std::size_t start = at;
                while (at < end && mask[at] != 0) ++at;
                runs.push_back({static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(at),
                                static_cast<std::uint32_t>(runs.size())});
            }
            join_rows(above, row, width);
            above = row;
        }
        number_regions();
    }

    std::vector<Run> runs;
    std::vector<std::int64_t> area;

private:
    std::uint32_t first_of(std::uint32_t run) {
        while (runs[run].region != run) {
            runs[run].region = runs[runs[run].region].region;
            run = runs[run].region;
        }
        return run;
    }

    /// Joins the runs from `row` on with those of above .. row - 1 that they touch.
    void join_rows(std::size_t above, std::size_t row, std::size_t width) {
        for (std::size_t a = above, b = row; a < row && b < runs.size();) {
            const std::size_t a_first = runs[a].first + width, a_end = runs[a].end + width;  // moved down by a row
            if (a_first <= runs[b].end && runs[b].first <= a_end) {
                const auto [low, high] =
                    std::minmax({first_of(static_cast<std::uint32_t>(a)), first_of(static_cast<std::uint32_t>(b))});
                runs[high].region = low;
            }
            ++(a_end < runs[b].end ? a : b);
        }
    }

    /// From numbers of runs to numbers of regions; the first run of each comes before its others.
    void number_regions() {
        for (std::uint32_t i = 0; i < runs.size(); ++i) {
            Run& run = runs[i];
            if (run.region == i) {
                run.region = static_cast<std::uint32_t>(area.size());
                area.push_back(0);
            } else {
                run.region = runs[run.region].region;
            }
            area[run.region] += run.end - run.first;
        }
    }
};

}  // namespace detail

/// Regions of the non-zero pixels of masks [count, height, width]. Throws when the span has another size.
inline Regions label_regions(std::span<const std::uint8_t> masks, StackSize size) {
    const std::int64_t pixels = size.pixels();
    check(static_cast<std::int64_t>(masks.size()) == pixels, "label_regions", masks.size(), " mask values, ", pixels,
          " expected");
    if (pixels == 0) return {};
    const auto height = static_cast<std::size_t>(size.height), width = static_cast<std::size_t>(size.width);
    std::vector<detail::PictureRuns> pictures(static_cast<std::size_t>(size.count));
    backend::parallel_for(size.count, [&](std::int64_t i) {
        const auto picture = static_cast<std::size_t>(i);
        pictures[picture].label(masks.data(), picture * height * width, height, width);
    });

    Regions regions;
    regions.pixels = pixels;
    for (const detail::PictureRuns& picture : pictures) {
        const auto before = static_cast<std::uint32_t>(regions.area.size());
        for (const Run& run : picture.runs) regions.runs.push_back({run.first, run.end, before + run.region});
        for (std::int64_t area : picture.area) {
            regions.area.push_back(area);
            regions.anomalous += area;
        }
    }
    return regions;
}

/// Regions of one mask [height, width].
inline Regions label_regions(std::span<const std::uint8_t> mask, std::int64_t width, std::int64_t height) {
    return label_regions(mask, {.count = 1, .height = height, .width = width});
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly
