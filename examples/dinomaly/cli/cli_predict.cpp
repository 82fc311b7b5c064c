// SPDX-License-Identifier: Apache-2.0
// The options of predict.
#include <memory>

#include "cli/cli_parts.hpp"
#include "commands.hpp"
#include "judging/picture_files.hpp"

namespace dinomaly::program {

namespace {

/// --watch and what goes with it. Returns --watch.
CLI::Option* add_watch(CLI::App& command, WatchOptions& o) {
    CLI::Option* watch = command.add_option(
        "--watch", o.folder, "Judge pictures as they arrive in this folder, until interrupted, which is status 0");
    watch->type_name("DIR");
    command
        .add_option("--poll", o.poll,
                    "Look into the folder every so many seconds instead of being told by the kernel; for network "
                    "folders, where it is 1 by default. Longer than a writer's pauses within one picture")
        ->check(CLI::Range(0.01, 3600.0))
        ->type_name("SECONDS")
        ->needs(watch);
    command.add_flag("--only-new", o.only_new, "Pass over the pictures that are in the folder at the start")
        ->needs(watch);
    CLI::Option* move_to = command.add_option(
        "--move-to", o.move_to,
        "Move each picture once it was judged to DIR/good or DIR/bad, DIR/judged where no threshold is known, and "
        "DIR/error where it cannot be read; none is replaced");
    move_to->type_name("DIR")->needs(watch);
    command
        .add_option("--done", o.done,
                    "Without --move-to, what was judged is noted in this file, so that a restart does not judge it "
                    "again; by default .dinomaly-judged.jsonl in the watched folder")
        ->type_name("FILE")
        ->needs(watch)
        ->excludes(move_to);
    command.add_flag("--sync", o.sync, "Force each line of --json and --done onto the disk before going on")
        ->needs(watch);
    return watch;
}

/// What is written of each picture.
void add_picture_output(CLI::App& command, PredictOptions& o) {
    command
        .add_option("--out", o.out,
                    "Write each picture under its heat map, with the outline of what reaches the pixel threshold and a "
                    "colour bar, into this folder")
        ->type_name("DIR");
    command
        .add_option("--maps", o.maps,
                    "Write each picture's raw map, in its own pixels, into this folder; see --map-format")
        ->type_name("DIR");
    command
        .add_option("--map-format", o.map_format,
                    "png: 16 bit, 65535 stands for 2; tiff or npy: 32 bit floats, NaN where nothing was judged")
        ->check(CLI::IsMember(map_formats()))
        ->capture_default_str();
    command.add_option("--min-area", o.min_area, "List only defects of at least so many of the picture's pixels")
        ->check(CLI::Range(std::int64_t{1}, vision::max_pixels))
        ->capture_default_str();
    command
        .add_option("--range", o.range,
                    "Map values of the first and the last colour; by default 0 and twice the pixel threshold")
        ->type_name("LOW HIGH");
}

}  // namespace

void add_predict(CLI::App& app, Action& action) {
    CLI::App* command = add_command(app, "predict", "Score pictures: the higher, the less they look like a good part",
                                    "dinomaly predict --model runs/first/model.safetensors --out heat part.png new/");
    const auto options = std::make_shared<PredictOptions>();
    PredictOptions& o = *options;
    command->add_option("--model", o.model, "Model file of train, a checkpoint of the authors, or the folder of a run")
        ->required()
        ->type_name("FILE");
    CLI::Option* pictures =
        command->add_option("pictures", o.pictures,
                            "Pictures, folders of pictures, or - for paths from standard input, one "
                            "a line, each answered at once");
    pictures->type_name("PATH");
    command
        ->add_option(
            "--object", o.object,
            "What is judged together and has one score: each picture alone; a strip of five views side by "
            "side, as in MANTA-Tiny; the views in a folder; or a pair of pictures in folders RGB and Infrared. "
            "A model of pictures with depths finds them in the folders z or xyz beside rgb")
        ->check(CLI::IsMember({"picture", "strip", "folder", "pair"}))
        ->capture_default_str();
    add_watch(*command, o.watch)->excludes(pictures);
    add_file_sizes(*command, o.size, o.crop);
    add_file_tile(*command, o.tile);
    add_threads(*command, o.threads);
    add_device(*command, o.device);
    add_precision(*command, o.precision, true);
    add_memory_limit(*command, o.memory_limit);
    add_thresholds(*command, o.thresholds);
    add_picture_output(*command, o);
    command
        ->add_option(
            "--json", o.json,
            "Write a JSON object for each picture, one a line, to this file: score, verdict, sizes, defects (area, "
            "box, "
            "peak); appended at once with --watch and with -, else as a whole at the end; - is standard output")
        ->type_name("FILE");
    command->add_flag("--jsonl", o.jsonl, "JSON lines on standard output instead of the readable ones");
    command->callback([options, &action] {
        if (options->pictures.empty() && options->watch.folder.empty())
            throw CLI::RequiredError("PATH, or --watch DIR,");
        action = [options] { return run_predict(*options); };
    });
}

}  // namespace dinomaly::program
