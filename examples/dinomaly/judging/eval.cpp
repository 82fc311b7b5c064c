// SPDX-License-Identifier: Apache-2.0
// The command eval: the figures of a model on labelled pictures.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <optional>
#include <system_error>

#include "commands.hpp"
#include "console.hpp"
#include "data/data_report.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "engine/memory_plan.hpp"
#include "judging/decide.hpp"
#include "judging/object_rule.hpp"
#include "report/result_files.hpp"
#include "training/run_folder.hpp"

namespace dinomaly::program {

namespace {

/// <class>/maps, F32 [pictures, 256, 256], in the order of the sorted paths.
void write_maps(const std::filesystem::path& path, const std::vector<ClassReport>& reports) {
    io::StateDict dict(path.string());
    for (const ClassReport& report : reports) {
        std::vector<std::byte> bytes(report.maps.size() * sizeof(float));
        std::memcpy(bytes.data(), report.maps.data(), bytes.size());
        dict.insert(report.name + "/maps", io::DType::f32,
                    {static_cast<std::int64_t>(report.pictures.size()), 256, 256},
                    io::SharedBytes::own(std::move(bytes)));
    }
    io::write_safetensors(path, dict);
}

/// How much lower the mean figures are than those in fp32, and how far scores moved.
void print_loss(const std::vector<ClassReport>& reports, const std::vector<ClassReport>& exact) {
    double moved = 0, highest = -1, lowest = 1;
    for (std::size_t c = 0; c < exact.size(); ++c)
        for (std::size_t i = 0; i < exact[c].pictures.size(); ++i) {
            const double score = exact[c].pictures[i].score;
            moved = std::max(moved, std::abs(score - static_cast<double>(reports[c].pictures[i].score)));
            highest = std::max(highest, score), lowest = std::min(lowest, score);
        }
    const ClassReport mean = mean_report(reports), full = mean_report(exact);
    std::cout << std::fixed << std::setprecision(4) << "  lost against fp32: image AUROC "
              << full.image.auroc - mean.image.auroc << ", AP " << full.image.ap - mean.image.ap << "; pixel AUROC "
              << full.above_zero.auroc - mean.above_zero.auroc << ", AP " << full.above_zero.ap - mean.above_zero.ap
              << ", AUPRO " << full.above_zero.aupro - mean.above_zero.aupro << "; scores moved by at most " << moved
              << " of " << highest - lowest << " between the lowest and the highest" << std::endl;
}

MemoryUse memory_use(const Engine& engine, const std::vector<vision::ClassData>& classes) {
    MemoryUse use{.trains = false,
                  .crop = engine.sizes().crop,
                  .batch = static_cast<std::int64_t>(EvaluateOptions{}.batch),
                  .element_size = engine.element_size(),
                  .on_gpu = engine.target().gpu.has_value(),
                  .batches_waiting = static_cast<std::int64_t>(vision::LoaderLimits{}.batches_ahead) + 1};
    for (const vision::ClassData& data : classes)
        use.judged = std::max(use.judged, static_cast<std::int64_t>(data.test.size()));
    return use;
}

/// Classes and the model that judges them.
struct Part {
    std::filesystem::path model;
    std::vector<vision::ClassData> classes;
};

/// One model for all classes, or, in the folder of a class-separated run, each class's own.
std::vector<Part> parts_of(const std::filesystem::path& model, const std::vector<vision::ClassData>& classes) {
    std::error_code ignored;
    const auto own = [&](const vision::ClassData& data) { return RunFolder(model / data.name).model(); };
    const auto has_own = [&](const vision::ClassData& data) { return std::filesystem::exists(own(data), ignored); };
    if (!std::filesystem::is_directory(model, ignored) || std::filesystem::exists(RunFolder(model).model(), ignored) ||
        std::ranges::none_of(classes, has_own))
        return {{model_file(model), classes}};
    std::vector<Part> parts;
    for (const vision::ClassData& data : classes) {
        if (data.test.empty()) continue;
        check(has_own(data), own(data).c_str(), "class '", data.name,
              "' has no model in this run; --classes names those to judge");
        parts.push_back({own(data), {data}});
    }
    return parts;
}

/// What came out of judging all parts.
struct Judged {
    std::vector<ClassReport> reports;
    std::optional<RunReport> page;  ///< where a report is asked for
    std::string architecture;
    Verdicts verdicts;
};

/// Judges with each part's model, and tells of it.
Judged judge_all(const std::vector<Part>& parts, const std::vector<vision::ClassData>& classes,
                 const EvalOptions& options, const Target& target) {
    Judged judged;
    for (const Part& part : parts) {
        Engine engine = Engine::open(part.model, options.size, options.crop, target);
        settle_tile(engine, options.tile.value_or(engine.tile()));
        if (!engine.decision().empty()) warn_of_other_fusion(engine, part.classes.front().fusion);
        std::cout << engine.description() << "; pictures " << engine.sizes().size << ", middle " << engine.sizes().crop
                  << tile_text(engine.tile()) << "; " << precision_name(target.precision) << std::endl;
        check_memory(engine, memory_use(engine, part.classes), options.memory_limit);
        std::vector<ClassReport> reports =
            evaluate_all(engine, part.classes, options.data,
                         {.keep_maps = !options.maps.empty(), .curves = !options.report.empty(), .progress = {}});
        if (!options.report.empty()) {
            if (!judged.page) judged.page = begin_report(engine, classes, options.data, {.model = options.model});
            add_to_report(*judged.page, engine, part.classes, options.data, reports);
        }
        judged.architecture = engine.architecture();
        judged.verdicts += count_verdicts(decision_from_json(engine.decision()), reports);
        std::ranges::move(reports, std::back_inserter(judged.reports));
    }
    return judged;
}

/// The same classes judged in fp32, for what was judged with 8-bit weights.
std::vector<ClassReport> judge_exactly(const std::vector<Part>& parts, const EvalOptions& options) {
    std::vector<ClassReport> exact;
    for (const Part& part : parts) {
        Engine engine = Engine::open(part.model, options.size, options.crop, {.gpu = {}, .precision = Precision::fp32});
        engine.set_tile(options.tile.value_or(engine.tile()));
        std::ranges::move(evaluate_all(engine, part.classes, options.data), std::back_inserter(exact));
    }
    return exact;
}

}  // namespace

int run_eval(const EvalOptions& options) {
    check_writable(options.json);
    check_writable(options.maps);
    const ResultFiles files{.report = options.report, .csv = options.csv, .markdown = options.markdown};
    for (const std::filesystem::path& file : {files.report, files.csv, files.markdown}) check_writable(file);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    const vision::DataSet data_set = find_data(options);
    const std::vector<vision::ClassData>& classes = data_set.classes;
    for (const vision::ClassData& data : classes)
        if (data.test.empty()) warn("class '" + data.name + "' has no test pictures and is left out");
    check(std::ranges::any_of(classes, [](const vision::ClassData& data) { return !data.test.empty(); }),
          options.data.c_str(), "no pictures to judge: <class>/test/<good or a defect> expected");
    check_pictures(data_set, describe_data(std::cout, data_set));
    const std::vector<Part> parts = parts_of(options.model, classes);
    const Judged judged = judge_all(parts, classes, options, target);
    if (!options.json.empty()) io::write_text(options.json, to_json(judged.reports).dump(1) + '\n');
    if (!options.maps.empty()) write_maps(options.maps, judged.reports);
    print_table(judged.reports);
    print_verdicts(judged.verdicts);
    write_results(judged.page.value_or(RunReport{}), judged.reports, judged.architecture, files);
    if (target.precision == Precision::int8) {
        std::cout << "the same in fp32, to tell what 8-bit codes cost:" << std::endl;
        print_loss(judged.reports, judge_exactly(parts, options));
    }
    return status_done;
}

}  // namespace dinomaly::program
