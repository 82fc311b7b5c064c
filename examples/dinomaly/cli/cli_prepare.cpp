// SPDX-License-Identifier: Apache-2.0
// The options of prepare.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

namespace {

void add_prepare_mvtec3d(CLI::App& prepare, Action& action) {
    CLI::App* command =
        add_command(prepare, "mvtec3d",
                    "Write the depths of MVTec 3D-AD, z/NAME.tiff beside xyz/NAME.tiff, holes filled in "
                    "three passes; the ground plane and clutter stay as they are. Goes on where it "
                    "stopped",
                    "dinomaly prepare mvtec3d --data mvtec_3d");
    const auto options = std::make_shared<PrepareMvtec3dOptions>();
    command->add_option("--data", options->data, "MVTec 3D-AD as shipped, or one class of it")
        ->required()
        ->type_name("DIR");
    command->callback([options, &action] { action = [options] { return run_prepare_mvtec3d(*options); }; });
}

}  // namespace

void add_prepare(CLI::App& app, Action& action) {
    constexpr const char* example =
        "dinomaly prepare visa --data VisA --split VisA/split_csv/1cls.csv --out VisA_pytorch";
    CLI::App* prepare =
        add_command(app, "prepare", "Bring a data set as it is shipped into the layout to train on", example);
    prepare->require_subcommand(1);
    CLI::App* command =
        add_command(*prepare, "visa",
                    "Split VisA: pictures are copied, masks become black and white; goes on where it stopped", example);
    const auto options = std::make_shared<PrepareVisaOptions>();
    PrepareVisaOptions& o = *options;
    command->add_option("--data", o.data, "VisA as shipped, with CLASS/Data/Images")->required()->type_name("DIR");
    command->add_option("--split", o.split, "The list object,split,label,image,mask: 1cls.csv")
        ->required()
        ->type_name("FILE");
    command->add_option("--out", o.out, "Folder to write; 1cls/CLASS/{train,test,ground_truth} are made in it")
        ->required()
        ->type_name("DIR");
    command->add_flag("--link", o.link, "Hard links instead of copies of the pictures, where the file system has them");
    command->callback([options, &action] { action = [options] { return run_prepare_visa(*options); }; });
    add_prepare_mvtec3d(*prepare, action);
}

}  // namespace dinomaly::program
