// SPDX-License-Identifier: Apache-2.0
// The options of info, encoders and convert.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

void add_info(CLI::App& app, Action& action) {
    CLI::App* command =
        add_command(app, "info", "Say what a weight file holds, or, without one, what --device may be here",
                    "dinomaly info dinov2_vits14.pth");
    const auto options = std::make_shared<InfoOptions>();
    command->add_option("file", options->file, "A .safetensors or PyTorch .pth file")->type_name("FILE");
    command->add_flag("--all", options->all, "Each tensor on its own line, not one line for tensors of a kind");
    command->callback([options, &action] { action = [options] { return run_info(*options); }; });
}

void add_encoders(CLI::App& app, Action& action) {
    CLI::App* command =
        add_command(app, "encoders", "List the encoders that are known: sizes, licence, arithmetic, published results",
                    "dinomaly encoders dinov3_vitb16");
    const auto options = std::make_shared<EncodersOptions>();
    command
        ->add_option("name", options->name,
                     "All about this one: a name of the list, or of a published file, such as dinov2_vits14")
        ->type_name("NAME");
    command->add_flag("--json", options->json, "As JSON");
    command->callback([options, &action] { action = [options] { return run_encoders(*options); }; });
}

void add_convert(CLI::App& app, Action& action) {
    CLI::App* command =
        add_command(app, "convert", "Write a weight file as safetensors, in another element type, or a part of it",
                    "dinomaly convert dinov2_vits14.pth dinov2_vits14.safetensors --dtype bf16");
    const auto options = std::make_shared<ConvertOptions>();
    command->add_option("in", options->in, "A .safetensors or PyTorch .pth file")->required()->type_name("IN");
    command->add_option("out", options->out, "The safetensors file to write")->required()->type_name("OUT");
    command->add_option("--dtype", options->dtype, "Element type of its floating-point tensors")
        ->check(CLI::IsMember({"f32", "f16", "bf16"}))
        ->capture_default_str();
    command
        ->add_option(
            "--to", options->to,
            "same: all tensors as they are; authors: a whole model, exactly the names that the authors' "
            "PyTorch code loads; encoder: its encoder alone, or a published one, under the names of its authors' code; "
            "trained: bottleneck and decoder alone")
        ->check(CLI::IsMember({"same", "authors", "encoder", "trained"}))
        ->capture_default_str();
    command->callback([options, &action] { action = [options] { return run_convert(*options); }; });
}

}  // namespace dinomaly::program
