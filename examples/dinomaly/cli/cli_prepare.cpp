// SPDX-License-Identifier: Apache-2.0
// The options of prepare.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"

namespace dinomaly::program {

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
}

}  // namespace dinomaly::program
