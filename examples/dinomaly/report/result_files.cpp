// SPDX-License-Identifier: Apache-2.0
#include "report/result_files.hpp"

#include <iostream>

#include "console.hpp"
#include "dinomaly/backend/cpu/machine.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/version.hpp"
#include "engine/gpu.hpp"
#include "report/tables.hpp"

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

}  // namespace

RunReport begin_report(const Engine& engine, const std::vector<vision::ClassData>& classes,
                       const std::filesystem::path& root, const ReportSource& source) {
    RunReport run;
    run.notes = source.notes;
    run.log = source.log;
    run.expected_classes = classes.size();
    std::size_t learnt = 0, judged = 0;
    for (const vision::ClassData& data : classes) learnt += data.train.size(), judged += data.test.size();
    run.title = source.title;
    if (run.title.empty()) run.title = (judged > 0 ? "Defects found in " : "Trained on ") + listed(classes);
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

void add_to_report(RunReport& run, const Engine& engine, const std::vector<vision::ClassData>& classes,
                   const std::filesystem::path& root, const std::vector<ClassReport>& reports) {
    const auto map_over = [&](const std::vector<vision::Image>& pictures, vision::PictureSize drawn) {
        const Judgement judged = judge_pictures(engine, pictures);
        return vision::PictureMap(judged.map, judged.map_width, judged.map_height, drawn,
                                  engine.map_sizes({pictures.front().width, pictures.front().height}));
    };
    run.decision = decision_from_json(engine.decision());
    auto report = reports.begin();
    for (const vision::ClassData& data : classes)
        if (!data.test.empty()) add_class(run, data, *report++, map_over);
    const std::vector<vision::ClassData> learnt = some_good_parts(classes);
    const std::vector<ClassReport> learnt_reports = evaluate_all(engine, learnt, root);
    for (std::size_t i = 0; i < learnt.size(); ++i) add_class(run, learnt[i], learnt_reports[i], map_over, true);
}

void write_results(const RunReport& run, const std::vector<ClassReport>& reports, const std::string& architecture,
                   const ResultFiles& files) {
    if (!files.report.empty()) {
        write_run_report(files.report, run);
        std::cout << "wrote " << files.report.string() << std::endl;
    }
    if (reports.empty()) return;
    if (!files.csv.empty()) io::write_text(files.csv, csv_table(reports));
    if (!files.markdown.empty()) io::write_text(files.markdown, markdown_table(reports, architecture));
}

}  // namespace dinomaly::program
