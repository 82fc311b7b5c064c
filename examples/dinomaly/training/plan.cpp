// SPDX-License-Identifier: Apache-2.0
#include "training/plan.hpp"

#include <algorithm>
#include <iostream>
#include <numeric>
#include <unordered_map>

#include "console.hpp"
#include "data/data_report.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/hash.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/vision/few_shot.hpp"
#include "dinomaly/vision/objects.hpp"
#include "dinomaly/vision/sampler.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

std::string hash_text(const std::string& text) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    io::StateDict dict;
    dict.insert("text", io::DType::u8, {static_cast<std::int64_t>(text.size())},
                io::SharedBytes::own({bytes, bytes + text.size()}));
    return io::hash(dict);
}

/// The batches of a file: a JSON list of lists of paths relative to the data's root.
Batches read_order(const fs::path& file, const std::string& text, const std::vector<std::string>& names,
                   std::int64_t iterations) {
    const nlohmann::json lists = nlohmann::json::parse(text, nullptr, false);
    check(lists.is_array(), file.c_str(), "not a JSON list of lists of paths");
    check(static_cast<std::int64_t>(lists.size()) >= iterations, file.c_str(), lists.size(), " batches, ", iterations,
          " expected (--iterations)");
    std::unordered_map<std::string, std::size_t> numbers;
    for (std::size_t i = 0; i < names.size(); ++i) numbers.emplace(names[i], i);
    Batches batches;
    for (std::int64_t i = 0; i < iterations; ++i) {
        const nlohmann::json& list = lists[static_cast<std::size_t>(i)];
        check(list.is_array() && !list.empty(), file.c_str(), "batch ", i, " is not a list of paths");
        std::vector<std::size_t>& batch = batches.emplace_back();
        for (const nlohmann::json& path : list) {
            check(path.is_string(), file.c_str(), "batch ", i, " holds ", path.dump(), ", a path expected");
            const auto found = numbers.find(path.get<std::string>());
            check(found != numbers.end(), file.c_str(), "batch ", i, " asks for ", path.dump(),
                  ", which is no training picture of the chosen classes");
            batch.push_back(found->second);
        }
    }
    return batches;
}

/// The part of the good pictures to hold out. Throws when labelled pictures are to decide and there are none.
double hold_out_part(const TrainOptions& options, const std::vector<vision::ClassData>& classes) {
    constexpr double usual = 0.1;
    for (const vision::ClassData& data : classes)
        check(options.decide.from != DecideFrom::labels || has_both_kinds(data), "--decide labels", "class '",
              data.name, "' lacks good or bad test pictures; --decide good goes without");
    if (options.hold_out) return *options.hold_out;
    if (options.shot > 0) return 0;  // they are few already
    const bool labels_decide = options.decide.from == DecideFrom::labels ||
                               (options.decide.from == DecideFrom::any && std::ranges::all_of(classes, has_both_kinds));
    if (labels_decide) return 0;
    std::vector<vision::ClassData> left = classes;
    hold_out(left, usual, options.settings.seed);
    const auto count = [](std::size_t sum, const vision::ClassData& data) { return sum + data.train.size(); };
    const bool is_enough = std::accumulate(left.begin(), left.end(), std::size_t{0}, count) >= options.batch;
    if (!is_enough) warn("too few good pictures to hold some out for thresholds");
    return is_enough ? usual : 0;
}

/// Leaves the few pictures of each class that are learnt from, and says which.
void choose_few(std::vector<vision::ClassData>& classes, vision::DataSetKind kind, const TrainOptions& options) {
    std::vector<std::size_t> before;
    for (const vision::ClassData& data : classes) before.push_back(data.train.size());
    vision::choose_shots(classes, vision::drawing_order(classes, kind), options.shot, options.settings.seed);
    for (std::size_t i = 0; i < classes.size(); ++i) {
        std::cout << "class " << classes[i].name << ": " << classes[i].train.size() << " of " << before[i]
                  << " pictures are learnt from, augmented:";
        constexpr std::size_t shown = 8;
        for (std::size_t k = 0; k < std::min(shown, classes[i].train.size()); ++k)
            std::cout << ' ' << classes[i].train[k].picture.filename().string();
        std::cout << (classes[i].train.size() > shown ? " ..\n" : "\n");
    }
}

/// The pictures that come together: those of an object where it is a pair, else each alone. Numbers are of pictures.
std::vector<vision::Members> units_of(const Plan& plan) {
    std::vector<vision::Members> units;
    std::size_t first = 0;
    if (plan.classes.front().fusion == vision::ScoreFusion::sum) {
        for (const vision::ClassData& data : plan.classes) {
            for (vision::Members& unit : vision::objects_of(data.train)) {
                for (std::size_t& number : unit) number += first;
                units.push_back(std::move(unit));
            }
            first += data.train.size();
        }
        check(first == plan.pictures.size(), "--tile", "pairs of pictures are seen as a whole; off expected");
        return units;
    }
    for (std::size_t i = 0; i < plan.pictures.size(); ++i) units.push_back({i});
    return units;
}

/// The batches of all iterations. Those of pairs hold the first picture of each, then the second of each.
Batches draw_batches(const TrainOptions& options, const Plan& plan) {
    const std::vector<vision::Members> units = units_of(plan);
    const std::size_t together = units.front().size(), count = options.batch / together;
    check(options.batch % together == 0, "--batch", options.batch, " pictures of objects with ", together,
          " each; a multiple expected");
    const bool repeats = options.shot > 0 && units.size() < count;
    if (repeats)
        std::cout << plan.pictures.size() << " pictures are fewer than a batch of " << options.batch
                  << ": they are repeated, each time augmented in another way\n";
    vision::Sampler sampler(units.size(), count, options.settings.seed,
                            repeats ? vision::TooFew::repeat : vision::TooFew::refuse);
    Batches batches;
    for (std::int64_t i = 0; i < options.settings.iterations; ++i) {
        std::vector<std::size_t>& batch = batches.emplace_back();
        const std::vector<std::size_t> drawn = sampler.batch(i);
        for (std::size_t place = 0; place < together; ++place)
            for (const std::size_t unit : drawn) batch.push_back(units[unit][place]);
    }
    return batches;
}

/// Gives each place of each batch a number of its own, by which its picture is augmented.
vision::Draws number_draws(Batches& batches, std::uint64_t seed) {
    vision::Draws draws{seed, {}};
    for (std::vector<std::size_t>& batch : batches)
        for (std::size_t& picture : batch) {
            draws.pictures.push_back(picture);
            picture = draws.pictures.size() - 1;
        }
    return draws;
}

}  // namespace

std::string hash_names(const std::vector<vision::Sample>& samples, const fs::path& root) {
    std::string names;
    for (const vision::Sample& sample : samples)
        names += sample.picture.lexically_relative(root).generic_string() + vision::source_of(sample).place() + '\n';
    return hash_text(names);
}

Plan make_plan(const TrainOptions& options) {
    Plan plan;
    vision::DataSet data = find_data(options);
    check_pictures(data, describe_data(std::cout, data));
    plan.classes = std::move(data.classes);
    if (options.shot > 0) choose_few(plan.classes, data.kind, options);
    plan.pictures_hash = hash_names(vision::training_samples(plan.classes), options.data);
    plan.hold_out = hold_out_part(options, plan.classes);
    plan.held = hold_out(plan.classes, plan.hold_out, options.settings.seed);
    for (const vision::ClassData& held : plan.held)
        std::cout << "class " << held.name << ": " << held.test.size()
                  << " of the good pictures are held out, to find thresholds\n";
    const vision::Preprocess sizes{.size = options.size, .crop = options.crop};
    for (const vision::Sample& sample : vision::training_samples(plan.classes))
        for (const vision::Source& source : vision::sources_of(sample, sizes, options.tile)) {
            plan.pictures.push_back(source);
            plan.names.push_back(source.path.lexically_relative(options.data).generic_string() + source.place());
        }
    if (options.order.empty()) {
        plan.batches = draw_batches(options, plan);
    } else {
        const std::string text = io::read_text(options.order);
        plan.batches = read_order(options.order, text, plan.names, options.settings.iterations);
        plan.order_hash = hash_text(text);
    }
    if (options.shot > 0) plan.draws = number_draws(plan.batches, options.settings.seed);
    return plan;
}

nlohmann::json run_settings(const TrainOptions& options, const Plan& plan, const Engine& engine) {
    const TrainSettings& s = options.settings;
    return {{"pictures", plan.pictures_hash},
            {"hold-out", plan.hold_out},
            {"encoder", engine.encoder_hash()},
            {"encoder-heads", engine.config().encoder.heads},
            {"encoder-window", options.encoder_options.window},
            {"bf16-periods", options.encoder_options.bf16_periods},
            {"order", plan.order_hash},
            {"size", size_text(options.size)},
            {"crop", size_text(options.crop)},
            {"tile", options.tile == vision::PictureSize{} ? "off" : size_text(options.tile)},
            {"batch", options.batch},
            {"shot", options.shot},
            {"fusion", vision::fusion_name(plan.classes.front().fusion)},
            {"schedule", s.schedule > 0 ? s.schedule : s.iterations},
            {"warmup", s.warmup},
            {"hard-mining-ramp", s.hard_mining_ramp},
            {"lr", s.lr},
            {"final-lr", s.final_lr},
            {"adam-eps", s.adam_eps},
            {"decay-ratio", s.decay_ratio ? nlohmann::json(*s.decay_ratio) : nlohmann::json(nullptr)},
            {"neck-lr", s.neck_lr},
            {"easy-part", s.easy_part},
            {"easy-factor", s.easy_factor},
            {"amsgrad", s.amsgrad},
            {"dropout", s.dropout},
            {"seed", s.seed},
            {"variant", options.variant.is_second ? "dinomaly2" : "dinomaly"},
            {"groups", engine.config().groups},
            {"recentred", engine.config().is_recentred},
            {"softmax-decoder", engine.config().softmax_decoder},
            {"modalities", engine.config().modalities},
            {"attention-eps", engine.config().attention_eps},
            {"precision", options.precision}};
}

void describe_run(const TrainOptions& options, const Plan& plan, const Engine& engine, int threads) {
    if (options.tile != vision::PictureSize{})
        std::cout << plan.pictures.size() << " tiles or smaller pictures to learn from, tiles of " << options.tile
                  << '\n';
    std::cout << "encoder " << options.encoder.string() << ": " << engine.description() << '\n'
              << "pictures " << options.size << ", middle " << options.crop << "; " << options.settings.iterations
              << " iterations of " << plan.batches.front().size() << " pictures in " << options.precision << " on "
              << options.device << "; " << threads << " threads" << std::endl;
    if (const std::string ignored = encoders::ignored_text(engine.config().encoder, options.crop); !ignored.empty())
        std::cout << "note: " << ignored << std::endl;
}

}  // namespace dinomaly::program
