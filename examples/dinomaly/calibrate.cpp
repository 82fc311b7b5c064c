// SPDX-License-Identifier: Apache-2.0
// The command calibrate: new thresholds for a model that is trained already.
#include <algorithm>
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "data_report.hpp"
#include "decide.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/model_file.hpp"
#include "plan.hpp"

namespace dinomaly::program {

namespace {

/// The good pictures of a class, as test pictures: those of its test where there are any, else those in its folder of
/// good pictures.
vision::ClassData good_pictures(const vision::ClassData& data) {
    vision::ClassData good;
    good.name = data.name;
    std::ranges::copy_if(data.test, std::back_inserter(good.test), [](const auto& s) { return !s.anomalous; });
    if (good.test.empty()) good.test = data.train;
    return good;
}

bool has_both_kinds(const vision::ClassData& data) {
    const auto bad = std::ranges::count(data.test, true, &vision::Sample::anomalous);
    return bad > 0 && bad < std::ssize(data.test);
}

/// Warns when the good pictures are those that the model learnt from: it knows them too well.
void warn_of_known_pictures(const Engine& engine, const CalibrateOptions& options,
                            const std::vector<vision::ClassData>& classes) {
    if (std::ranges::any_of(classes, [](const auto& data) { return !data.test.empty(); })) return;
    if (engine.training().value("pictures", "") == pictures_hash(vision::training_samples(classes), options.data))
        warn(options.data.string() +
             ": these are the pictures that the model learnt from, whose scores are lower than those of others; the "
             "thresholds come out too low");
}

}  // namespace

int run_calibrate(const CalibrateOptions& options) {
    const std::filesystem::path out = options.out.empty() ? options.model : options.out;
    check(out.extension() == ".safetensors", out.c_str(), "a model is written as .safetensors; name one with --out");
    check_writable(out);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    const vision::DataSet data_set = find_data(options);
    check_pictures(data_set, describe_data(std::cout, data_set));
    std::vector<vision::ClassData> classes = data_set.classes;
    Engine engine = Engine::open(options.model, {}, {}, target);
    settle_tile(engine, options.tile.value_or(engine.tile()));
    if (classes.size() == 1 && engine.classes().size() == 1) classes.front().name = engine.classes().front();

    DecideFrom from = options.decide.from;
    if (from == DecideFrom::any)
        from = std::ranges::all_of(classes, has_both_kinds) ? DecideFrom::labels : DecideFrom::good;
    JudgedFor judged;
    const std::string where = options.data.string();
    if (from == DecideFrom::labels) {
        judged.labelled = evaluate_all(engine, classes, options.data);
        judged.labelled_source = "the labelled pictures of " + where;
    } else {
        warn_of_known_pictures(engine, options, classes);
        std::ranges::transform(classes, classes.begin(), good_pictures);
        judged.good = evaluate_all(engine, classes, options.data);
        judged.good_source = "the good pictures of " + where;
    }
    const Decision decision = decide(judged, {from, options.decide.false_alarm_rate});
    write_decision(options.model, out, to_json(decision));
    print_decision(decision);
    std::cout << "wrote " << out.string() << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
