// SPDX-License-Identifier: Apache-2.0
// The command demo: draws parts, trains on the good ones with the very command train, judges the others, and shows the
// result as pictures and as one page.
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "demo/demo_parts.hpp"
#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/vision/codec.hpp"
#include "engine/untrained_encoder.hpp"
#include "judging/decide.hpp"
#include "judging/picture_files.hpp"
#include "training/run_folder.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

/// A side of 20 patches, or of as many as a fixed grid has.
int side_for(const fs::path& encoder) {
    const nn::VitConfig vit = encoders::read_encoder(io::load_state_dict(encoder)).config;
    const bool is_fixed = encoders::crop_rule(vit) == encoders::CropRule::fixed;
    return static_cast<int>((is_fixed ? vit.grid : 20) * vit.patch);
}

/// Settings of the demo's run. The untrained encoder does best, of what was tried, when it looks at larger pictures,
/// fewer at a time and more often.
TrainOptions train_options(const DemoOptions& options, bool is_untrained) {
    TrainOptions train;
    train.data = options.out / "parts";
    train.out = options.out / "run";
    train.encoder = is_untrained ? options.out / "encoder.safetensors" : options.encoder;
    train.size = train.crop = is_untrained ? 392 : side_for(options.encoder);
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

/// Writes heat maps of a class beside the page.
void write_overlays(const fs::path& out, const vision::ClassData& data, const Engine& engine) {
    const float threshold = decision_from_json(engine.decision()).of(data.name).thresholds.pixel;
    for (const std::size_t i : examples_of(data)) {
        const vision::Sample& sample = data.test[i];
        const vision::Image picture = vision::read_rgb(sample.picture);
        const vision::PictureSize size{picture.width, picture.height};
        const Judgement judged = engine.judge(picture);
        write_picture_outputs(
            {.overlays = out, .maps = {}}, data.name + '-' + sample.defect + '-' + sample.picture.stem().string(),
            picture, {judged.map, judged.map_width, judged.map_height, size, engine.map_sizes(size)}, threshold);
    }
}

const char* const untrained_words =
    "No published checkpoint was given, so the encoder is a small one with random weights drawn from a fixed seed. It "
    "has never seen a picture: these figures are those of a toy and show that everything works, not how good Dinomaly "
    "is. With a published checkpoint (--encoder FILE, or the environment's DINOMALY_ENCODER) the demo uses "
    "learned features and takes about three minutes on two cores.";

}  // namespace

int run_demo(const DemoOptions& options) {
    const bool is_untrained = options.encoder.empty();
    TrainOptions train = train_options(options, is_untrained);
    choose_target(train.device, train.precision);  // what training cannot run on is refused before anything is drawn
    RunFolder(options.out).make();
    RunFolder(train.out).clear();  // an earlier demo's
    std::cout << "drawing parts into " << train.data.string() << std::endl;
    demo::draw_demo_parts(train.data, static_cast<std::uint32_t>(options.seed));
    if (is_untrained) {
        std::cout << "\nNOTE: " << untrained_words << "\n\n";
        write_untrained_encoder(train.encoder, {}, 1);
    }
    train.report = options.out / "report.html";
    train.report_title = "Dinomaly demo";
    train.report_notes = {is_untrained ? untrained_words
                                       : "The encoder is the published checkpoint " + options.encoder.string() + '.'};
    if (const int status = run_train(train).status; status != status_done) return status;

    const Engine engine =
        Engine::open(RunFolder(train.out).model(), {}, {}, choose_target(train.device, train.precision));
    for (const vision::ClassData& data : vision::scan(train.data)) write_overlays(options.out, data, engine);
    std::cout << "\nlook at " << (options.out / "report.html").string() << " and "
              << (options.out / "*-overlay.png").string()
              << "\nthe model: " << (train.out / "model.safetensors").string() << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
