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

}  // namespace

std::string hash_names(const std::vector<vision::Sample>& samples, const fs::path& root) {
    std::string names;
    for (const vision::Sample& sample : samples)
        names += sample.picture.lexically_relative(root).generic_string() + '\n';
    return hash_text(names);
}

Plan make_plan(const TrainOptions& options) {
    Plan plan;
    vision::DataSet data = find_data(options);
    check_pictures(data, describe_data(std::cout, data));
    plan.classes = std::move(data.classes);
    plan.pictures_hash = hash_names(vision::training_samples(plan.classes), options.data);
    plan.hold_out = hold_out_part(options, plan.classes);
    plan.held = hold_out(plan.classes, plan.hold_out, options.settings.seed);
    for (const vision::ClassData& held : plan.held)
        std::cout << "class " << held.name << ": " << held.test.size()
                  << " of the good pictures are held out, to find thresholds\n";
    const vision::Preprocess sizes{.size = options.size, .crop = options.crop};
    for (const vision::Sample& sample : vision::training_samples(plan.classes))
        for (const vision::Source& source : vision::sources_of(sample.picture, sizes, options.tile)) {
            plan.pictures.push_back(source);
            plan.names.push_back(source.path.lexically_relative(options.data).generic_string() + source.place());
        }
    const std::int64_t iterations = options.settings.iterations;
    if (options.order.empty()) {
        vision::Sampler sampler(plan.pictures.size(), options.batch, options.settings.seed);
        for (std::int64_t i = 0; i < iterations; ++i) plan.batches.push_back(sampler.batch(i));
    } else {
        const std::string text = io::read_text(options.order);
        plan.batches = read_order(options.order, text, plan.names, iterations);
        plan.order_hash = hash_text(text);
    }
    return plan;
}

nlohmann::json run_settings(const TrainOptions& options, const Plan& plan, const Engine& engine) {
    const TrainSettings& s = options.settings;
    return {{"pictures", plan.pictures_hash},
            {"hold-out", plan.hold_out},
            {"encoder", engine.encoder_hash()},
            {"order", plan.order_hash},
            {"size", size_text(options.size)},
            {"crop", size_text(options.crop)},
            {"tile", options.tile == vision::PictureSize{} ? "off" : size_text(options.tile)},
            {"batch", options.batch},
            {"schedule", s.schedule > 0 ? s.schedule : s.iterations},
            {"warmup", s.warmup},
            {"hard-mining-ramp", s.hard_mining_ramp},
            {"lr", s.lr},
            {"final-lr", s.final_lr},
            {"adam-eps", s.adam_eps},
            {"dropout", s.dropout},
            {"seed", s.seed},
            {"attention-eps", options.attention_eps},
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
