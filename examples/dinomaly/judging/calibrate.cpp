// SPDX-License-Identifier: Apache-2.0
// The command calibrate: new thresholds for a model that is trained already.
#include <algorithm>
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "data/data_report.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/model_file.hpp"
#include "dinomaly/vision/objects.hpp"
#include "judging/decide.hpp"
#include "training/plan.hpp"
#include "training/run_folder.hpp"

namespace dinomaly::program {

namespace {

/// The good pictures of a class, as test pictures: those of its test where there are any, else those in its folder of
/// good pictures.
vision::ClassData good_pictures(const vision::ClassData& data) {
    vision::ClassData good;
    good.name = data.name;
    good.fusion = data.fusion;
    for (const vision::Members& members : vision::objects_of(data.test))
        if (!vision::is_bad_object(data.test, members))
            for (const std::size_t i : members) good.test.push_back(data.test[i]);
    if (good.test.empty()) good.test = data.train;
    return good;
}

/// Warns when the good pictures are those that the model learnt from: it knows them too well.
void warn_of_known_pictures(const Engine& engine, const CalibrateOptions& options,
                            const std::vector<vision::ClassData>& classes) {
    if (std::ranges::any_of(classes, [](const auto& data) { return !data.test.empty(); })) return;
    if (engine.training().value("pictures", "") == hash_names(vision::training_samples(classes), options.data))
        warn(options.data.string() +
             ": these are the pictures that the model learnt from, whose scores are lower than those of others; the "
             "thresholds come out too low");
}

}  // namespace

int run_calibrate(const CalibrateOptions& options) {
    const std::filesystem::path model = model_file(options.model), out = options.out.empty() ? model : options.out;
    check(out.extension() == ".safetensors", out.c_str(), "a model is written as .safetensors; name one with --out");
    check_writable(out);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    const vision::DataSet data_set = find_data(options);
    check_pictures(data_set, describe_data(std::cout, data_set));
    std::vector<vision::ClassData> classes = data_set.classes;
    Engine engine = Engine::open(model, {}, {}, target);
    settle_tile(engine, options.tile.value_or(engine.tile()));
    if (classes.size() == 1 && engine.classes().size() == 1) classes.front().name = engine.classes().front();

    DecideFrom from = options.decide.from;
    if (from == DecideFrom::any)
        from = std::ranges::all_of(classes, [](const auto& data) { return has_both_kinds(data); }) ? DecideFrom::labels
                                                                                                   : DecideFrom::good;
    const std::string where = options.data.string();
    Decision decision;
    if (from == DecideFrom::labels) {
        for (const vision::ClassData& data : classes)
            check(has_both_kinds(data), where.c_str(), "class '", data.name,
                  "' lacks good or bad test pictures, which --decide labels takes; --decide good goes without");
        decision = decide_from_labels(judged_pictures_of(evaluate_all(engine, classes, options.data)),
                                      "the labelled pictures of " + where);
    } else {
        warn_of_known_pictures(engine, options, classes);
        std::ranges::transform(classes, classes.begin(), good_pictures);
        for (const vision::ClassData& data : classes)
            check(!data.test.empty(), where.c_str(), "class '", data.name, "' has no good pictures");
        decision = decide_from_good(judged_pictures_of(evaluate_all(engine, classes, options.data)),
                                    options.decide.false_alarm_rate, "the good pictures of " + where);
    }
    write_decision(model, out, to_json(decision));
    print_decision(decision);
    std::cout << "wrote " << out.string() << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
