// SPDX-License-Identifier: Apache-2.0
// The command predict: a score for each picture and, where asked for, its heat map.
#include <algorithm>
#include <future>
#include <iomanip>
#include <iostream>
#include <set>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/dataset.hpp"
#include "memory_plan.hpp"
#include "picture_files.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

/// The pictures of a folder and of the folders in it, sorted.
void add_folder(const fs::path& folder, std::vector<fs::path>& pictures) {
    const std::vector<fs::path> here = vision::list_pictures(folder);
    pictures.insert(pictures.end(), here.begin(), here.end());
    std::vector<fs::path> inner;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        if (entry.is_directory() && !entry.path().filename().string().starts_with('.')) inner.push_back(entry.path());
    std::ranges::sort(inner);
    for (const fs::path& path : inner) add_folder(path, pictures);
}

std::vector<fs::path> list_all(const std::vector<fs::path>& arguments) {
    std::vector<fs::path> pictures;
    for (const fs::path& argument : arguments) {
        std::error_code ignored;
        check(fs::exists(argument, ignored), argument.c_str(), "no such picture or folder");
        if (!fs::is_directory(argument, ignored)) {
            pictures.push_back(argument);
            continue;
        }
        const std::size_t before = pictures.size();
        add_folder(argument, pictures);
        check(pictures.size() > before, argument.c_str(), "no pictures (png, jpg, jpeg, bmp) in this folder");
    }
    return pictures;
}

/// The picture's stem behind the names of the `depth` folders above it: "good-000".
std::string stem_with_folders(const fs::path& picture, int depth) {
    std::string name = picture.stem().string();
    fs::path folder = fs::absolute(picture).lexically_normal().parent_path();
    for (int i = 0; i < depth && folder.has_filename(); ++i, folder = folder.parent_path())
        name = folder.filename().string() + '-' + name;
    return name;
}

/// One file name for each picture: its stem, behind as many folders as it takes to tell all apart, else a number.
std::vector<std::string> file_names(const std::vector<fs::path>& pictures) {
    constexpr int max_depth = 4;
    std::vector<std::string> names;
    for (int depth = 0; depth <= max_depth; ++depth) {
        names.clear();
        for (const fs::path& picture : pictures) names.push_back(stem_with_folders(picture, depth));
        if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) break;
    }
    std::set<std::string> used;
    for (std::string& name : names) {
        const std::string stem = name;
        for (int number = 2; !used.insert(name).second; ++number) name = stem + '-' + std::to_string(number);
    }
    return names;
}

PictureOutput picture_output(const PredictOptions& options) {
    PictureOutput output{.overlays = options.out, .maps = options.maps, .range = options.range};
    output.format = map_formats().at(options.map_format);
    output.min_area = options.min_area;
    return output;
}

}  // namespace

int run_predict(const PredictOptions& options) {
    check_writable(options.json);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    const std::vector<fs::path> pictures = list_all(options.pictures);
    const Engine engine = Engine::open(options.model, options.size, options.crop, target);
    check_memory(engine,
                 {.trains = false,
                  .crop = engine.sizes().crop,
                  .batch = 1,
                  .element_size = engine.element_size(),
                  .batch_at_once = engine.target().gpu.has_value()},
                 options.memory_limit);
    const PictureOutput output = picture_output(options);
    make_output_folders(output);
    const std::vector<std::string> names = file_names(pictures);
    const float peak = usual_peak(engine.training());

    const auto read_ahead = [&](std::size_t i) {
        return std::async(std::launch::async, [path = pictures[i]] { return vision::read_rgb(path); });
    };
    std::string lines;
    int status = status_done;
    std::future<vision::Image> next = read_ahead(0);
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        std::future<vision::Image> current = std::move(next);
        if (i + 1 < pictures.size()) next = read_ahead(i + 1);
        try {
            const vision::Image picture = current.get();
            const Judgement judged = std::move(engine.judge(vision::to_input(picture, engine.sizes()), 1).front());
            std::cout << std::fixed << std::setprecision(4) << judged.score << "  " << pictures[i].string()
                      << std::endl;
            nlohmann::ordered_json line{
                {"path", pictures[i].string()}, {"score", judged.score}, {"map_width", 256}, {"map_height", 256}};
            line.update(
                write_picture_outputs(output, names[i], picture, judged.map, engine.sizes(), std::nullopt, peak));
            lines += line.dump() + '\n';
        } catch (const Error& error) {
            std::cerr << "error: " << error.what() << std::endl;
            status = status_bad_input;
        }
    }
    if (!options.json.empty()) io::write_text(options.json, lines);
    return status;
}

}  // namespace dinomaly::program
