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
#include "dinomaly/vision/overlay.hpp"
#include "memory_plan.hpp"
#include "run_folder.hpp"

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
std::vector<std::string> overlay_names(const std::vector<fs::path>& pictures) {
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
        name += "-overlay.png";
    }
    return names;
}

/// Which map values get the first and the last colour: from what is usual for good parts to well above their peak.
vision::OverlayStyle overlay_style(const PredictOptions& options, const Engine& engine) {
    vision::OverlayStyle style{.low = 0.0F, .high = 0.6F, .opacity = 0.5F};  // a checkpoint that tells nothing
    if (const auto usual = engine.training().find("good_map"); usual != engine.training().end()) {
        const float mean = usual->value("mean", 0.0F), peak = usual->value("peak", 0.3F);
        if (mean < peak) style = {.low = mean, .high = mean + 2 * (peak - mean), .opacity = 0.5F};
    }
    if (options.range.first < options.range.second) {
        style.low = options.range.first;
        style.high = options.range.second;
    }
    return style;
}

}  // namespace

int run_predict(const PredictOptions& options) {
    check_writable(options.json);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    const std::vector<fs::path> pictures = list_all(options.pictures);
    const Engine engine = Engine::open(model_file(options.model), options.size, options.crop, target);
    check_memory(engine,
                 {.trains = false,
                  .crop = engine.sizes().crop,
                  .batch = 1,
                  .element_size = engine.element_size(),
                  .batch_at_once = engine.target().gpu.has_value()},
                 options.memory_limit);
    if (!options.out.empty()) {
        std::error_code problem;
        fs::create_directories(options.out, problem);
        check(!problem && fs::is_directory(options.out), options.out.c_str(),
              "the folder cannot be made: ", problem.message());
    }
    const std::vector<std::string> names = overlay_names(pictures);
    const vision::OverlayStyle style = overlay_style(options, engine);

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
            lines +=
                nlohmann::ordered_json{
                    {"path", pictures[i].string()}, {"score", judged.score}, {"map_width", 256}, {"map_height", 256}}
                    .dump() +
                '\n';
            if (!options.out.empty())
                vision::write_png(options.out / names[i],
                                  vision::overlay(picture, judged.map, 256, 256, engine.sizes(), style));
        } catch (const Error& error) {
            std::cerr << "error: " << error.what() << std::endl;
            status = status_bad_input;
        }
    }
    if (!options.json.empty()) io::write_text(options.json, lines);
    return status;
}

}  // namespace dinomaly::program
