// SPDX-License-Identifier: Apache-2.0
// The command demo: draws parts, trains on the good ones with the very command train, judges the others, and shows the
// result as pictures and as one page.
#include <algorithm>
#include <iostream>
#include <numeric>
#include <sstream>

#include "commands.hpp"
#include "console.hpp"
#include "demo_parts.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/overlay.hpp"
#include "report.hpp"
#include "run_folder.hpp"
#include "untrained_encoder.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t map_pixels = 256 * 256;

/// Settings of the demo's run. The untrained encoder does best, of what was tried, when it looks at larger pictures,
/// fewer at a time and more often.
TrainOptions train_options(const DemoOptions& options, bool is_untrained) {
    TrainOptions train;
    train.data = options.out / "parts";
    train.out = options.out / "run";
    train.encoder = is_untrained ? options.out / "encoder.safetensors" : options.encoder;
    train.size = train.crop = is_untrained ? 392 : 280;
    train.batch = is_untrained ? 2 : 4;
    train.threads = options.threads;
    train.device = options.device;
    train.save_every = 0;
    TrainSettings& settings = train.settings;
    settings.iterations = options.iterations > 0 ? options.iterations : is_untrained ? 450 : 120;
    settings.warmup = settings.iterations / 10;
    settings.hard_mining_ramp = settings.iterations / 2;
    settings.dropout = is_untrained ? 0.4 : 0.2;
    settings.seed = options.seed;
    return train;
}

/// Colours of a class's heat maps: from the mean over its good pictures to nearly the highest value of all.
vision::OverlayStyle overlay_style(const ClassReport& report) {
    double sum = 0;
    std::size_t good = 0;
    std::vector<float> peaks;
    for (std::size_t i = 0; i < report.pictures.size(); ++i) {
        const std::span<const float> map(report.maps.data() + i * map_pixels, map_pixels);
        peaks.push_back(*std::ranges::max_element(map));
        if (report.pictures[i].anomalous) continue;
        sum += std::accumulate(map.begin(), map.end(), 0.0) / static_cast<double>(map_pixels);
        ++good;
    }
    std::ranges::sort(peaks);
    const float high = peaks[peaks.size() * 9 / 10];
    const float low = good > 0 ? static_cast<float>(sum / static_cast<double>(good)) : 0.0F;
    return {.low = std::min(low, 0.9F * high), .high = high, .opacity = 0.55F};
}

/// Which pictures of a class to show: the first two of each fault and of the good ones.
std::vector<std::size_t> examples_of(const vision::ClassData& data) {
    constexpr std::size_t of_each = 2;
    std::vector<std::size_t> chosen;
    std::size_t same = 0;
    for (std::size_t i = 0; i < data.test.size(); ++i) {
        same = i > 0 && data.test[i].defect == data.test[i - 1].defect ? same + 1 : 0;
        if (same < of_each) chosen.push_back(i);
    }
    return chosen;
}

ReportFigures figures_of(const ClassReport& report) {
    const anomaly::PixelMetrics& pixel = report.above_zero;
    return {report.image.auroc, report.image.ap, report.image.f1_max, pixel.auroc, pixel.ap, pixel.f1_max, pixel.aupro};
}

/// Adds a class to the page and writes its heat maps beside it.
void show_class(const fs::path& out, const vision::ClassData& data, const ClassReport& report,
                const vision::Preprocess& sizes, ReportData& page) {
    ReportClass& shown = page.classes.emplace_back();
    shown.name = report.name;
    shown.figures = figures_of(report);
    shown.threshold = report.image.f1_threshold;
    for (const PictureResult& picture : report.pictures)
        (picture.anomalous ? shown.bad_scores : shown.good_scores).push_back(picture.score);

    const vision::OverlayStyle style = overlay_style(report);
    for (const std::size_t i : examples_of(data)) {
        const vision::Sample& sample = data.test[i];
        ReportExample& example = page.examples.emplace_back();
        example.class_name = report.name;
        example.name = sample.defect + '/' + sample.picture.filename().string();
        example.is_bad = sample.anomalous;
        example.score = report.pictures[i].score;
        example.picture = vision::read_rgb(sample.picture);
        if (sample.mask) example.mask = vision::read_grey(*sample.mask);
        const std::span<const float> map(report.maps.data() + i * map_pixels, map_pixels);
        example.overlay = vision::overlay(example.picture, map, 256, 256, sizes, style);
        const std::string name = report.name + '-' + sample.defect + '-' + sample.picture.stem().string();
        vision::write_png(out / (name + "-overlay.png"), example.overlay);
    }
}

std::vector<double> read_losses(const fs::path& log) {
    std::vector<double> losses;
    std::istringstream lines(io::read_text(log));
    for (std::string line; std::getline(lines, line);)
        losses.push_back(nlohmann::json::parse(line).at("loss").get<double>());
    return losses;
}

const char* const untrained_words =
    "No published checkpoint was given, so the encoder is a small one with random weights drawn from a fixed seed. It "
    "has never seen a picture: these figures are those of a toy and show that everything works, not how good Dinomaly "
    "is. With a published DINOv2 checkpoint (--encoder FILE, or the environment's DINOMALY_ENCODER) the demo uses "
    "learned features and takes a minute or two on two cores.";

}  // namespace

int run_demo(const DemoOptions& options) {
    const bool is_untrained = options.encoder.empty();
    const TrainOptions train = train_options(options, is_untrained);
    choose_target(train.device, train.precision);  // what training cannot run on is refused before anything is drawn
    RunFolder(options.out).make();
    RunFolder(train.out).clear();  // an earlier demo's
    std::cout << "drawing parts into " << train.data.string() << std::endl;
    demo::draw_demo_parts(train.data, static_cast<std::uint32_t>(options.seed));
    if (is_untrained) {
        std::cout << "\nNOTE: " << untrained_words << "\n\n";
        write_untrained_encoder(train.encoder, {}, 1);
    }
    const TrainOutcome outcome = run_train(train, true);
    if (outcome.status != status_done) return outcome.status;

    ReportData page;
    page.title = "Dinomaly demo";
    page.summary = {
        "One model has learned from the good parts of all kinds below, " + std::to_string(train.settings.iterations) +
            " iterations of " + std::to_string(train.batch) +
            " pictures. It has never seen a bad part. The figures are those of parts that it has not learned from.",
        is_untrained ? untrained_words : "The encoder is the published checkpoint " + options.encoder.string() + '.'};
    page.settings = {{"pictures", size_text(train.size)},
                     {"iterations", std::to_string(train.settings.iterations)},
                     {"batch", std::to_string(train.batch)},
                     {"seed", std::to_string(options.seed)},
                     {"encoder", is_untrained ? "untrained, fixed seed" : options.encoder.string()}};
    const std::vector<vision::ClassData> classes = vision::scan(train.data);
    for (std::size_t i = 0; i < classes.size(); ++i)
        show_class(options.out, classes[i], outcome.reports[i], {.size = train.size, .crop = train.crop}, page);
    page.mean = figures_of(mean_report(outcome.reports));
    page.losses = read_losses(RunFolder(train.out).log());
    write_report(options.out / "report.html", page);
    std::cout << "\nlook at " << (options.out / "report.html").string() << " and "
              << (options.out / "*-overlay.png").string()
              << "\nthe model: " << (train.out / "model.safetensors").string() << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
