// SPDX-License-Identifier: Apache-2.0
// What stands before and after the model: pictures from their files to the network's input, and the figures of a class.
// Both are held against plain computations, then timed; the times are the least of several runs.
//
//   benchmark_input [DIR] [repeat] [threads] [--json]
//
// DIR holds pictures and stack.safetensors: maps and masks [count, height, width] in F32. Without it, or with the name
// "drawn", both are drawn here: 100 maps of 256x256 with 300 defects, and a PNG of 1024x1024. The figures are computed
// on `threads` threads, a picture is prepared on one. peers/input.py makes such a folder and times others' work on it.
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "dinomaly/anomaly/metrics.hpp"
#include "dinomaly/core/random.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/normalize.hpp"
#include "tests/plain_resize.hpp"

using namespace dinomaly;
namespace fs = std::filesystem;

namespace {

/// The maps and masks of one class.
struct Stack {
    anomaly::StackSize size;
    std::vector<float> maps, masks;
};

struct Picture {
    std::string name;
    std::vector<std::byte> file;
};

/// Noise with 300 round defects that stand out a little.
Stack drawn_stack() {
    Stack stack{{100, 256, 256}, {}, {}};
    const auto pixels = static_cast<std::size_t>(stack.size.pixels());
    Generator random(1);
    stack.masks.resize(pixels);
    for (std::int64_t defect = 0; defect < 300; ++defect) {
        const auto below = [&](std::uint64_t end) { return static_cast<std::int64_t>(random.below(end)); };
        const std::int64_t radius = 3 + below(10), x0 = radius + below(230), y0 = radius + below(230);
        for (std::int64_t y = y0 - radius; y <= y0 + radius; ++y)
            for (std::int64_t x = x0 - radius; x <= x0 + radius; ++x)
                if ((x - x0) * (x - x0) + (y - y0) * (y - y0) <= radius * radius)
                    stack.masks[static_cast<std::size_t>((defect % 100 * 256 + y) * 256 + x)] = 1;
    }
    for (float mask : stack.masks)
        stack.maps.push_back(0.1F + 0.02F * static_cast<float>(random.normal()) + 0.05F * mask);
    return stack;
}

/// Gradients under noise, as a photograph of something plain.
Picture drawn_picture() {
    vision::Image image = vision::make_image(1024, 1024, 3);
    Generator random(2);
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x)
            for (int c = 0; c < 3; ++c)
                image.row(y)[3 * x + c] = static_cast<std::uint8_t>(128 + 60 * std::sin(0.006 * x + c) +
                                                                    40 * std::cos(0.005 * y) + 3 * random.normal());
    return {"drawn.png", vision::encode_png(image)};
}

Stack read_stack(const fs::path& path) {
    const io::StateDict tensors = io::read_safetensors(path);
    const Shape& shape = tensors.at("maps").shape;
    check(shape.rank() == 3 && tensors.at("masks").shape == shape, path.c_str(),
          "maps and masks of one size [n, h, w] expected");
    return {{shape[0], shape[1], shape[2]}, tensors.as<float>("maps"), tensors.as<float>("masks")};
}

std::vector<Picture> read_pictures(const fs::path& folder) {
    std::vector<Picture> pictures;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() != ".safetensors")
            pictures.push_back({entry.path().filename().string(), vision::detail::read_bytes(entry.path())});
    std::ranges::sort(pictures, {}, &Picture::name);
    return pictures;
}

/// What is predicted at one threshold, score >= threshold.
struct Point {
    double threshold, hits, wrong, overlap;
};

/// All thresholds of a stack, highest first, by sorting and visiting every pixel.
std::vector<Point> plain_curve(const Stack& stack, const anomaly::Regions& regions) {
    const std::vector<float>& maps = stack.maps;
    std::vector<double> share(maps.size());  // of its region that a pixel is
    for (const anomaly::Run& run : regions.runs)
        for (std::uint32_t i = run.first; i < run.end; ++i)
            share[i] = 1 / static_cast<double>(regions.area[run.region]);
    std::vector<std::uint32_t> order(maps.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [&](auto a, auto b) { return maps[a] > maps[b]; });
    std::vector<Point> curve;
    Point point{};
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
        const std::uint32_t i = order[rank];
        (share[i] > 0 ? point.hits : point.wrong) += 1;
        point.overlap += share[i];
        point.threshold = maps[i];
        if (rank + 1 == order.size() || maps[order[rank + 1]] < maps[i]) curve.push_back(point);
    }
    return curve;
}

/// The figures of the pixels from their definitions.
anomaly::PixelMetrics plain_metrics(const Stack& stack, const anomaly::Regions& regions) {
    const std::vector<Point> curve = plain_curve(stack, regions);
    const double bad = static_cast<double>(regions.anomalous), good = static_cast<double>(regions.good());
    const double count = static_cast<double>(regions.count());
    anomaly::PixelMetrics found{0, 0, 0, 0, 0};
    Point last{};
    for (const Point& now : curve) {
        found.auroc += (now.wrong - last.wrong) / good * (now.hits + last.hits) / 2 / bad;
        const double precision = now.hits / (now.hits + now.wrong), recall = now.hits / bad;
        found.ap += precision * (now.hits - last.hits) / bad;
        found.f1_max = std::max(found.f1_max, 2 * precision * recall / (precision + recall + 1e-7));
        if (last.wrong < 0.3 * good && now.wrong > last.wrong) {
            const double part = std::min(1.0, (0.3 * good - last.wrong) / (now.wrong - last.wrong));
            const double height = last.overlap + part * (now.overlap - last.overlap) / 2;
            found.aupro_exact += part * (now.wrong - last.wrong) / good * height / count / 0.3;
        }
        last = now;
    }
    last = {};
    const double low = curve.back().threshold, high = curve.front().threshold;
    for (int i = 199; i >= 0; --i) {
        const double threshold = low + (high - low) * i / 200;
        const auto next = std::ranges::partition_point(curve, [=](const Point& p) { return p.threshold > threshold; });
        const Point now = next == curve.begin() ? Point{} : *(next - 1);
        if (now.wrong / good >= 0.3) break;
        if (i < 199) found.aupro += (now.wrong - last.wrong) * (now.overlap + last.overlap) / 2 / count;
        last = now;
    }
    found.aupro /= last.wrong;
    return found;
}

void verify_metrics(const Stack& stack, const anomaly::PixelMetrics& found) {
    const anomaly::Regions regions =
        anomaly::label_regions(anomaly::mask_labels(stack.masks, anomaly::MaskRule::above_zero), stack.size);
    const anomaly::PixelMetrics expected = plain_metrics(stack, regions);
    for (double anomaly::PixelMetrics::*figure :
         {&anomaly::PixelMetrics::auroc, &anomaly::PixelMetrics::ap, &anomaly::PixelMetrics::f1_max,
          &anomaly::PixelMetrics::aupro, &anomaly::PixelMetrics::aupro_exact})
        check(std::abs(found.*figure - expected.*figure) < 1e-9, "benchmark", "a figure is ", found.*figure, ", ",
              expected.*figure, " expected");
}

/// The input of a picture, resized whole and cut pixel by pixel.
void verify_input(const Picture& picture, const std::vector<float>& found) {
    const vision::Preprocess sizes;
    const vision::PictureSize offset = sizes.offset();
    const vision::Image whole = test::plain_resize(vision::to_rgb(vision::decode(picture.file, picture.name)),
                                                   sizes.size.width, sizes.size.height);
    auto next = found.begin();
    for (std::size_t c = 0; c < 3; ++c)
        for (int y = 0; y < sizes.crop.height; ++y)
            for (int x = 0; x < sizes.crop.width; ++x, ++next) {
                const float value = whole.row(y + offset.height)[3 * static_cast<std::size_t>(x + offset.width) + c];
                const float expected = (value / 255.0F - vision::pixel_mean[c]) / vision::pixel_deviation[c];
                check(*next == expected, "benchmark", picture.name, ": pixel ", x, ",", y, " is ", *next, ", ",
                      expected, " expected");
            }
}

/// The least time of several runs in milliseconds.
template <class Work> double least_ms(int repeat, const Work& work) {
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < repeat; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
        least = std::min(least, time.count());
    }
    return least;
}

/// Everything that evaluate_class computes from maps and masks: image figures, and pixel figures by both mask rules.
nlohmann::json time_metrics(const Stack& stack, int repeat) {
    const auto pictures = static_cast<std::size_t>(stack.size.count), pixels = stack.maps.size() / pictures;
    std::vector<float> scores;
    std::vector<std::uint8_t> labels;
    for (std::size_t i = 0; i < pictures; ++i) {
        scores.push_back(std::ranges::max(std::span(stack.maps).subspan(i * pixels, pixels)));
        labels.push_back(std::ranges::max(std::span(stack.masks).subspan(i * pixels, pixels)) > 0 ? 1 : 0);
    }
    anomaly::PixelMetrics zero, half;
    anomaly::ImageMetrics image;
    const double all = least_ms(repeat, [&] {
        const anomaly::Ranking ranking(stack.maps);
        image = anomaly::image_metrics(scores, labels);
        zero = anomaly::pixel_metrics(ranking, stack.masks, stack.size, anomaly::MaskRule::above_zero);
        half = anomaly::pixel_metrics(ranking, stack.masks, stack.size, anomaly::MaskRule::above_half);
    });
    verify_metrics(stack, zero);
    return {{"ms", all},
            {"sort_ms", least_ms(repeat, [&] { const anomaly::Ranking ranking(stack.maps); })},
            {"auroc", zero.auroc},
            {"ap", zero.ap},
            {"f1_max", zero.f1_max},
            {"aupro", zero.aupro}};
}

nlohmann::json time_picture(const Picture& picture, int repeat) {
    const auto prepare = [&] { return vision::to_input(vision::decode(picture.file, picture.name), {}); };
    const std::vector<float> input = prepare();
    verify_input(picture, input);
    const auto bytes = static_cast<uInt>(input.size() * sizeof(float));
    return {{"name", picture.name},
            {"ms", least_ms(repeat, prepare)},
            {"decode_ms", least_ms(repeat, [&] { vision::decode(picture.file, picture.name); })},
            {"crc32", crc32(0, reinterpret_cast<const Bytef*>(input.data()), bytes)}};
}

void print(const nlohmann::json& found) {
    std::printf("%-34s %10s %14s\n", "least times", "ms", "of that");
    const nlohmann::json& metrics = found.at("metrics");
    std::printf("%-34s %10.2f %8.2f sort\n", "all metrics, both mask rules", metrics.at("ms").get<double>(),
                metrics.at("sort_ms").get<double>());
    for (const nlohmann::json& picture : found.at("pictures"))
        std::printf("%-34s %10.2f %8.2f decode\n", picture.at("name").get<std::string>().c_str(),
                    picture.at("ms").get<double>(), picture.at("decode_ms").get<double>());
}

void run(std::vector<std::string> args) {
    const bool json = std::erase(args, "--json") > 0;
    const auto text = [&](std::size_t i, const char* otherwise) { return i < args.size() ? args[i] : otherwise; };
    const std::string folder = text(0, "drawn");
    const int repeat = std::stoi(text(1, "9"));
    if (args.size() > 2) backend::thread_pool().resize(std::stoi(args[2]));
    check(repeat > 0, "benchmark", repeat, " runs, at least 1 expected");

    const bool draw = folder == "drawn";
    const Stack stack = draw ? drawn_stack() : read_stack(fs::path(folder) / "stack.safetensors");
    const std::vector<Picture> pictures = draw ? std::vector{drawn_picture()} : read_pictures(folder);
    nlohmann::json found{{"threads", backend::thread_pool().threads()},
                         {"metrics", time_metrics(stack, repeat)},
                         {"pictures", nlohmann::json::array()}};
    for (const Picture& picture : pictures) found["pictures"].push_back(time_picture(picture, repeat));
    if (json)
        std::cout << found.dump() << '\n';
    else
        print(found);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run({argv + 1, argv + argc});
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
