// SPDX-License-Identifier: Apache-2.0
// The command encoders: which encoders are known, and what to expect of them.
#include "dinomaly/encoders/catalogue.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/encoders/published_results.hpp"
#include "dinomaly/encoders/recommended.hpp"
#include "dinomaly/encoders/sizes.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/vision/class_names.hpp"
#include "engine/judging_work.hpp"

namespace dinomaly::program {

namespace {

using encoders::CatalogueEntry;
using nlohmann::ordered_json;

constexpr const char* unknown = "-";

std::string fixed(double value, int digits) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(digits) << value;
    return text.str();
}

std::string millions(std::int64_t count) {
    return fixed(static_cast<double>(count) / 1e6, 1) + " M";
}

/// Multiply-adds of judging a picture at the recommended sizes, encoder and decoder.
std::int64_t work_of(const CatalogueEntry& entry) {
    return judging_work(variant_config("model", entry.vit), encoders::recommended_sizes(entry.vit).crop);
}

std::string billions(std::int64_t count) {
    return fixed(static_cast<double>(count) / 1e9, 1) + " G";
}

std::string sizes_text(const vision::Preprocess& sizes) {
    return size_text(sizes.size) + '/' + size_text(sizes.crop);
}

std::string joined(const std::vector<std::int64_t>& numbers) {
    std::string text;
    for (const std::int64_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
    return text;
}

void print_all() {
    const auto row = [](const std::string& key, const std::array<std::string, 4>& about,
                        const std::array<std::string, 3>& results) {
        std::cout << std::left << std::setw(24) << key << std::right << std::setw(11) << about[0] << std::setw(13)
                  << about[1] << "  " << std::left << std::setw(11) << about[2] << std::setw(15) << about[3]
                  << std::right << std::setw(8) << results[0] << std::setw(8) << results[1] << std::setw(8)
                  << results[2] << '\n';
    };
    row("encoder", {"parameters", "mult-adds", "size/crop", "licence"}, {"image", "pixel", "pixel"});
    row("", {"", "", "", ""}, {"AUROC", "AP", "AUPRO"});
    for (const CatalogueEntry& entry : encoders::catalogue()) {
        std::array<std::string, 3> results{unknown, unknown, unknown};
        if (const auto published = encoders::published_results(entry.key); !published.empty())
            results = {fixed(published[0].image[0], 2), fixed(published[0].pixel[1], 2),
                       fixed(published[0].pixel[3], 2)};
        row(std::string(entry.key),
            {millions(encoders::count_parameters(entry)), billions(work_of(entry)),
             sizes_text(encoders::recommended_sizes(entry.vit)), std::string(entry.family.licence.name)},
            results);
    }
    std::cout << "\nMult-adds: those of one picture judged, encoder and decoder. Results: published for Dinomaly on "
                 "MVTec-AD,\nall classes in one model, in per cent; '-' where none is. 'dinomaly encoders NAME' tells "
                 "more about one.\n";
}

std::string network_text(const nn::VitConfig& vit) {
    static constexpr const char* positions[] = {"absolute", "rotary", "relative"};
    std::ostringstream text;
    text << "width " << vit.width << ", " << vit.depth << " blocks, " << vit.heads << " heads, patch " << vit.patch
         << ", " << vit.registers << " registers, " << positions[static_cast<std::size_t>(vit.position)] << " positions"
         << (vit.position == nn::Position::rotary
                 ? ""
                 : " of " + size_text(static_cast<int>(vit.grid)) + 'x' + size_text(static_cast<int>(vit.grid)))
         << ", MLP " << vit.hidden_width() << (vit.is_gated ? " (SwiGLU)" : " (GELU)")
         << (vit.has_layer_scale ? ", layer scale" : "") << ", layer norm eps " << vit.eps;
    return text.str();
}

/// What is not published but chosen by us, or nothing.
std::vector<std::string> notes_of(const CatalogueEntry& entry) {
    std::vector<std::string> notes;
    if (!entry.note.empty()) notes.emplace_back(entry.note);
    if (!encoders::has_published_sizes(entry))
        notes.emplace_back("sizes are our choice, 28 x 28 patches as the others have: none are published for patch 8");
    if (!encoders::is_published_depth(entry.vit.depth))
        notes.emplace_back("kept blocks are our choice, at the relative depths of the others: none are published");
    return notes;
}

ordered_json json_of(const CatalogueEntry& entry) {
    const DinomalyConfig config = variant_config("model", entry.vit);
    const vision::Preprocess sizes = encoders::recommended_sizes(entry.vit);
    const encoders::TrainingChoice training = encoders::recommended_training(entry.vit);
    ordered_json results = ordered_json::array();
    for (const encoders::PublishedResult& r : encoders::published_results(entry.key))
        results.push_back(
            {{"size", r.size},
             {"crop", r.crop},
             {"image", {{"auroc", r.image[0]}, {"ap", r.image[1]}, {"f1_max", r.image[2]}}},
             {"pixel", {{"auroc", r.pixel[0]}, {"ap", r.pixel[1]}, {"f1_max", r.pixel[2]}, {"aupro", r.pixel[3]}}},
             {"source", r.source}});
    return {{"name", entry.key},
            {"title", encoders::title(entry)},
            {"family", entry.family.name},
            {"file", entry.file},
            {"repository", entry.family.repository},
            {"licence", entry.family.licence.name},
            {"licence_note", entry.family.licence.note},
            {"parameters", encoders::count_parameters(entry)},
            {"multiply_adds", work_of(entry)},
            {"width", entry.vit.width},
            {"depth", entry.vit.depth},
            {"heads", entry.vit.heads},
            {"patch", entry.vit.patch},
            {"registers", entry.vit.registers},
            {"norm_eps", entry.vit.eps},
            {"size", sizes.size.width},
            {"crop", sizes.crop.width},
            {"kept_blocks", config.kept},
            {"patches_only", config.patches_only},
            {"amsgrad", training.amsgrad},
            {"batch", training.batch},
            {"results", results},
            {"notes", notes_of(entry)}};
}

/// "--size 512 --crop 448", and where DINOv3 differs.
std::string training_text(const CatalogueEntry& entry) {
    static constexpr const char* rules[] = {"multiples of the patch", "any crop, of which whole patches are seen",
                                            "this crop only"};
    const encoders::TrainingChoice training = encoders::recommended_training(entry.vit);
    return encoders::size_options(encoders::recommended_sizes(entry.vit)) + " (" +
           rules[static_cast<std::size_t>(encoders::crop_rule(entry.vit))] + "), batch " +
           std::to_string(training.batch) + (training.amsgrad ? "" : ", StableAdamW without amsgrad");
}

void print_one(const CatalogueEntry& entry) {
    const DinomalyConfig config = variant_config("model", entry.vit);
    const encoders::Licence& licence = entry.family.licence;
    const auto line = [](const char* name, const std::string& text) {
        std::cout << std::left << std::setw(12) << name << text << '\n';
    };
    std::cout << encoders::title(entry) << '\n';
    line("name", std::string(entry.key));
    line("file", std::string(entry.file) + ", from " + std::string(entry.family.repository) + " at GitHub");
    line("licence", std::string(licence.name) + (licence.note.empty() ? "" : ": " + std::string(licence.note)));
    line("network", network_text(entry.vit));
    line("parameters", std::to_string(encoders::count_parameters(entry)) + "; " + billions(work_of(entry)) +
                           " multiply-adds a picture judged, encoder and decoder");
    line("training", training_text(entry));
    line("blocks", joined(config.kept) + " are restored; class token and registers " +
                       (config.patches_only ? "leave before the bottleneck" : "stay until the map"));
    for (const std::string& note : notes_of(entry)) line("note", note);
    const auto results = encoders::published_results(entry.key);
    if (results.empty()) line("results", "none are published for Dinomaly on MVTec-AD");
    for (const encoders::PublishedResult& r : results) {
        std::ostringstream text;
        text << std::fixed << std::setprecision(2) << r.size << '/' << r.crop << ": image " << r.image[0] << '/'
             << r.image[1] << '/' << r.image[2] << " AUROC/AP/F1, pixel " << r.pixel[0] << '/' << r.pixel[1] << '/'
             << r.pixel[2] << '/' << r.pixel[3] << " AUROC/AP/F1/AUPRO";
        line("results", text.str());
        line("", "MVTec-AD, all classes in one model; " + std::string(r.source));
    }
}

/// Names that hold the wanted one, or else the three that need the fewest letters changed.
std::string near_names(const std::string& wanted) {
    std::vector<std::pair<std::size_t, std::string_view>> near;
    for (const CatalogueEntry& entry : encoders::catalogue()) {
        const std::string_view stem = encoders::short_name(entry);
        const bool holds =
            entry.key.find(wanted) != std::string_view::npos || stem.find(wanted) != std::string_view::npos;
        const std::size_t distance =
            std::min(vision::detail::edit_distance(wanted, entry.key), vision::detail::edit_distance(wanted, stem));
        near.emplace_back(holds ? 0 : distance, entry.key);
    }
    std::ranges::stable_sort(near, {}, &std::pair<std::size_t, std::string_view>::first);
    const auto holding = static_cast<std::size_t>(
        std::ranges::count(near, std::size_t{0}, &std::pair<std::size_t, std::string_view>::first));
    std::string text;
    for (std::size_t i = 0; i < (holding > 0 ? holding : 3); ++i)
        text += (text.empty() ? "" : ", ") + std::string(near[i].second);
    return text;
}

}  // namespace

int run_encoders(const EncodersOptions& options) {
    if (options.name.empty()) {
        if (options.json) {
            ordered_json all = ordered_json::array();
            for (const CatalogueEntry& entry : encoders::catalogue()) all.push_back(json_of(entry));
            std::cout << all.dump(1) << std::endl;
        } else
            print_all();
        return status_done;
    }
    const CatalogueEntry* entry = encoders::find_entry(options.name);
    check(entry != nullptr, "encoders", "no encoder '", options.name, "' is known; near are ", near_names(options.name),
          "; 'dinomaly encoders' lists all");
    if (options.json)
        std::cout << json_of(*entry).dump(1) << std::endl;
    else
        print_one(*entry);
    return status_done;
}

}  // namespace dinomaly::program
