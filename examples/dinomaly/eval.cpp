// SPDX-License-Identifier: Apache-2.0
// The command eval: the figures of a model on labelled pictures.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "data_report.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "memory_plan.hpp"
#include "result_files.hpp"

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
    Engine engine = Engine::open(options.model, options.size, options.crop, target);
    settle_tile(engine, options.tile.value_or(engine.tile()));
    std::cout << engine.description() << "; pictures " << engine.sizes().size << ", middle " << engine.sizes().crop
              << tile_text(engine.tile()) << "; " << options.precision << std::endl;
    check_memory(engine, memory_use(engine, classes), options.memory_limit);
    const std::vector<ClassReport> reports =
        evaluate_all(engine, classes, options.data,
                     {.keep_maps = !options.maps.empty(), .curves = !options.report.empty(), .progress = {}});
    write_results(engine, classes, options.data, reports, {.model = options.model}, files);
    if (!options.json.empty()) io::write_text(options.json, to_json(reports).dump(1) + '\n');
    if (!options.maps.empty()) write_maps(options.maps, reports);
    print_table(reports);
    if (target.precision == Precision::int8) {
        std::cout << "the same in fp32, to tell what 8-bit codes cost:" << std::endl;
        Engine exact =
            Engine::open(options.model, options.size, options.crop, {.gpu = {}, .precision = Precision::fp32});
        exact.set_tile(engine.tile());
        print_loss(reports, evaluate_all(exact, classes, options.data));
    }
    return status_done;
}

}  // namespace dinomaly::program
