// SPDX-License-Identifier: Apache-2.0
// Which encoder for these pictures? Trains on them with one after the other, each at the sizes that it is used with,
// and prints the paper's table and what it took.
//     example_choose_encoder DATA ENCODER.pth [ENCODER2.pth ...] [--iterations N]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "dinomaly/encoders/recommended.hpp"
#include "dinomaly/evaluate.hpp"
#include "dinomaly/feature_cache.hpp"
#include "dinomaly/predictor.hpp"
#include "dinomaly/trainer.hpp"
#include "dinomaly/vision/sampler.hpp"

using namespace dinomaly;
using D = Cpu<float>;  // Cpu<bfloat16> is about twice as fast where the processor has it

/// What is found out about an encoder.
struct Outcome {
    double parameters, training, picture;  // millions, seconds, seconds
    std::array<double, 7> figures;         // of pictures AUROC, AP, F1; of pixels AUROC, AP, F1, AUPRO
};

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void train(LoadedModel<D>& loaded, const std::vector<vision::ClassData>& classes, std::int64_t iterations) {
    std::vector<std::filesystem::path> files;
    for (const vision::Sample& sample : vision::training_samples(classes)) files.push_back(sample.picture);
    const encoders::TrainingChoice choice = encoders::recommended_training(loaded.model.config.encoder);
    vision::Sampler sampler(files.size(), std::min(files.size(), static_cast<std::size_t>(choice.batch)), 1);
    PictureBatches batches, to_read;
    for (std::int64_t i = 0; i < iterations; ++i) batches.push_back(sampler.batch(i));

    // The encoder is frozen: the features of a picture that comes again are computed once.
    Trainer<D> trainer(loaded.model, {.iterations = iterations, .optimizer = {.is_amsgrad = choice.amsgrad}});
    const vision::PictureSize crop = loaded.info.sizes.crop;
    FeatureCache<D> cache(FeatureSizes::of(loaded.model.config, crop), repeated(batches));
    const PictureBatches unknown = cache.unknown(batches);
    std::ranges::copy_if(unknown, std::back_inserter(to_read), [](const auto& batch) { return !batch.empty(); });
    vision::Loader loader(files, to_read, loaded.info.sizes);
    for (std::size_t i = 0; i < batches.size(); ++i) {
        Tensor<D> images;
        if (const auto count = static_cast<std::int64_t>(unknown[i].size()); count > 0)
            images = Tensor<D>({count, 3, crop.height, crop.width}, loader.next().value().pixels);
        trainer.learn(cache.features(*trainer.encoder(), batches[i], unknown[i], images));
    }
}

Outcome train_and_judge(const vision::DataSet& data, const std::string& encoder, std::int64_t iterations) {
    const nn::VitConfig vit = encoders::read_encoder(io::load_state_dict(encoder)).config;
    LoadedModel<D> loaded = new_model<D>(encoder, encoders::recommended_sizes(vit), 1);
    std::cerr << encoder << ": pictures of " << loaded.info.sizes.size << ", middle " << loaded.info.sizes.crop << ", "
              << iterations << " iterations" << std::endl;
    const double start = seconds();
    train(loaded, data.classes, iterations);
    const double trained = seconds();

    const Predictor<D> predictor(loaded);
    std::vector<ClassReport> reports;
    double pictures = 0;
    for (const vision::ClassData& each : data.classes) {
        reports.push_back(evaluate_class(predictor, each, data.root));
        pictures += static_cast<double>(each.test.size());
    }
    const ClassReport mean = mean_report(reports);
    const auto& i = mean.image;
    const auto& p = mean.above_zero;
    return {static_cast<double>(nn::parameter_count(loaded.model.encoder)) / 1e6,
            trained - start,
            (seconds() - trained) / pictures,
            {i.auroc, i.ap, i.f1_max, p.auroc, p.ap, p.f1_max, p.aupro}};
}

/// Prints an encoder's row; in a process of its own, whose memory is its own. False where that failed, having said why.
bool print_row(const vision::DataSet& data, const std::string& encoder, std::int64_t iterations) {
    std::array<int, 2> ends{};
    check(pipe(ends.data()) == 0, "choose_encoder", "no pipe to another process");
    Outcome outcome{};
    const pid_t child = fork();
    if (child == 0) try {
            outcome = train_and_judge(data, encoder, iterations);
            _exit(write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
        } catch (const std::exception& error) {
            std::cerr << "error: " << error.what() << std::endl;
            _exit(1);
        }
    close(ends[1]);
    const bool is_told = read(ends[0], &outcome, sizeof outcome) == sizeof outcome;
    close(ends[0]);
    rusage usage{};
    if (wait4(child, nullptr, 0, &usage) != child || !is_told) return false;
    std::printf("| %s | %.1f M |", std::filesystem::path(encoder).filename().c_str(), outcome.parameters);
    for (const double figure : outcome.figures) std::printf(" %.2f |", 100 * figure);
    const double gigabytes = static_cast<double>(usage.ru_maxrss) / (1 << 20);
    std::printf(" %.0f s | %.0f ms | %.2f GB |\n", outcome.training, 1000 * outcome.picture, gigabytes);
    return std::fflush(stdout) == 0;
}

int main(int argc, char** argv) try {
    std::vector<std::string> words(argv + 1, argv + argc);
    std::int64_t iterations = 500;
    if (const auto option = std::ranges::find(words, "--iterations"); option != words.end()) {
        check(option + 1 != words.end() && std::atol(option[1].c_str()) > 0, "--iterations",
              "a number above 0 expected");
        iterations = std::atol(option[1].c_str());
        words.erase(option, option + 2);
    }
    check(words.size() > 1, "usage", "example_choose_encoder DATA ENCODER.pth [ENCODER2.pth ...] [--iterations N]");
    const vision::DataSet data = vision::scan(words[0], vision::ScanOptions{});
    std::puts(
        "| encoder | parameters | image AUROC | AP | F1 | pixel AUROC | AP | F1 | AUPRO | training | a picture | "
        "memory |\n|---|---|---|---|---|---|---|---|---|---|---|---|");
    std::fflush(stdout);
    bool is_done = true;
    for (std::size_t i = 1; i < words.size(); ++i) is_done = print_row(data, words[i], iterations) && is_done;
    return is_done ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << std::endl;
    return 1;
}
