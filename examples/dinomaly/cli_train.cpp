// SPDX-License-Identifier: Apache-2.0
// The options of train.
#include <memory>

#include "cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

void add_train(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "train", "Train on the pictures of good parts",
                                    "dinomaly train --data mvtec --classes bottle,cable --encoder dinov2_vits14.pth "
                                    "--out runs/first --iterations 2000");
    const auto options = std::make_shared<TrainOptions>();
    TrainOptions& o = *options;
    TrainSettings& s = o.settings;
    add_data_options(*command, o);
    command->add_option("--encoder", o.encoder, "Published DINOv2 weights, .pth or .safetensors")
        ->required()
        ->type_name("FILE");
    command->add_option("--out", o.out, "Folder of the run; must not exist yet, but for --resume")
        ->required()
        ->type_name("RUN");

    CLI::Option_group* sizes = command->add_option_group("Sizes");
    add_size(*sizes, "--size", o.size, "Pictures are resized to this");
    add_size(*sizes, "--crop", o.crop, "The middle of this size is used; multiples of the encoder's patch, 14");
    add_size(
        *sizes, "--tile", o.tile,
        "Larger pictures are learnt and judged in overlapping tiles of so many of their own pixels, each resized to "
        "--size; by default as a whole");
    sizes->add_option("--batch", o.batch, "Pictures an iteration")->check(CLI::PositiveNumber)->capture_default_str();
    sizes->add_option("--iterations", s.iterations, "Iterations of the run")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();

    CLI::Option_group* learning = command->add_option_group("Learning");
    learning->add_option("--schedule", s.schedule, "Iterations that the learning rate's schedule spans; 0: all")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    learning->add_option("--warmup", s.warmup, "Iterations in which the learning rate rises")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    learning->add_option("--hard-mining-ramp", s.hard_mining_ramp, "Iterations until 90 % of the points count as easy")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    learning->add_option("--lr", s.lr, "Learning rate after the warm-up")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    learning->add_option("--final-lr", s.final_lr, "Learning rate at the schedule's end")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    learning->add_option("--dropout", s.dropout, "Noise of the bottleneck; 0.4 for very diverse data")
        ->check(CLI::Range(0.0, 0.999))
        ->capture_default_str();
    learning->add_option("--attention-eps", o.attention_eps, "Guard of the linear attention; 1e-6 where a loss is NaN")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    learning->add_option("--seed", s.seed, "Seed of the first weights, the noise and the order")->capture_default_str();

    CLI::Option_group* run = command->add_option_group("Run");
    add_threads(*run, o.threads);
    run->add_option("--eval-every", o.eval_every, "Judge the test pictures every N iterations too; 0: at the end only")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    run->add_option("--log-every", o.log_every,
                    "Read losses and gradient norms every N iterations, those of each; a GPU waits for that. By "
                    "default 1, with --device cuda 20")
        ->check(CLI::PositiveNumber);
    run->add_option("--save-every", o.save_every, "Save the state every N iterations; 0: only when interrupted")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    run->add_option("--cache-features", o.cache_features,
                    "Keep what the encoder gives for a picture instead of computing it each time: in memory, in a "
                    "file in RUN, or not at all. By default in memory where it takes at most half of what is free, "
                    "else in a file")
        ->check(CLI::IsMember({"memory", "disk", "off"}));
    add_device(*run, o.device);
    add_precision(*run, o.precision, false);
    add_memory_limit(*run, o.memory_limit);
    run->add_flag("--resume", o.resume, "Go on from the state saved in RUN; the other options as before");
    CLI::Option_group* repeat = command->add_option_group("Repeatable comparison");
    repeat->add_option("--init", o.init, "First weights: bottleneck.* and decoder.* of a file")->type_name("FILE");
    repeat->add_option("--order", o.order, "JSON list with a list of paths, relative to DIR, for each iteration")
        ->type_name("FILE");
    command->callback([options, &action] { action = [options] { return run_train(*options).status; }; });
}

}  // namespace dinomaly::program
