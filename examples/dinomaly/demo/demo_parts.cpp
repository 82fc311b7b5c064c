// SPDX-License-Identifier: Apache-2.0
#include "demo/demo_parts.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "demo/drawing/surfaces.hpp"
#include "dinomaly/anomaly/regions.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/codec.hpp"

namespace dinomaly::demo {

namespace {

constexpr int visible_change = 14;       // of 255, in any channel
constexpr std::int64_t speck_area = 6;   // smaller marks are left out of a mask
constexpr std::int64_t fault_area = 40;  // a fault that shows less is drawn again elsewhere

using Draw = Relief (*)(Random, Fault);

constexpr std::array<std::string_view, 4> kinds{"blister", "circuit", "fabric", "flange"};
constexpr std::array<Draw, 4> draws{draw_blister, draw_circuit, draw_fabric, draw_flange};
constexpr std::array<std::array<std::string_view, 4>, 4> faults{{{"broken", "crumbs", "missing", "wrong_color"},
                                                                 {"bridge", "cut_trace", "missing_pad", "scratch"},
                                                                 {"broken_thread", "fibre", "hole", "oil"},
                                                                 {"chip", "rust", "scratch", "undrilled"}}};

std::size_t kind_index(std::string_view kind) {
    const auto found = std::ranges::find(kinds, kind);
    check(found != kinds.end(), "demo", "no kind of part is named \"", kind, '"');
    return static_cast<std::size_t>(found - kinds.begin());
}

/// The pixels [height, width] that differ visibly between two pictures of one part.
std::vector<std::uint8_t> visible_difference(const vision::Image& a, const vision::Image& b) {
    std::vector<std::uint8_t> differs(a.pixels.size() / 3);
    for (std::size_t i = 0; i < a.pixels.size(); ++i)
        if (std::abs(int{a.pixels[i]} - int{b.pixels[i]}) >= visible_change) differs[i / 3] = 255;
    return differs;
}

/// Removes regions of a few pixels. Returns how many pixels are left.
std::int64_t remove_specks(std::vector<std::uint8_t>& mask) {
    const anomaly::Regions regions = anomaly::label_regions(mask, Relief::picture_side, Relief::picture_side);
    std::int64_t left = regions.anomalous;
    for (const anomaly::Run& run : regions.runs) {
        if (regions.area[run.region] >= speck_area) continue;
        std::fill(mask.begin() + run.first, mask.begin() + run.end, std::uint8_t{0});
        left -= run.end - run.first;
    }
    return left;
}

vision::Image grey_image(std::vector<std::uint8_t> pixels) {
    return {Relief::picture_side, Relief::picture_side, 1, std::move(pixels)};
}

/// Runs the jobs on all cores and passes on the first exception.
void run_all(const std::vector<std::function<void()>>& jobs) {
    std::atomic<std::size_t> next = 0;
    std::exception_ptr error;
    std::mutex error_lock;
    const auto work = [&] {
        for (std::size_t i = next++; i < jobs.size(); i = next++) {
            try {
                jobs[i]();
            } catch (...) {
                const std::lock_guard lock(error_lock);
                if (!error) error = std::current_exception();
                next = jobs.size();
            }
        }
    };
    {
        std::vector<std::jthread> threads(std::max(1U, std::thread::hardware_concurrency()));
        for (std::jthread& thread : threads) thread = std::jthread(work);
    }
    if (error) std::rethrow_exception(error);
}

/// Makes sure that a folder exists.
void make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    check(!error, folder.c_str(), "cannot be made: ", error.message());
}

std::string numbered(int number, const char* ending) {
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "%03d", number);
    return digits.data() + std::string(ending);
}

}  // namespace

std::span<const std::string_view> demo_kinds() {
    return kinds;
}

std::span<const std::string_view> demo_faults(std::string_view kind) {
    return faults[kind_index(kind)];
}

DemoPart draw_demo_part(std::string_view kind, std::uint32_t part_seed, std::string_view fault) {
    const Draw draw = draws[kind_index(kind)];
    Random random(part_seed);
    const Camera camera(random);
    const vision::Image good = render(draw(random, {"", random}), camera);
    if (fault.empty()) return {good, vision::make_image(Relief::picture_side, Relief::picture_side, 1)};

    check(std::ranges::count(demo_faults(kind), fault) == 1, "demo", "a ", kind, " has no fault named \"", fault, '"');
    for (std::uint32_t attempt = 1;; ++attempt) {
        vision::Image bad = render(draw(random, {fault, Random(hash(part_seed, attempt))}), camera);
        std::vector<std::uint8_t> mask = visible_difference(good, bad);
        if (remove_specks(mask) >= fault_area) return {std::move(bad), grey_image(std::move(mask))};
    }
}

void draw_demo_parts(const std::filesystem::path& dir, std::uint32_t seed, const DemoCounts& counts) {
    check(counts.train >= 0 && counts.good >= 0 && counts.bad >= 0, "demo", "negative number of pictures");
    std::vector<std::function<void()>> jobs;
    for (std::string_view kind : kinds) {
        const std::filesystem::path root = dir / kind;
        std::error_code error;
        std::filesystem::remove_all(root, error);
        check(!error, root.c_str(), "cannot be replaced: ", error.message());
        std::uint32_t part = hash(seed, static_cast<std::uint32_t>(kind_index(kind)));

        const auto add = [&](const std::filesystem::path& folder, std::string_view fault, int number) {
            const std::filesystem::path picture = root / folder / numbered(number, ".png");
            const std::filesystem::path mask = root / "ground_truth" / fault / numbered(number, "_mask.png");
            make_folder(picture.parent_path());
            if (!fault.empty()) make_folder(mask.parent_path());
            jobs.push_back([=, part_seed = ++part] {
                const DemoPart drawn = draw_demo_part(kind, part_seed, fault);
                vision::write_png(picture, drawn.picture);
                if (!fault.empty()) vision::write_png(mask, drawn.mask);
            });
        };
        const std::span<const std::string_view> ways = demo_faults(kind);
        const int way_count = static_cast<int>(ways.size());
        for (int i = 0; i < counts.train; ++i) add("train/good", "", i);
        for (int i = 0; i < counts.good; ++i) add("test/good", "", i);
        for (int i = 0; i < counts.bad; ++i) {
            const std::string_view fault = ways[static_cast<std::size_t>(i % way_count)];
            add(std::filesystem::path("test") / fault, fault, i / way_count);
        }
    }
    run_all(jobs);
}

}  // namespace dinomaly::demo
