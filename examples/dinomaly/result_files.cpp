// SPDX-License-Identifier: Apache-2.0
#include "result_files.hpp"

#include <iostream>

#include "console.hpp"
#include "dinomaly/backend/cpu/machine.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/version.hpp"
#include "gpu.hpp"
#include "run_report.hpp"
#include "tables.hpp"

namespace dinomaly::program {

namespace {

/// "bottle, cable", or "15 kinds of parts" where the names are many.
std::string listed(const std::vector<vision::ClassData>& classes) {
    constexpr std::size_t most = 4;
    if (classes.size() > most) return std::to_string(classes.size()) + " kinds of parts";
    std::string names;
    for (const vision::ClassData& data : classes) names += (names.empty() ? "" : ", ") + data.name;
    return names;
}

RunReport start_report(const Engine& engine, const std::vector<vision::ClassData>& classes,
                       const std::filesystem::path& root, const ReportSource& source) {
    RunReport run;
    run.title = source.title.empty() ? "Defects found in " + listed(classes) : source.title;
    run.notes = source.notes;
    run.log = source.log;
    run.sizes = engine.sizes();
    run.expected_classes = classes.size();
    std::size_t learnt = 0, judged = 0;
    for (const vision::ClassData& data : classes) learnt += data.train.size(), judged += data.test.size();
    const Target& target = engine.target();
    run.settings = {{"report of", "dinomaly " + std::string(version)},
                    {"data", root.string()},
                    {"good pictures to learn from", std::to_string(learnt)},
                    {"pictures to judge", std::to_string(judged)},
                    {"judged on", target.gpu ? find_gpus().found.at(static_cast<std::size_t>(*target.gpu)).name
                                             : backend::processor_name()},
                    {"judged in", precision_name(target.precision)},
                    {"encoder and decoder", engine.description()}};
    describe_model(run, source.model);
    return run;
}

}  // namespace

std::vector<ClassReport> judge_and_report(const Engine& engine, const std::vector<vision::ClassData>& classes,
                                          const std::filesystem::path& root, bool keep_maps, const ReportSource& source,
                                          const ResultFiles& files) {
    std::vector<ClassReport> reports;
    if (files.report.empty()) {
        reports = evaluate_all(engine, classes, root, keep_maps);
    } else {
        RunReport run = start_report(engine, classes, root, source);
        reports = evaluate_all(engine, classes, root, keep_maps,
                               [&](const auto& data, const auto& report) { add_class(run, data, report); });
        evaluate_all(engine, some_good_parts(classes), root, false,
                     [&](const auto& data, const auto& report) { add_class(run, data, report, true); });
        write_run_report(files.report, run);
        std::cout << "wrote " << files.report.string() << std::endl;
    }
    if (reports.empty()) return reports;
    if (!files.csv.empty()) io::write_text(files.csv, csv_table(reports));
    if (!files.markdown.empty()) io::write_text(files.markdown, markdown_table(reports, engine.architecture()));
    return reports;
}

}  // namespace dinomaly::program
