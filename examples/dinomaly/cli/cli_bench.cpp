// SPDX-License-Identifier: Apache-2.0
// The options of demo and bench.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

void add_demo(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "demo", "Draw parts, train on the good ones, judge the others, show it all",
                                    "dinomaly demo --out demo");
    const auto options = std::make_shared<DemoOptions>();
    DemoOptions& o = *options;
    command->add_option("--out", o.out, "Folder for everything; parts of an earlier demo in it are replaced")
        ->type_name("DIR")
        ->capture_default_str();
    command->add_option("--encoder", o.encoder, "Published weights; without them a small untrained encoder")
        ->type_name("FILE")
        ->envname("DINOMALY_ENCODER");
    command->add_option("--seed", o.seed, "Seed of the drawn parts and of the training")->capture_default_str();
    command->add_option("--iterations", o.iterations, "Training iterations; by default as suits the encoder")
        ->check(CLI::PositiveNumber);
    add_threads(*command, o.threads);
    add_device(*command, o.device);
    command->callback([options, &action] { action = [options] { return run_demo(*options); }; });
}

void add_bench(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "bench", "Measure how fast this machine judges pictures, or trains",
                                    "dinomaly bench --mode train --arch base --batch 8 --json");
    const auto options = std::make_shared<BenchOptions>();
    BenchOptions& o = *options;
    command->add_option("--mode", o.mode, "What is measured: a picture judged, or a training step")
        ->check(CLI::IsMember({"infer", "train"}))
        ->capture_default_str();
    CLI::Option* arch =
        command->add_option("--arch", o.arch, "DINOv2 architecture, with random weights and 4 registers")
            ->check(CLI::IsMember({"small", "base", "large"}))
            ->capture_default_str();
    command
        ->add_option("--encoder", o.encoder,
                     "Published weights, in place of --arch, at the sizes that they are used with")
        ->type_name("FILE")
        ->excludes(arch);
    add_device(*command, o.device);
    command->add_option("--precision", o.precision, "What products are computed in; a GPU has fp32, tf32 and bf16")
        ->check(CLI::IsMember({"fp32", "bf16", "int8", "tf32"}))
        ->capture_default_str();
    command->add_option("--batch", o.batch, "Pictures at once; by default 1 is judged, 16 are trained on")
        ->check(CLI::PositiveNumber);
    add_threads(*command, o.threads);
    command->add_option("--repeat", o.repeat, "Rounds that count; one more goes before")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--cache-features", o.cache_features, "Whether training keeps the encoder's features")
        ->check(CLI::IsMember({"memory", "off"}))
        ->capture_default_str();
    command->add_flag("--json", o.json,
                      "Print one JSON object, and nothing else, on standard output; on a GPU its memory is that of the "
                      "GPU, and threads and the share of a peak are null");
    command->callback([options, &action] { action = [options] { return run_bench(*options); }; });
}

}  // namespace dinomaly::program
