// SPDX-License-Identifier: Apache-2.0
// The options about thresholds, of several commands, and those of calibrate.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

namespace {

/// Above 0 and below 1.
CLI::Option* add_rate(CLI::App& command, double& rate, const std::string& what) {
    const auto find_error = [](const std::string& text) {
        double value = 0;
        const bool is_rate = CLI::detail::lexical_cast(text, value) && value > 0 && value < 1;
        return is_rate ? std::string() : text + " is no rate; above 0 and below 1 expected";
    };
    return command.add_option("--false-alarm-rate", rate, what)->check(CLI::Validator(find_error, "(0..1)"));
}

}  // namespace

void add_decide(CLI::App& command, DecideOptions& options) {
    const auto choose = [&options](const std::string& name) {
        options.from = name == "good" ? DecideFrom::good : name == "labels" ? DecideFrom::labels : DecideFrom::any;
    };
    command
        .add_option_function<std::string>(
            "--decide", choose,
            "What thresholds are found from: labels, test pictures good and bad, at the best F1; good, good "
            "pictures that were not learnt from; any: labels where each class has good and bad ones")
        ->check(CLI::IsMember({"any", "good", "labels"}))
        ->default_str("any");
    add_rate(command, options.false_alarm_rate, "Part of good pictures that may be rejected, where good ones decide")
        ->capture_default_str();
}

void add_thresholds(CLI::App& command, ThresholdOptions& options) {
    command
        .add_option("--threshold", options.image, "Score from which a picture counts as bad; by default the model's")
        ->type_name("SCORE");
    command
        .add_option("--pixel-threshold", options.pixel,
                    "Map value from which a pixel belongs to a defect; by default the model's")
        ->type_name("VALUE");
    add_rate(command, options.false_alarm_rate,
             "Part of good pictures that may be rejected: thresholds from the good pictures that the model knows");
    command
        .add_option("--class", options.class_name,
                    "The pictures' class, whose thresholds are used; by default those of all classes together")
        ->type_name("NAME");
}

void add_calibrate(CLI::App& app, Action& action) {
    CLI::App* command =
        add_command(app, "calibrate", "Find the thresholds of a trained model anew, from good or labelled pictures",
                    "dinomaly calibrate --model runs/first/model.safetensors --data new_good --false-alarm-rate 0.02");
    const auto options = std::make_shared<CalibrateOptions>();
    CalibrateOptions& o = *options;
    command->add_option("--model", o.model, "Model file of train, a checkpoint of the authors, or the folder of a run")
        ->required()
        ->type_name("FILE");
    add_data_options(*command, o);
    command->add_option("--out", o.out, "Write the model here; by default into its own file")->type_name("FILE");
    add_decide(*command, o.decide);
    add_file_tile(*command, o.tile);
    add_threads(*command, o.threads);
    add_device(*command, o.device);
    add_precision(*command, o.precision, true);
    command->callback([options, &action] { action = [options] { return run_calibrate(*options); }; });
}

}  // namespace dinomaly::program
