// SPDX-License-Identifier: Apache-2.0
#include "cli.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <regex>

#include "commands.hpp"
#include "dinomaly/version.hpp"
#include "gpu.hpp"

namespace dinomaly::program {

namespace {

/// What the chosen command does; set by the command's callback.
using Action = std::function<int()>;

CLI::App* add_command(CLI::App& app, const char* name, const char* what, const char* example) {
    CLI::App* command = app.add_subcommand(name, what);
    command->footer(std::string("Example:\n  ") + example);
    return command;
}

void add_threads(CLI::App& command, int& threads) {
    command.add_option("--threads", threads, "Threads that compute; 0 means one for each core")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
}

void add_device(CLI::App& command, std::string& device) {
    const auto find_error = [](const std::string& text) {
        static const std::regex known("cpu|cuda(:[0-9]{1,3})?");
        return std::regex_match(text, known) ? std::string() : text + " is no device; cpu, cuda or cuda:N expected";
    };
    command
        .add_option("--device", device,
                    "Where the model computes: cpu, cuda (the first GPU), or cuda:N; 'dinomaly info' lists them")
        ->check(CLI::Validator(find_error, ""))
        ->type_name("DEVICE")
        ->capture_default_str();
}

void add_precision(CLI::App& command, std::string& precision, bool judges) {
    command
        .add_option("--precision", precision,
                    judges ? "fp32; bf16 is faster where the processor has it, and on every GPU; int8 is fastest on a "
                             "CPU, less exact, and not for GPUs"
                           : "fp32, or bf16: faster where the processor has it, and on every GPU; weights stay fp32")
        ->check(judges ? CLI::IsMember({"fp32", "bf16", "int8"}) : CLI::IsMember({"fp32", "bf16"}))
        ->capture_default_str();
}

void add_classes(CLI::App& command, std::vector<std::string>& classes) {
    command.add_option("--classes", classes, "Classes, separated by commas; all that are found by default")
        ->delimiter(',')
        ->type_name("A,B,..");
}

void add_memory_limit(CLI::App& command, std::size_t& limit) {
    constexpr double kilo = 1000, kibi = 1024;
    const std::map<std::string, double> units = {
        {"B", 1},      {"kB", kilo},         {"MB", kilo * kilo},        {"GB", kilo * kilo * kilo},
        {"KiB", kibi}, {"MiB", kibi * kibi}, {"GiB", kibi * kibi * kibi}};
    command
        .add_option_function<double>(
            "--memory-limit", [&limit](double bytes) { limit = static_cast<std::size_t>(bytes); },
            "Refuse at once what is estimated to take more memory, or more of the GPU's: 1500MB, 2.5GB, 2GiB "
            "(1024s)")
        ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::CASE_INSENSITIVE).description(""))
        ->check(CLI::Range(1e6, 1e15).description(""))
        ->type_name("SIZE");
}

void add_file_sizes(CLI::App& command, int& size, int& crop) {
    command.add_option("--size", size, "Pictures are resized to SIZE x SIZE; by default as the model's file says")
        ->check(CLI::PositiveNumber);
    command.add_option("--crop", crop, "The middle CROP x CROP is looked at; by default as the model's file says")
        ->check(CLI::PositiveNumber);
}

void add_train(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "train", "Train on the pictures of good parts",
                                    "dinomaly train --data mvtec --classes bottle,cable --encoder dinov2_vits14.pth "
                                    "--out runs/first --iterations 2000");
    const auto options = std::make_shared<TrainOptions>();
    TrainOptions& o = *options;
    TrainSettings& s = o.settings;
    command->add_option("--data", o.data, "Folder with CLASS/train/good and CLASS/test, or a folder of good pictures")
        ->required()
        ->type_name("DIR");
    add_classes(*command, o.classes);
    command->add_option("--encoder", o.encoder, "Published DINOv2 weights, .pth or .safetensors")
        ->required()
        ->type_name("FILE");
    command->add_option("--out", o.out, "Folder of the run; must not exist yet, but for --resume")
        ->required()
        ->type_name("RUN");

    CLI::Option_group* sizes = command->add_option_group("Sizes");
    sizes->add_option("--size", o.size, "Pictures are resized to SIZE x SIZE")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    sizes->add_option("--crop", o.crop, "The middle CROP x CROP is used; a multiple of the encoder's patch, 14")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
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

void add_eval(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "eval", "Judge labelled pictures and print the figures of each class",
                                    "dinomaly eval --model runs/first/model.safetensors --data mvtec --json eval.json");
    const auto options = std::make_shared<EvalOptions>();
    EvalOptions& o = *options;
    command->add_option("--model", o.model, "Model file of train, or a checkpoint of the authors")
        ->required()
        ->type_name("FILE");
    command->add_option("--data", o.data, "Folder with CLASS/test and CLASS/ground_truth")
        ->required()
        ->type_name("DIR");
    add_classes(*command, o.classes);
    add_file_sizes(*command, o.size, o.crop);
    add_threads(*command, o.threads);
    add_device(*command, o.device);
    add_precision(*command, o.precision, true);
    add_memory_limit(*command, o.memory_limit);
    command->add_option("--json", o.json, "Write figures and scores to this file")->type_name("FILE");
    command->add_option("--maps", o.maps, "Write all anomaly maps, CLASS/maps [n, 256, 256], to this safetensors file")
        ->type_name("FILE");
    command->callback([options, &action] { action = [options] { return run_eval(*options); }; });
}

void add_predict(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "predict", "Score pictures: the higher, the less they look like a good part",
                                    "dinomaly predict --model runs/first/model.safetensors --out heat part.png new/");
    const auto options = std::make_shared<PredictOptions>();
    PredictOptions& o = *options;
    command->add_option("--model", o.model, "Model file of train, or a checkpoint of the authors")
        ->required()
        ->type_name("FILE");
    command->add_option("pictures", o.pictures, "Pictures, or folders of pictures")->required()->type_name("PATH");
    add_file_sizes(*command, o.size, o.crop);
    add_threads(*command, o.threads);
    add_device(*command, o.device);
    add_precision(*command, o.precision, true);
    add_memory_limit(*command, o.memory_limit);
    command->add_option("--out", o.out, "Write a heat map over each picture into this folder")->type_name("DIR");
    command->add_option("--json", o.json, "Write path, score and map size, one object a line, to this file")
        ->type_name("FILE");
    command
        ->add_option("--range", o.range,
                     "Map values of the first and the last colour; by default from what the model's file says is usual "
                     "for good parts to twice their peak's distance")
        ->type_name("LOW HIGH");
    command->callback([options, &action] { action = [options] { return run_predict(*options); }; });
}

void add_files(CLI::App& app, Action& action) {
    CLI::App* info =
        add_command(app, "info", "Say what a weight file holds, or, without one, what --device may be here",
                    "dinomaly info dinov2_vits14.pth");
    const auto info_options = std::make_shared<InfoOptions>();
    info->add_option("file", info_options->file, "A .safetensors or PyTorch .pth file")->type_name("FILE");
    info->add_flag("--all", info_options->all, "Each tensor on its own line, not one line for tensors of a kind");
    info->callback([info_options, &action] { action = [info_options] { return run_info(*info_options); }; });

    CLI::App* convert = add_command(app, "convert", "Write a weight file as safetensors in another element type",
                                    "dinomaly convert dinov2_vits14.pth dinov2_vits14.safetensors --dtype bf16");
    const auto options = std::make_shared<ConvertOptions>();
    convert->add_option("in", options->in, "A .safetensors or PyTorch .pth file")->required()->type_name("IN");
    convert->add_option("out", options->out, "The safetensors file to write")->required()->type_name("OUT");
    convert->add_option("--dtype", options->dtype, "Element type of its floating-point tensors")
        ->check(CLI::IsMember({"f32", "f16", "bf16"}))
        ->capture_default_str();
    convert->callback([options, &action] { action = [options] { return run_convert(*options); }; });
}

void add_demo(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "demo", "Draw parts, train on the good ones, judge the others, show it all",
                                    "dinomaly demo --out demo");
    const auto options = std::make_shared<DemoOptions>();
    DemoOptions& o = *options;
    command->add_option("--out", o.out, "Folder for everything; parts of an earlier demo in it are replaced")
        ->type_name("DIR")
        ->capture_default_str();
    command->add_option("--encoder", o.encoder, "Published DINOv2 weights; without them a small untrained encoder")
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
    command->add_option("--encoder", o.encoder, "Published DINOv2 weights, in place of --arch")
        ->type_name("FILE")
        ->excludes(arch);
    add_device(*command, o.device);
    command->add_option("--precision", o.precision, "What products are computed in; a GPU has fp32 and bf16")
        ->check(CLI::IsMember({"fp32", "bf16", "int8"}))
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

}  // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app("Dinomaly: finds what is not as it should be, after learning from good parts alone.", "dinomaly");
    app.footer(
        "'dinomaly COMMAND --help' says what a command takes.\n"
        "Exit status: 0 done, 1 bad input, 2 wrong usage, 130 interrupted.");
    app.set_version_flag("--version", std::string("dinomaly ") + version);
    app.require_subcommand(1);
    Action action;
    add_train(app, action);
    add_eval(app, action);
    add_predict(app, action);
    add_files(app, action);
    add_demo(app, action);
    add_bench(app, action);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? status_done : status_wrong_usage;
    }
    const int status = action();
    keep_gpu_choices();
    return status;
}

}  // namespace dinomaly::program
