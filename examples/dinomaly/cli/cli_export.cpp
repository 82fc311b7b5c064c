// SPDX-License-Identifier: Apache-2.0
// The options of export.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"
#include "dinomaly/io/onnx.hpp"

namespace dinomaly::program {

void add_export(CLI::App& app, Action& action) {
    CLI::App* command =
        add_command(app, "export", "Write the whole model as ONNX, for ONNX Runtime, OpenVINO and others",
                    "dinomaly export --model runs/first/model.safetensors --onnx model.onnx");
    const auto options = std::make_shared<ExportOptions>();
    ExportOptions& o = *options;
    command->add_option("--model", o.model, "Model file of train, a checkpoint of the authors, or the folder of a run")
        ->required()
        ->type_name("FILE");
    command->add_option("--onnx", o.onnx, "The ONNX file to write")->required()->type_name("FILE");
    add_file_sizes(*command, o.size, o.crop);
    command->add_option("--opset", o.opset, "Version of ONNX's operators that the file asks for")
        ->check(CLI::Range(io::onnx::first_opset, io::onnx::last_opset))
        ->capture_default_str();
    command->add_flag("--external-data", o.external_data,
                      "Weights in a second file, FILE.data; those above 2 GB, ONNX's limit, are put there in any case");
    command->callback([options, &action] { action = [options] { return run_export(*options); }; });
}

}  // namespace dinomaly::program
