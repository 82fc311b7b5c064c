// SPDX-License-Identifier: Apache-2.0
// The command train: good pictures and an encoder in, a run folder with a model out.
#include <algorithm>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <sstream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/loader.hpp"
#include "dinomaly/vision/objects.hpp"
#include "engine/memory_plan.hpp"
#include "interruption.hpp"
#include "judging/decide.hpp"
#include "report/result_files.hpp"
#include "training/plan.hpp"
#include "training/run_config.hpp"
#include "training/run_folder.hpp"
#include "training/train_memory.hpp"

namespace dinomaly::program {

namespace {

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
                          {.threads = 2, .cache_bytes = kept_pixels(plan, engine, features)}, plan.draws);
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
            print_table(evaluate_all(engine, plan.classes, options.data));
            trim_memory();
        }
    }
    return true;
}

/// Some of each class's training pictures, evenly chosen, as test pictures.
std::vector<vision::ClassData> some_learnt(const std::vector<vision::ClassData>& classes) {
    constexpr std::size_t wanted = 50;
    std::vector<vision::ClassData> some;
    for (const vision::ClassData& data : classes) {
        vision::ClassData& part = some.emplace_back();
        part.name = data.name;
        part.fusion = data.fusion;
        part.test = vision::some_objects(data.train, wanted);
    }
    return some;
}

/// The decision: from labelled test pictures, whose reports are given; from good pictures that were held out; from good
/// test pictures; and where there is nothing else, from pictures that were learnt from.
Decision find_decision(const TrainOptions& options, const Plan& plan, const Engine& engine,
                       const std::vector<ClassReport>& reports) {
    const DecideFrom from = options.decide.from;
    const double rate = options.decide.false_alarm_rate;
    const auto has_good = [](const vision::ClassData& data) { return vision::count_objects(data.test).good > 0; };
    const auto from_good = [&](const std::vector<ClassReport>& judged, const char* source) {
        return decide_from_good(judged_pictures_of(judged), rate, source);
    };
    if (from == DecideFrom::labels ||
        (from == DecideFrom::any && plan.held.empty() && std::ranges::all_of(plan.classes, has_both_kinds)))
        return decide_from_labels(judged_pictures_of(reports), "the labelled test pictures");
    if (!plan.held.empty())
        return from_good(evaluate_all(engine, plan.held, options.data), "good pictures held out of training");
    if (std::ranges::all_of(plan.classes, has_good)) return from_good(reports, "the good test pictures");
    warn(
        "thresholds rest on pictures that were learnt from, whose scores are lower than those of others; "
        "'dinomaly calibrate' finds better ones from other good pictures");
    return from_good(evaluate_all(engine, some_learnt(plan.classes), options.data), "pictures that were learnt from");
}

/// Judges the test pictures, finds the decision, writes the model with it and all that tells what came out.
std::vector<ClassReport> finish(const TrainOptions& options, const Plan& plan, Engine& engine,
                                const RunFolder& folder) {
    std::vector<ClassReport> reports =
        evaluate_all(engine, plan.classes, options.data, {.curves = true, .progress = {}});
    const Decision decision = find_decision(options, plan, engine, reports);
    engine.set_decision(to_json(decision));
    engine.save(folder.model());
    std::cout << "wrote " << folder.model().string() << std::endl;
    if (!reports.empty()) {
        io::write_text(folder.metrics(), to_json(reports).dump(1) + '\n');
        print_table(reports);
    }
    print_decision(decision);
    RunReport run = begin_report(
        engine, plan.classes, options.data,
        {.model = folder.model(), .log = folder.log(), .title = options.report_title, .notes = options.report_notes});
    add_to_report(run, engine, plan.classes, options.data, reports);
    write_results(run, reports, engine.architecture(),
                  {.report = options.report.empty() ? folder.report() : options.report,
                   .csv = folder.csv(),
                   .markdown = folder.markdown()});
    return reports;
}

/// The variant asked for, for the pictures that are there. Throws where they have depths and it takes none.
VariantOptions variant_for(const TrainOptions& options, const Plan& plan) {
    VariantOptions variant = options.variant;
    variant.modalities = static_cast<std::int64_t>(plan.pictures.front().pictures());
    check(variant.modalities == 1 || variant.is_second, options.data.c_str(),
          "pictures with depths are learnt from by Dinomaly2 alone; --variant dinomaly2 expected");
    return variant;
}

}  // namespace

TrainOutcome run_train(const TrainOptions& options) {
    const RunFolder folder(options.out);
    if (!options.dry_run) folder.check_state(options.resume);
    check(options.shot == 0 || options.cache_features.empty() || options.cache_features == "off", "--cache-features",
          '\'', options.cache_features,
          "' with --shot: augmented pictures have other features each time; off expected");
    const Target target = choose_target(options.device, options.precision);
    const int threads = use_threads(options.threads);
    const Plan plan = make_plan(options);
    Engine engine = Engine::create({.encoder = options.encoder,
                                    .sizes = {.size = options.size, .crop = options.crop},
                                    .seed = options.settings.seed,
                                    .variant = variant_for(options, plan),
                                    .encoder_options = options.encoder_options},
                                   target);
    check(options.settings.neck_lr == 0 || engine.config().neck > 0, "--neck-lr", options.settings.neck_lr,
          " for a narrow bottleneck, which Dinomaly2 alone has (--variant dinomaly2)");
    settle_tile(engine, options.tile);
    if (!options.init.empty()) engine.load_trained(options.init);
    const MemoryPlan memory = plan_memory(options, plan, engine, folder);
    if (!options.dry_run) folder.make();
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
    std::vector<std::string> names;
    for (const vision::ClassData& data : plan.classes) names.push_back(data.name);
    engine.set_metadata(names, settings);
    engine.save(folder.model());  // before anything can go wrong with pictures to judge

    return {status_done, finish(options, plan, engine, folder)};
}

}  // namespace dinomaly::program
