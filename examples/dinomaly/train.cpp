// SPDX-License-Identifier: Apache-2.0
// The command train: good pictures and an encoder in, a run folder with a model out.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <unordered_map>

#include "commands.hpp"
#include "console.hpp"
#include "data_report.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/hash.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "dinomaly/vision/loader.hpp"
#include "dinomaly/vision/sampler.hpp"
#include "interruption.hpp"
#include "memory_plan.hpp"
#include "result_files.hpp"
#include "run_folder.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;
using Batches = std::vector<std::vector<std::size_t>>;

/// What a run learns from, and in which order.
struct Plan {
    std::vector<vision::ClassData> classes;
    std::vector<vision::Source> pictures;  ///< whole ones, or their tiles
    std::vector<std::string> names;        ///< of the pictures, relative to the data's root; of a tile "a.png@left,top"
    Batches batches;                       ///< one an iteration
    std::string order_hash;                ///< of the order's file; empty without one
};

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

Plan make_plan(const TrainOptions& options) {
    Plan plan;
    vision::DataSet data = find_data(options);
    check_pictures(data, describe_data(std::cout, data));
    plan.classes = std::move(data.classes);
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

/// All that the numbers of a run depend on: a resumed run must have the same.
nlohmann::json run_settings(const TrainOptions& options, const Plan& plan, const Engine& engine) {
    const TrainSettings& s = options.settings;
    std::string names;
    for (std::size_t i = 0; i < plan.pictures.size(); ++i)  // each picture once, however many tiles it has
        if (const fs::path& path = plan.pictures[i].path; i == 0 || path != plan.pictures[i - 1].path)
            names += path.lexically_relative(options.data).generic_string() + '\n';
    return {{"pictures", hash_text(names)},
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
            {"dropout", s.dropout},
            {"seed", s.seed},
            {"attention-eps", options.attention_eps},
            {"precision", options.precision}};
}

void describe(const TrainOptions& options, const Plan& plan, const Engine& engine, int threads) {
    if (options.tile != vision::PictureSize{})
        std::cout << plan.pictures.size() << " tiles or smaller pictures to learn from, tiles of " << options.tile
                  << '\n';
    std::cout << "encoder " << options.encoder.string() << ": " << engine.description() << '\n'
              << "pictures " << options.size << ", middle " << options.crop << "; " << options.settings.iterations
              << " iterations of " << plan.batches.front().size() << " pictures in " << options.precision << " on "
              << options.device << "; " << threads << " threads" << std::endl;
}

/// What the features of the pictures depend on, besides the shapes: a file of features is used again for the same only.
std::string feature_key(const Plan& plan, const Engine& engine) {
    std::ostringstream text;
    text << engine.encoder_hash() << ' ' << precision_name(engine.target().precision)
         << (engine.target().gpu ? " gpu " : " cpu ") << engine.sizes().size << ' ' << engine.sizes().crop << '\n';
    std::error_code unknown;  // an unreadable picture is reported when it is read
    for (const vision::Source& picture : plan.pictures)
        text << picture.path.string() << picture.place() << ' ' << fs::file_size(picture.path, unknown) << ' '
             << fs::last_write_time(picture.path, unknown).time_since_epoch().count() << '\n';
    return text.str();
}

/// What a loader keeps of decoded pictures: nothing where their features are kept.
std::size_t kept_pixels(const Plan& plan, const Engine& engine, const FeatureStore& features) {
    if (!features.pictures.empty()) return 0;
    return std::min(vision::LoaderLimits{}.cache_bytes, plan.pictures.size() * engine.sizes().count());
}

/// The memory that a run asks for, without its features.
MemoryUse memory_use(const Plan& plan, const Engine& engine) {
    MemoryUse use{.crop = engine.sizes().crop,
                  .batch = 1,
                  .element_size = engine.element_size(),
                  .batch_at_once = engine.target().gpu.has_value()};
    for (const auto& batch : plan.batches) use.batch = std::max(use.batch, static_cast<std::int64_t>(batch.size()));
    use.batches_waiting = static_cast<std::int64_t>(vision::LoaderLimits{}.batches_ahead) + 1;
    for (const vision::ClassData& data : plan.classes)
        use.judged = std::max(use.judged, static_cast<std::int64_t>(data.test.size()));
    return use;
}

/// What was settled for a training run.
struct MemoryPlan {
    FeatureStore features;
    std::size_t feature_bytes = 0, total = 0;  ///< of the features when all are there; of all memory, or the GPU's
};

/// Decides where features are kept and sees that all has room; throws Error, or warns, when it has not.
MemoryPlan plan_memory(const TrainOptions& options, const Plan& plan, const Engine& engine, const RunFolder& folder) {
    MemoryUse use = memory_use(plan, engine);
    MemoryPlan memory;
    memory.features = choose_feature_store(options, engine, use, plan.batches, folder.features());
    memory.feature_bytes = feature_bytes(engine, memory.features);
    if (memory.features.file.empty()) use.features = memory.feature_bytes;
    use.pictures = kept_pixels(plan, engine, memory.features);
    memory.total = check_memory(engine, use, options.memory_limit);
    if (!memory.features.file.empty()) memory.features.key = feature_key(plan, engine);
    return memory;
}

/// "memory", "disk" or "off".
const char* store_name(const FeatureStore& store) {
    return store.pictures.empty() ? "off" : store.file.empty() ? "memory" : "disk";
}

void describe(const TrainOptions& options, const Engine& engine, const MemoryPlan& memory) {
    const FeatureStore& store = memory.features;
    std::cout << "features ";
    if (!store.pictures.empty())
        std::cout << "of " << store.pictures.size() << " pictures, " << megabytes(memory.feature_bytes)
                  << ", are kept in " << (store.file.empty() ? "memory" : store.file.string());
    else if (options.cache_features == "off")
        std::cout << "are not kept";
    else
        std::cout << "are not kept: no picture comes twice, or there is no room";
    std::cout << "; about " << megabytes(memory.total) << " of " << memory_name(engine) << " in all" << std::endl;
}

/// The largest and the mean value of the maps of some training pictures: what is usual for good parts. Heat maps are
/// coloured by it.
nlohmann::json usual_map(const Engine& engine, const Plan& plan) {
    constexpr std::size_t wanted = 16;
    const std::size_t step = std::max<std::size_t>(1, plan.pictures.size() / wanted);
    Batches batches;
    for (std::size_t i = 0; i < plan.pictures.size(); i += step) batches.push_back({i});
    vision::Loader loader(plan.pictures, batches, engine.sizes(), {.cache_bytes = 0});
    double sum = 0, peak = 0;
    while (const auto batch = loader.next()) {
        const Judgement judged = std::move(engine.judge(batch->pixels, 1).front());
        sum += std::accumulate(judged.map.begin(), judged.map.end(), 0.0) / static_cast<double>(judged.map.size());
        peak = std::max(peak, static_cast<double>(*std::ranges::max_element(judged.map)));
    }
    return {{"mean", sum / static_cast<double>(batches.size())}, {"peak", peak}};
}

/// What became of the features: shown, and kept with the model.
nlohmann::json feature_summary(const FeatureStore& store, const FeatureUse& use) {
    if (!store.pictures.empty())
        std::cout << "feature cache: " << use.pictures << " pictures, " << megabytes(use.bytes) << "; " << use.hits
                  << " of " << use.asked << " features asked for were at hand" << std::endl;
    return {{"store", store_name(store)},
            {"pictures", use.pictures},
            {"bytes", use.bytes},
            {"hits", use.hits},
            {"asked", use.asked}};
}

/// Steps from the training's iteration to the last. Returns false when it was interrupted; the state is saved then.
bool learn(const TrainOptions& options, const Plan& plan, const Engine& engine, Training& training,
           const FeatureStore& features, const RunFolder& folder, const nlohmann::json& settings,
           double seconds_before) {
    using Clock = std::chrono::steady_clock;
    const std::int64_t total = options.settings.iterations;
    const Clock::time_point start = Clock::now();
    const auto seconds = [&] { return seconds_before + std::chrono::duration<double>(Clock::now() - start).count(); };

    const Interruption interruption;
    RunLog log(folder.log(), training.iteration());
    training.keep_features(features);
    const Batches batches(plan.batches.begin() + training.iteration(), plan.batches.end());
    const Batches unknown = training.unknown(batches);
    Batches to_read;
    std::ranges::copy_if(unknown, std::back_inserter(to_read), [](const auto& batch) { return !batch.empty(); });
    vision::Loader loader(plan.pictures, to_read, engine.sizes(),
                          {.threads = 2, .cache_bytes = kept_pixels(plan, engine, features)});
    Progress progress("training", "iterations", total, training.iteration());
    const std::int64_t log_every = options.log_every > 0 ? options.log_every : engine.target().gpu ? 20 : 1;
    double loss = 0;  // the last one read
    for (std::size_t i = 0; i < batches.size(); ++i) {
        const vision::Batch read = unknown[i].empty() ? vision::Batch{} : loader.next().value();
        training.submit(batches[i], unknown[i], read.pixels);
        const std::int64_t done = training.iteration();
        const bool is_last = done == total, is_stopped = interruption.asked() && !is_last;
        const bool is_saved = options.save_every > 0 && (done % options.save_every == 0 || is_last);
        const bool is_judged = options.eval_every > 0 && done % options.eval_every == 0 && !is_last;
        if (done % log_every == 0 || is_last || is_stopped || is_saved || is_judged)
            for (const Step& step : training.collect()) {
                log.append(step, seconds());
                loss = step.loss;
            }
        std::ostringstream note;
        note << "loss " << std::fixed << std::setprecision(4) << loss;
        if (!features.pictures.empty()) {
            const FeatureUse use = training.features();
            note << ", cache " << use.pictures << " pictures, " << megabytes(use.bytes) << ", " << use.hits << " hits";
        }
        progress.update(done, note.str());

        if (is_stopped || is_saved) save_state(folder, training, settings, seconds());
        if (is_stopped) {
            progress.pause();
            std::cout << "interrupted after iteration " << done << "; the state is saved in " << folder.state().string()
                      << ". The same command with --resume goes on from there." << std::endl;
            return false;
        }
        if (is_judged) {
            progress.pause();
            trim_memory();
            print_table(evaluate_all(engine, plan.classes, options.data, false));
            trim_memory();
        }
    }
    return true;
}

}  // namespace

TrainOutcome run_train(const TrainOptions& options, bool keep_maps) {
    const RunFolder folder(options.out);
    folder.check_state(options.resume);
    const Target target = choose_target(options.device, options.precision);
    const int threads = use_threads(options.threads);
    const Plan plan = make_plan(options);
    Engine engine = Engine::create(options.encoder, {.size = options.size, .crop = options.crop}, options.settings.seed,
                                   options.attention_eps, target);
    settle_tile(engine, options.tile);
    if (!options.init.empty()) engine.load_trained(options.init);
    const MemoryPlan memory = plan_memory(options, plan, engine, folder);
    folder.make();
    describe(options, plan, engine, threads);
    describe(options, engine, memory);

    nlohmann::json settings = run_settings(options, plan, engine);
    Training training(engine, options.settings);
    double seconds_before = 0;
    if (options.resume) {
        seconds_before = resume_state(folder, training, settings);
        check(training.iteration() <= options.settings.iterations, options.out.c_str(), "the run is at iteration ",
              training.iteration(), " already, beyond --iterations ", options.settings.iterations);
        std::cout << "going on from iteration " << training.iteration() << std::endl;
    }
    try {
        if (!learn(options, plan, engine, training, memory.features, folder, settings, seconds_before))
            return {status_interrupted, {}};
    } catch (...) {
        if (training.iteration() == 0) folder.discard();  // so that the corrected command is not refused
        throw;
    }

    folder.remove_features();
    trim_memory();
    settings["iterations"] = options.settings.iterations;
    settings["features"] = feature_summary(memory.features, training.features());
    settings["good_map"] = usual_map(engine, plan);
    std::vector<std::string> names;
    for (const vision::ClassData& data : plan.classes) names.push_back(data.name);
    engine.set_metadata(names, settings);
    engine.save(folder.model());
    std::cout << "wrote " << folder.model().string() << std::endl;

    TrainOutcome outcome{
        status_done,
        judge_and_report(engine, plan.classes, options.data, keep_maps, {.model = folder.model(), .log = folder.log()},
                         {.report = folder.report(), .csv = folder.csv(), .markdown = folder.markdown()})};
    if (!outcome.reports.empty()) {
        io::write_text(folder.metrics(), to_json(outcome.reports).dump(1) + '\n');
        print_table(outcome.reports);
    }
    return outcome;
}

}  // namespace dinomaly::program
