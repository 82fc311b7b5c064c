// SPDX-License-Identifier: Apache-2.0
// Training as setting and seeds say: one model, or one after another in folders of their own. Each is a whole run, so
// that several that were interrupted go on in the middle: what is finished is left as it is.
#include <algorithm>
#include <array>
#include <iostream>
#include <set>
#include <string_view>
#include <system_error>

#include "commands.hpp"
#include "console.hpp"
#include "data/data_report.hpp"
#include "dinomaly/io/file.hpp"
#include "interruption.hpp"
#include "report/tables.hpp"
#include "training/plan.hpp"
#include "training/presets.hpp"
#include "training/run_config.hpp"
#include "training/run_folder.hpp"
#include "training/summary.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;
using nlohmann::json, nlohmann::ordered_json;

/// What may be another when a run is resumed: it does not change the numbers, or is a path that may be said otherwise.
constexpr std::array<std::string_view, 12> of_no_account = {
    "dinomaly",  "data",       "encoder",    "preset",         "seeds",  "threads",
    "log-every", "save-every", "eval-every", "cache-features", "device", "memory-limit"};

json read_metrics(const RunFolder& folder) {
    json metrics = json::parse(io::read_text(folder.metrics()), nullptr, false);
    check(metrics.is_object(), folder.metrics().c_str(), "not the figures of a run");
    return metrics;
}

/// Throws, naming the value, when several runs were begun with others than they are now to go on with.
void check_same(const RunFolder& folder, const ordered_json& wanted) {
    const ordered_json had = read_config(folder.config());
    for (const auto& [name, value] : wanted.items())
        if (std::ranges::find(of_no_account, name) == of_no_account.end())
            check(had.contains(name) && had[name] == value, folder.config().c_str(), "cannot be resumed with another ",
                  name, ": the run has ", had.value(name, ordered_json()).dump(), ", now asked for ", value.dump());
}

/// One run of several: left as it is where it is finished, else trained, from its state where it has one.
int run_part(TrainOptions options, bool has_tests) {
    const RunFolder folder(options.out);
    std::error_code ignored;
    if (options.resume) {
        if (fs::exists(folder.model(), ignored) && fs::exists(folder.config(), ignored) &&
            (!has_tests || fs::exists(folder.metrics(), ignored))) {
            std::cout << folder.path().string() << " is finished" << std::endl;
            return status_done;
        }
        options.resume = fs::exists(folder.state(), ignored);
        if (!options.resume) folder.clear();  // stopped before its first state
    }
    return run_train(options).status;
}

int report_interruption(std::size_t done, std::size_t count, const char* unit) {
    std::cout << "interrupted: " << done << " of " << count << ' ' << unit << " are done" << std::endl;
    return status_interrupted;
}

/// Makes the folder of several runs, with its config.json.
void begin(const TrainOptions& options) {
    const RunFolder folder(options.out);
    std::error_code ignored;
    if (fs::exists(folder.config(), ignored)) check_same(folder, options.config);
    folder.make();
    io::write_text(folder.config(), options.config.dump(1) + '\n');
}

bool has_tests(const std::vector<vision::ClassData>& classes) {
    return std::ranges::any_of(classes, [](const vision::ClassData& data) { return !data.test.empty(); });
}

TrainOptions options_of_class(const TrainOptions& options, const std::string& name) {
    TrainOptions part = options;
    part.out /= name;
    part.classes = {name};
    part.setting = multi_class;
    part.config["classes"] = part.classes;
    part.config["setting"] = part.setting;
    return part;
}

/// What each class needs is looked at before the first one is trained.
void check_classes(const TrainOptions& options, const std::vector<vision::ClassData>& classes) {
    check(options.order.empty(), "--order", "an order is of one run; --setting multi-class expected");
    if (options.shot > 0) return;  // the few are repeated
    for (const vision::ClassData& data : classes)
        check(data.train.size() >= options.batch, "--setting class-separated", "class '", data.name, "' has ",
              data.train.size(), " pictures to learn from, fewer than a batch of ", options.batch);
}

int run_classes(const TrainOptions& options, const std::vector<vision::ClassData>& classes) {
    begin(options);
    const Interruption interruption;
    std::vector<json> parts;
    std::vector<ClassReport> reports;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        if (interruption.asked()) return report_interruption(i, classes.size(), "classes");
        const vision::ClassData& data = classes[i];
        std::cout << "\n-- class " << data.name << ", " << i + 1 << " of " << classes.size() << std::endl;
        const TrainOptions part = options_of_class(options, data.name);
        if (run_part(part, !data.test.empty()) != status_done) return report_interruption(i, classes.size(), "classes");
        if (data.test.empty()) continue;
        const RunFolder folder(part.out);
        parts.push_back(read_metrics(folder));
        for (ClassReport& report : read_reports(parts.back(), folder.metrics())) reports.push_back(std::move(report));
    }
    if (reports.empty()) return status_done;
    const RunFolder whole(options.out);
    io::write_text(whole.metrics(), joined_metrics(parts, reports).dump(1) + '\n');
    io::write_text(whole.markdown(), markdown_table(reports, ""));  // what is published beside it is multi-class
    std::cout << "\nclasses trained alone\n";
    print_table(reports);
    return status_done;
}

/// A run of one seed, of one model or of one a class.
int run_one(const TrainOptions& options, const std::vector<vision::ClassData>& classes) {
    return options.setting == class_separated ? run_classes(options, classes) : run_part(options, has_tests(classes));
}

TrainOptions options_of_seed(const TrainOptions& options, std::uint64_t seed) {
    TrainOptions part = options;
    part.out /= "seed-" + std::to_string(seed);
    part.seeds.clear();
    part.settings.seed = seed;
    part.config.erase("seeds");
    part.config["seed"] = seed;
    return part;
}

int run_seeds(const TrainOptions& options, const std::vector<vision::ClassData>& classes) {
    begin(options);
    const Interruption interruption;
    std::vector<std::vector<ClassReport>> runs;
    for (std::size_t i = 0; i < options.seeds.size(); ++i) {
        if (interruption.asked()) return report_interruption(i, options.seeds.size(), "seeds");
        std::cout << "\n-- seed " << options.seeds[i] << ", " << i + 1 << " of " << options.seeds.size() << std::endl;
        const TrainOptions part = options_of_seed(options, options.seeds[i]);
        if (run_one(part, classes) != status_done) return report_interruption(i, options.seeds.size(), "seeds");
        if (!has_tests(classes)) continue;
        const RunFolder folder(part.out);
        runs.push_back(read_reports(read_metrics(folder), folder.metrics()));
    }
    if (runs.empty()) return status_done;
    const RunFolder folder(options.out);
    const std::string table = seed_table(seed_rows(runs), runs.size());
    io::write_text(folder.metrics(), seed_metrics(options.seeds, runs).dump(1) + '\n');
    io::write_text(folder.markdown(), table);
    std::cout << '\n' << table << std::flush;
    return status_done;
}

/// The first run, or that of the class with most pictures, which takes most memory.
int show_one(TrainOptions options, const vision::DataSet& data) {
    if (!options.seeds.empty()) {
        std::cout << "-- a run for each of " << options.seeds.size() << " seeds; the first:\n";
        options = options_of_seed(options, options.seeds.front());
    }
    if (options.setting == class_separated) {
        const auto largest =
            std::ranges::max_element(data.classes, {}, [](const auto& each) { return each.train.size(); });
        describe_data(std::cout, data);
        std::cout << "-- a run for each of " << data.classes.size() << " classes; that with most pictures:\n";
        options = options_of_class(options, largest->name);
    }
    return run_train(options).status;
}

}  // namespace

int run_training(const TrainOptions& options) {
    const RunFolder folder(options.out);
    if (options.seeds.empty() && options.setting == multi_class) {
        folder.check_state(options.resume);
        return run_train(options).status;
    }
    check(std::set(options.seeds.begin(), options.seeds.end()).size() == options.seeds.size(), "--seeds",
          "a seed is named twice, different ones expected");
    const vision::DataSet data = find_data(options);
    const std::vector<vision::ClassData>& classes = data.classes;
    if (options.setting == class_separated) check_classes(options, classes);
    std::error_code ignored;
    if (!options.resume) folder.check_state(false);
    check(!options.resume || fs::exists(folder.config(), ignored), options.out.c_str(),
          "nothing to resume: there is no config.json");
    if (options.dry_run) return show_one(options, data);

    TrainOptions all = options;
    all.config["classes"] = ordered_json::array();  // the runs name the classes that they found
    for (const vision::ClassData& each : classes) all.config["classes"].push_back(each.name);
    const int status = all.seeds.empty() ? run_classes(all, classes) : run_seeds(all, classes);
    if (status == status_interrupted)
        std::cout << "'dinomaly train --out " << options.out.string() << " --resume' goes on" << std::endl;
    return status;
}

}  // namespace dinomaly::program
