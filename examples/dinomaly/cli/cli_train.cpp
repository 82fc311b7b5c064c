// SPDX-License-Identifier: Apache-2.0
// The options of train.
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "cli/cli_parts.hpp"
#include "commands.hpp"
#include "training/encoder_values.hpp"
#include "training/presets.hpp"
#include "training/run_config.hpp"
#include "training/run_folder.hpp"

namespace dinomaly::program {

namespace {

/// CLI11's own names the largest double in its message.
CLI::Validator not_negative() {
    return {[](const std::string& text) {
                return text.starts_with('-') ? text + " found, 0 or more expected" : std::string();
            },
            "NONNEGATIVE"};
}

void declare_setting(CLI::App& command, TrainOptions& o) {
    CLI::Option_group* setting = command.add_option_group("Setting");
    setting
        ->add_option("--preset", o.preset,
                     "The values that the paper has for a data set, in the setting asked for; those of Dinomaly on "
                     "DINOv3; or Dinomaly2's. The same for every size of the encoder. What is given beside it has "
                     "its way; --dry-run shows them")
        ->check(CLI::IsMember(preset_names()));
    setting
        ->add_option("--setting", o.setting,
                     "One model for all classes, or one for each, trained alone in RUN/CLASS, one after another")
        ->check(CLI::IsMember({multi_class, class_separated}))
        ->capture_default_str();
    setting
        ->add_option("--shot", o.shot,
                     "Few-shot: so many pictures of each class are learnt from, drawn by --seed as the authors' script "
                     "draws them, each time another part of them, turned and mirrored; 0: all, as they are")
        ->check(not_negative())
        ->capture_default_str();
    CLI::Option* seed =
        setting->add_option("--seed", o.settings.seed, "Seed of the first weights, the noise and the order")
            ->check(not_negative())
            ->capture_default_str();
    setting
        ->add_option("--seeds", o.seeds,
                     "Several seeds, separated by commas: a run for each in RUN/seed-N, at the end the mean of their "
                     "figures and the sample deviation")
        ->check(not_negative())
        ->delimiter(',')
        ->excludes(seed);
}

void declare_sizes(CLI::App& command, TrainOptions& o) {
    CLI::Option_group* sizes = command.add_option_group("Sizes");
    add_size(*sizes, "--size", o.size,
             "Pictures are resized to this; where an encoder is used at another size, that is the default: see "
             "'dinomaly encoders'");
    add_size(*sizes, "--crop", o.crop, "The middle of this size is used; the default is the encoder's, too");
    add_size(
        *sizes, "--tile", o.tile,
        "Larger pictures are learnt and judged in overlapping tiles of so many of their own pixels, each resized to "
        "--size; by default as a whole");
    sizes->add_option("--batch", o.batch, "Pictures an iteration")->check(CLI::PositiveNumber)->capture_default_str();
    sizes->add_option("--iterations", o.settings.iterations, "Iterations of the run")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
}

void declare_learning(CLI::App& command, TrainOptions& o) {
    TrainSettings& s = o.settings;
    CLI::Option_group* learning = command.add_option_group("Learning");
    learning->add_option("--schedule", s.schedule, "Iterations that the learning rate's schedule spans; 0: all")
        ->check(not_negative())
        ->capture_default_str();
    learning->add_option("--warmup", s.warmup, "Iterations in which the learning rate rises")
        ->check(not_negative())
        ->capture_default_str();
    learning
        ->add_option("--hard-mining-ramp", s.hard_mining_ramp,
                     "Iterations until as many points count as easy as --easy-part says")
        ->check(not_negative())
        ->capture_default_str();
    learning->add_option("--easy-part", s.easy_part, "Part of the points that counts as easy in the end")
        ->check(CLI::Range(0.0, 0.999))
        ->capture_default_str();
    learning
        ->add_option("--easy-factor", s.easy_factor, "By what an easy point's gradient is scaled; 1: all pull alike")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    learning->add_option("--lr", s.lr, "Learning rate after the warm-up")->check(not_negative())->capture_default_str();
    learning->add_option("--final-lr", s.final_lr, "Learning rate at the schedule's end")
        ->check(not_negative())
        ->capture_default_str();
    learning
        ->add_option("--decay-ratio", s.decay_ratio,
                     "Dinomaly2's schedule: the learning rate falls to this part of --lr, and --final-lr is not used; "
                     "1: it stays")
        ->check(CLI::Range(0.0, 1.0));
    learning
        ->add_option("--neck-lr", s.neck_lr, "Learning rate of the first layer of Dinomaly2's bottleneck; 0: as --lr")
        ->check(not_negative())
        ->capture_default_str();
    add_switch(*learning, "--amsgrad", s.amsgrad, "StableAdamW divides by the largest second moment so far");
    learning->add_option("--adam-eps", s.adam_eps, "Added to the denominator of StableAdamW, above 0")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    learning->add_option("--dropout", s.dropout, "Noise of the bottleneck; 0.4 for very diverse data")
        ->check(CLI::Range(0.0, 0.999))
        ->capture_default_str();
    learning
        ->add_option("--attention-eps", o.variant.attention_eps,
                     "Guard of the linear attention, by default 0, of Dinomaly2 1e-8; 1e-6 where a loss is NaN")
        ->check(not_negative());
}

void declare_encoder(CLI::App& command, TrainOptions& o) {
    CLI::Option_group* encoder = command.add_option_group("Encoder");
    encoder
        ->add_option("--encoder-heads", o.encoder_options.heads,
                     "Heads of the encoder, which its file does not tell; 0: as known of its family. 6 is what the "
                     "authors run MoCo-v3 S with, which was trained with 12")
        ->check(not_negative())
        ->capture_default_str();
    encoder
        ->add_option("--encoder-window", o.encoder_options.window,
                     "Of BEiT: patches a side that its relative positions are resized to, by BEiT's rule; 0: the 14 "
                     "that the authors use, for a crop of 224")
        ->check(CLI::Range(0, 128))
        ->capture_default_str();
    add_switch(*encoder, "--bf16-periods", o.encoder_options.bf16_periods,
               "Of DINOv3 from timm or Hugging Face: round the rotary periods to bfloat16, as the official files do");
}

void declare_variant(CLI::App& command, TrainOptions& o) {
    VariantOptions& v = o.variant;
    CLI::Option_group* variant = command.add_option_group("Variant");
    variant
        ->add_option_function<std::string>(
            "--variant", [&v](const std::string& name) { v.is_second = name == dinomaly2; },
            "Dinomaly (CVPR 2025), or Dinomaly2 (2026): a narrow bottleneck, recentred targets, and the values that "
            "its authors have for what is not given")
        ->check(CLI::IsMember({"dinomaly", dinomaly2}))
        ->default_str(v.is_second ? dinomaly2 : "dinomaly");
    variant
        ->add_option("--loose-groups", v.loose_groups,
                     "Of Dinomaly2: which of the eight layers are compared together: 0 each alone, 1 all, 2 halves, 3 "
                     "or 4 groups; 11, 12, 14: one, two or four single layers")
        ->check(CLI::IsMember({0, 1, 2, 3, 4, 11, 12, 14}))
        ->capture_default_str();
    add_switch(*variant, "--recentre", v.is_recentred,
               "Of Dinomaly2: targets are what distinguishes a patch from the class token");
    variant
        ->add_option_function<std::string>(
            "--decoder-attention", [&v](const std::string& name) { v.softmax_decoder = name == "softmax"; },
            "Of Dinomaly2: how the decoder mixes tokens")
        ->check(CLI::IsMember({"linear", "softmax"}))
        ->default_str(v.softmax_decoder ? "softmax" : "linear");
}

void declare_running(CLI::App& command, TrainOptions& o) {
    CLI::Option_group* run = command.add_option_group("Run");
    add_threads(*run, o.threads);
    run->add_option("--eval-every", o.eval_every, "Judge the test pictures every N iterations too; 0: at the end only")
        ->check(not_negative())
        ->capture_default_str();
    run->add_option("--log-every", o.log_every,
                    "Read losses and gradient norms every N iterations, those of each; a GPU waits for that. By "
                    "default 1, with --device cuda 20")
        ->check(CLI::PositiveNumber);
    run->add_option("--save-every", o.save_every, "Save the state every N iterations; 0: only when interrupted")
        ->check(not_negative())
        ->capture_default_str();
    run->add_option("--cache-features", o.cache_features,
                    "Keep what the encoder gives for a picture instead of computing it each time: in memory, in a "
                    "file in RUN, or not at all. By default in memory where it takes at most half of what is free, "
                    "else in a file")
        ->check(CLI::IsMember({"memory", "disk", "off"}));
    add_device(*run, o.device);
    add_precision(*run, o.precision, false);
    add_memory_limit(*run, o.memory_limit);
    CLI::Option_group* decision = command.add_option_group("Decision");
    decision
        ->add_option("--hold-out", o.hold_out,
                     "Part of each class's good pictures that is not learnt from but kept to find thresholds; by "
                     "default 0.1 where labelled test pictures do not decide, else 0")
        ->check(CLI::Range(0.0, 0.9));
    add_decide(*decision, o.decide);
    CLI::Option_group* repeat = command.add_option_group("Repeatable comparison");
    repeat->add_option("--init", o.init, "First weights: bottleneck.* and decoder.* of a file")->type_name("FILE");
    repeat->add_option("--order", o.order, "JSON list with a list of paths, relative to DIR, for each iteration")
        ->type_name("FILE");
}

/// What the command line of train says.
struct TrainCommand {
    TrainOptions options;
    std::filesystem::path config;
    bool json = false;
    Sources sources;
    std::string note;
};

void fill_from_preset(CLI::App& command, TrainCommand& train) {
    const TrainOptions& o = train.options;
    const Preset preset = find_preset(o.preset, o.setting);
    const std::string name = "preset " + o.preset + ", " + o.setting;
    check(!o.variant.is_second || preset.values.contains("variant"), "--preset", name, ": the values of Dinomaly, but ",
          dinomaly2, " is asked for");
    fill_options(command, preset.values, name, name, train.sources);
    train.note = name + ": " + preset.published;
}

/// Fills what the command line left open: from the file, or that of the run that is resumed, then from the preset, then
/// from the variant.
void settle(CLI::App& command, TrainCommand& train) {
    TrainOptions& o = train.options;
    train.sources = given_options(command);
    std::filesystem::path file = train.config;
    std::error_code ignored;
    if (const auto own = RunFolder(o.out).config();
        file.empty() && o.resume && !o.out.empty() && std::filesystem::is_regular_file(own, ignored))
        file = own;
    if (!file.empty()) {
        nlohmann::ordered_json values = read_config(file);
        if (command.count("--seed") > 0) values.erase("seeds");  // one was asked for
        fill_options(command, values, file.string(), "config " + file.string(), train.sources);
    }
    if (!o.preset.empty()) fill_from_preset(command, train);
    if (o.variant.is_second)
        fill_options(command, second_variant_values(), dinomaly2, std::string("variant ") + dinomaly2, train.sources);
}

/// Fills what is still open with what the encoder is used with.
void settle_encoder(CLI::App& command, TrainCommand& train) {
    const std::string file = train.options.encoder.string();
    fill_options(command, encoder_values(train.options.encoder, train.options.encoder_options), file, "encoder " + file,
                 train.sources);
}

int run(const CLI::App& command, const TrainCommand& train) {
    if (train.json) {
        std::cout << options_json(command, train.sources, train.note).dump(1) << std::endl;
        return status_done;
    }
    if (train.options.dry_run) print_options(std::cout, command, train.sources, train.note);
    return run_training(train.options);
}

}  // namespace

void declare_train_options(CLI::App& command, TrainOptions& options) {
    add_data_options(command, options);
    command
        .add_option("--encoder", options.encoder,
                    "Published weights, .pth or .safetensors; 'dinomaly encoders' lists which")
        ->required()
        ->type_name("FILE");
    command.add_option("--out", options.out, "Folder of the run; must not exist yet, but for --resume")
        ->required()
        ->type_name("RUN");
    declare_setting(command, options);
    declare_encoder(command, options);
    declare_variant(command, options);
    declare_sizes(command, options);
    declare_learning(command, options);
    declare_running(command, options);
}

void add_train(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "train", "Train on the pictures of good parts",
                                    "dinomaly train --data mvtec --classes bottle,cable --encoder dinov2_vits14.pth "
                                    "--out runs/first --iterations 2000\n"
                                    "  dinomaly train --preset mvtec --setting class-separated --data mvtec --encoder "
                                    "dinov2_vitb14_reg4_pretrain.pth --out runs/sep --dry-run\n"
                                    "  dinomaly train --config runs/first/config.json --out runs/again");
    const auto train = std::make_shared<TrainCommand>();
    declare_train_options(*command, train->options);
    command
        ->add_option("--config", train->config,
                     "Options from a JSON file, such as the config.json of a run: {\"lr\": 0.001}. Those of the "
                     "command line have their way; paths in it are relative to the current folder")
        ->type_name("FILE");
    command->add_flag("--resume", train->options.resume,
                      "Go on from the state saved in RUN; options that are not given as RUN/config.json says");
    CLI::Option* dry_run =
        command->add_flag("--dry-run", train->options.dry_run,
                          "Say what would be done, with each value and where it comes from, and leave nothing");
    command->add_flag("--json", train->json, "With --dry-run: the values and where they come from, as JSON, alone")
        ->needs(dry_run);

    // What has to be given may stand in a file too, so that is looked at first.
    std::vector<CLI::Option*> required = command->get_options([](CLI::Option* o) { return o->get_required(); });
    for (CLI::Option* option : required)
        option->required(false)->description(option->get_description() + " (required, here or in --config)");
    command->callback([command, train, required, &action] {
        settle(*command, *train);
        for (const CLI::Option* option : required)
            if (option->count() == 0) throw CLI::RequiredError(option->get_name());
        settle_encoder(*command, *train);
        train->options.config = config_of(*command);
        action = [command, train] { return run(*command, *train); };
    });
}

}  // namespace dinomaly::program
