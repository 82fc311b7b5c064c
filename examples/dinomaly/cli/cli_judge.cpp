// SPDX-License-Identifier: Apache-2.0
// The options of eval.
#include <memory>

#include "cli/cli_parts.hpp"
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
    add_data_options(*command, o);
    add_file_sizes(*command, o.size, o.crop);
    add_file_tile(*command, o.tile);
    add_threads(*command, o.threads);
    add_device(*command, o.device);
    add_precision(*command, o.precision, true);
    add_memory_limit(*command, o.memory_limit);
    command->add_option("--json", o.json, "Write figures and scores to this file")->type_name("FILE");
    command->add_option("--csv", o.csv, "Write the figures as a table, a row a class, to this file")->type_name("FILE");
    command
        ->add_option("--markdown", o.markdown,
                     "Write the figures as a Markdown table in the paper's order of columns to this file")
        ->type_name("FILE");
    command
        ->add_option("--report", o.report,
                     "Write one self-contained HTML page with figures, curves and pictures to this file")
        ->type_name("FILE");
    command->add_option("--maps", o.maps, "Write all anomaly maps, CLASS/maps [n, 256, 256], to this safetensors file")
        ->type_name("FILE");
    command->callback([options, &action] { action = [options] { return run_eval(*options); }; });
}

}  // namespace dinomaly::program
