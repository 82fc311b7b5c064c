// SPDX-License-Identifier: Apache-2.0
// The command train: good pictures and an encoder in, a run folder with a model out.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <numeric>
#include <sstream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/loader.hpp"
#include "interruption.hpp"
#include "memory_plan.hpp"
#include "plan.hpp"
#include "run_config.hpp"
#include "run_folder.hpp"
#include "train_memory.hpp"

namespace dinomaly::program {

namespace {

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

/// config.json: all values of the run, and the classes that it found.
void write_config(const RunFolder& folder, const TrainOptions& options, const std::vector<vision::ClassData>& classes) {
    nlohmann::ordered_json config = options.config.empty() ? run_config(options) : options.config;
    config["classes"] = nlohmann::json::array();
    for (const vision::ClassData& data : classes) config["classes"].push_back(data.name);
    io::write_text(folder.config(), config.dump(1) + '\n');
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
    if (!options.dry_run) folder.check_state(options.resume);
    const Target target = choose_target(options.device, options.precision);
    const int threads = use_threads(options.threads);
    const Plan plan = make_plan(options);
    warn_of_mask_sizes(plan.classes);
    Engine engine = Engine::create(options.encoder, {.size = options.size, .crop = options.crop}, options.settings.seed,
                                   options.attention_eps, target);
    if (!options.init.empty()) engine.load_trained(options.init);
    const MemoryPlan memory = plan_memory(options, plan, engine, folder);
    if (!options.dry_run) folder.make();
    describe_classes(plan.classes);
    describe_run(options, plan, engine, threads);
    describe_memory(options, engine, memory);
    if (options.dry_run) return {};

    nlohmann::json settings = run_settings(options, plan, engine);
    Training training(engine, options.settings);
    double seconds_before = 0;
    if (options.resume) {
        seconds_before = resume_state(folder, training, settings);
        check(training.iteration() <= options.settings.iterations, options.out.c_str(), "the run is at iteration ",
              training.iteration(), " already, beyond --iterations ", options.settings.iterations);
        std::cout << "going on from iteration " << training.iteration() << std::endl;
    }
    write_config(folder, options, plan.classes);
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

    TrainOutcome outcome{status_done, evaluate_all(engine, plan.classes, options.data, keep_maps)};
    if (!outcome.reports.empty()) {
        io::write_text(folder.metrics(), to_json(outcome.reports).dump(1) + '\n');
        print_table(outcome.reports);
    }
    return outcome;
}

}  // namespace dinomaly::program
