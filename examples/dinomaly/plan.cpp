// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include <algorithm>
#include <iostream>
#include <unordered_map>

#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/hash.hpp"
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

}  // namespace

std::vector<vision::ClassData> find_classes(const TrainOptions& options) {
    return vision::scan(options.data, options.classes);
}

Plan make_plan(const TrainOptions& options) {
    Plan plan;
    plan.classes = find_classes(options);
    for (const vision::Sample& sample : vision::training_samples(plan.classes)) {
        plan.pictures.push_back(sample.picture);
        plan.names.push_back(sample.picture.lexically_relative(options.data).generic_string());
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
    std::string names;
    for (const std::string& name : plan.names) names += name + '\n';
    return {{"pictures", hash_text(names)},
            {"encoder", engine.encoder_hash()},
            {"order", plan.order_hash},
            {"size", size_text(options.size)},
            {"crop", size_text(options.crop)},
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

void describe_classes(const std::vector<vision::ClassData>& classes) {
    for (const vision::ClassData& data : classes) {
        const auto bad = std::ranges::count(data.test, true, &vision::Sample::anomalous);
        std::cout << "class " << data.name << ": " << data.train.size() << " pictures to learn from, "
                  << data.test.size() << " to judge (" << bad << " of them bad)\n";
        for (const vision::MaskPairing& pairing : data.pairings)
            if (pairing.rule == vision::MaskRule::none || pairing.rule == vision::MaskRule::partly)
                warn(data.name + "/test/" + pairing.defect + ": " + std::to_string(pairing.masks) + " masks for " +
                     std::to_string(pairing.pictures) + " pictures; where one is missing nothing counts as defect");
    }
}

void describe_run(const TrainOptions& options, const Plan& plan, const Engine& engine, int threads) {
    std::cout << "encoder " << options.encoder.string() << ": " << engine.description() << '\n'
              << "pictures " << options.size << ", middle " << options.crop << "; " << options.settings.iterations
              << " iterations of " << plan.batches.front().size() << " pictures in " << options.precision << " on "
              << options.device << "; " << threads << " threads" << std::endl;
}

}  // namespace dinomaly::program
