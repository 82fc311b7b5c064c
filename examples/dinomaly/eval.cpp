// SPDX-License-Identifier: Apache-2.0
// The command eval: the figures of a model on labelled pictures.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <system_error>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "memory_plan.hpp"
#include "run_folder.hpp"

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
                  .batch_at_once = engine.target().gpu.has_value(),
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

/// Judges the classes of a part.
std::vector<ClassReport> judge_part(const Part& part, const EvalOptions& options, const Target& target,
                                    bool keep_maps) {
    const Engine engine = Engine::open(part.model, options.size, options.crop, target);
    std::cout << engine.description() << "; pictures " << engine.sizes().size << ", middle " << engine.sizes().crop
              << "; " << precision_name(target.precision) << std::endl;
    check_memory(engine, memory_use(engine, part.classes), options.memory_limit);
    return evaluate_all(engine, part.classes, options.data, keep_maps);
}

std::vector<ClassReport> judge_all(const std::vector<Part>& parts, const EvalOptions& options, const Target& target,
                                   bool keep_maps) {
    std::vector<ClassReport> reports;
    for (const Part& part : parts)
        for (ClassReport& report : judge_part(part, options, target, keep_maps)) reports.push_back(std::move(report));
    return reports;
}

}  // namespace

int run_eval(const EvalOptions& options) {
    check_writable(options.json);
    check_writable(options.maps);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    const std::vector<vision::ClassData> classes = vision::scan(options.data, options.classes);
    for (const vision::ClassData& data : classes)
        if (data.test.empty()) warn("class '" + data.name + "' has no test pictures and is left out");
    check(std::ranges::any_of(classes, [](const vision::ClassData& data) { return !data.test.empty(); }),
          options.data.c_str(), "no pictures to judge: <class>/test/<good or a defect> expected");
    warn_of_mask_sizes(classes);
    const std::vector<Part> parts = parts_of(options.model, classes);
    const std::vector<ClassReport> reports = judge_all(parts, options, target, !options.maps.empty());
    if (!options.json.empty()) io::write_text(options.json, to_json(reports).dump(1) + '\n');
    if (!options.maps.empty()) write_maps(options.maps, reports);
    print_table(reports);
    if (target.precision == Precision::int8) {
        std::cout << "the same in fp32, to tell what 8-bit codes cost:" << std::endl;
        print_loss(reports, judge_all(parts, options, {.gpu = {}, .precision = Precision::fp32}, false));
    }
    return status_done;
}

}  // namespace dinomaly::program
