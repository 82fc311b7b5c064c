// SPDX-License-Identifier: Apache-2.0
// The options of eval and predict.
#include <memory>

#include "cli_parts.hpp"
#include "commands.hpp"
#include "picture_files.hpp"

namespace dinomaly::program {

void add_eval(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "eval", "Judge labelled pictures and print the figures of each class",
                                    "dinomaly eval --model runs/first/model.safetensors --data mvtec --json eval.json");
    const auto options = std::make_shared<EvalOptions>();
    EvalOptions& o = *options;
    command->add_option("--model", o.model, "Model file of train, or a checkpoint of the authors")
        ->required()
        ->type_name("FILE");
    add_data_options(*command, o);
    add_file_sizes(*command, o.size, o.crop);
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
    command
        ->add_option(
            "--out", o.out,
            "Write each picture under its heat map, with the outline of what reaches the pixel threshold and a "
            "colour bar, into this folder")
        ->type_name("DIR");
    command
        ->add_option("--maps", o.maps,
                     "Write each picture's raw map, in its own pixels, into this folder; see --map-format")
        ->type_name("DIR");
    command
        ->add_option("--map-format", o.map_format,
                     "png: 16 bit, 65535 stands for 2; tiff or npy: 32 bit floats, NaN where nothing was judged")
        ->check(CLI::IsMember(map_formats()))
        ->capture_default_str();
    command->add_option("--min-area", o.min_area, "List only defects of at least so many of the picture's pixels")
        ->check(CLI::Range(std::int64_t{1}, vision::max_pixels))
        ->capture_default_str();
    command
        ->add_option("--json", o.json,
                     "Write path, score, sizes and defects (area, box, peak), one object a line, to this file")
        ->type_name("FILE");
    command
        ->add_option(
            "--range", o.range,
            "Map values of the first and the last colour; by default 0 and twice the pixel threshold, or twice "
            "the highest value usual for good parts where the model's file holds no threshold")
        ->type_name("LOW HIGH");
    command->callback([options, &action] { action = [options] { return run_predict(*options); }; });
}

}  // namespace dinomaly::program
