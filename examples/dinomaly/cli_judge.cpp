// SPDX-License-Identifier: Apache-2.0
// The options of eval and predict.
#include <memory>

#include "cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

void add_eval(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "eval", "Judge labelled pictures and print the figures of each class",
                                    "dinomaly eval --model runs/first/model.safetensors --data mvtec --json eval.json");
    const auto options = std::make_shared<EvalOptions>();
    EvalOptions& o = *options;
    command
        ->add_option("--model", o.model,
                     "Model file of train, a checkpoint of the authors, or the folder of a run; where each class "
                     "has a model of its own, each judges its class")
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
    command->add_option("--model", o.model, "Model file of train, a checkpoint of the authors, or the folder of a run")
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

}  // namespace dinomaly::program
