// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_parts.hpp"

#include <map>
#include <regex>

#include "console.hpp"

namespace dinomaly::program {

CLI::App* add_command(CLI::App& app, const char* name, const char* what, const char* example) {
    CLI::App* command = app.add_subcommand(name, what);
    command->footer(std::string("Example:\n  ") + example);
    return command;
}

void add_threads(CLI::App& command, int& threads) {
    command.add_option("--threads", threads, "Threads that compute; 0 means one for each core")
        ->check(CLI::Range(0, 1024))
        ->capture_default_str();
}

void add_device(CLI::App& command, std::string& device) {
    const auto find_error = [](const std::string& text) {
        static const std::regex known("cpu|cuda(:[0-9]{1,3})?");
        return std::regex_match(text, known) ? std::string() : text + " is no device; cpu, cuda or cuda:N expected";
    };
    command
        .add_option("--device", device,
                    "Where the model computes: cpu, cuda (the first GPU), or cuda:N; 'dinomaly info' lists them")
        ->check(CLI::Validator(find_error, ""))
        ->type_name("DEVICE")
        ->capture_default_str();
}

void add_precision(CLI::App& command, std::string& precision, bool judges) {
    command
        .add_option("--precision", precision,
                    judges ? "fp32; bf16 is faster where the processor has it, and on every GPU; int8 is fastest on a "
                             "CPU, less exact, and not for GPUs; tf32, on GPUs alone, lies between fp32 and bf16"
                           : "fp32, or bf16: faster where the processor has it, and on every GPU; weights stay fp32; "
                             "tf32, on GPUs alone, lies between them")
        ->check(judges ? CLI::IsMember({"fp32", "bf16", "int8", "tf32"}) : CLI::IsMember({"fp32", "bf16", "tf32"}))
        ->capture_default_str();
}

void add_classes(CLI::App& command, std::vector<std::string>& classes) {
    command.add_option("--classes", classes, "Classes, separated by commas; all that are found by default")
        ->delimiter(',')
        ->type_name("A,B,..");
}

void add_data_options(CLI::App& command, DataOptions& options) {
    command
        .add_option("--data", options.data,
                    "Root of the data set: CLASS/train/good and CLASS/test, VisA_pytorch, realiad_1024 with its lists, "
                    "MANTA-Tiny, MulSen-AD, MVTec 3D-AD, or a folder of good pictures")
        ->required()
        ->type_name("DIR");
    command
        .add_option("--dataset", options.dataset,
                    "The data set, and with it the layout; auto recognises it and says why")
        ->check(CLI::IsMember({"auto", "mvtec", "visa", "realiad", "mpdd", "manta", "mulsen", "mvtec3d", "folder"}))
        ->capture_default_str();
    command
        .add_option("--lists", options.lists,
                    "Real-IAD: the folder of lists below DIR, as realiad_jsons_sv or realiad_jsons_fuiad_0.1")
        ->type_name("NAME")
        ->capture_default_str();
    command.add_flag("--multi-view", options.multi_view,
                     "Real-IAD: the pictures in one folder are views of one object and judged together. Those of "
                     "MANTA-Tiny are in any case");
    add_classes(command, options.classes);
}

void add_switch(CLI::App& command, const std::string& name, bool& value, const std::string& what) {
    command
        .add_option_function<std::string>(
            name, [&value](const std::string& text) { value = text == "on"; }, what)
        ->check(CLI::IsMember({"on", "off"}))
        ->default_str(value ? "on" : "off");
}

void add_memory_limit(CLI::App& command, std::size_t& limit) {
    constexpr double kilo = 1000, kibi = 1024;
    const std::map<std::string, double> units = {
        {"B", 1},      {"kB", kilo},         {"MB", kilo * kilo},        {"GB", kilo * kilo * kilo},
        {"KiB", kibi}, {"MiB", kibi * kibi}, {"GiB", kibi * kibi * kibi}};
    command
        .add_option_function<double>(
            "--memory-limit", [&limit](double bytes) { limit = static_cast<std::size_t>(bytes); },
            "Refuse at once what is estimated to take more memory, or more of the GPU's: 1500MB, 2.5GB, 2GiB "
            "(1024s)")
        ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::CASE_INSENSITIVE).description(""))
        ->check(CLI::Range(1e6, 1e15).description(""))
        ->type_name("SIZE");
}

namespace {

/// Reads 448 or 512x448; returns whether it is one of them, with sides above 0.
bool parse_size(const std::string& text, vision::PictureSize& size) {
    static const std::regex known("([0-9]{1,6})(x([0-9]{1,6}))?");
    std::smatch found;
    if (!std::regex_match(text, found, known)) return false;
    const int width = std::stoi(found[1]);
    size = {width, found[3].matched ? std::stoi(found[3]) : width};
    return size.width > 0 && size.height > 0;
}

}  // namespace

void add_size(CLI::App& command, const std::string& name, vision::PictureSize& size, const std::string& what) {
    CLI::Option* option = command.add_option(
        name, CLI::callback_t([&size](const CLI::results_t& texts) { return parse_size(texts.front(), size); }), what);
    option->type_name("N or WxH");
    if (size != vision::PictureSize{}) option->default_str(size_text(size));
}

void add_file_sizes(CLI::App& command, vision::PictureSize& size, vision::PictureSize& crop) {
    add_size(command, "--size", size, "Pictures are resized to this; by default as the model's file says");
    add_size(command, "--crop", crop, "The middle of this size is looked at; by default as the model's file says");
}

void add_file_tile(CLI::App& command, std::optional<vision::PictureSize>& tile) {
    const auto parse = [&tile](const CLI::results_t& texts) {
        tile.emplace();
        return texts.front() == "off" || parse_size(texts.front(), *tile);
    };
    command
        .add_option(
            "--tile", CLI::callback_t(parse),
            "Larger pictures are judged in overlapping tiles of so many of their own pixels; off: as a whole. By "
            "default as the model's file says")
        ->type_name("N, WxH or off");
}

}  // namespace dinomaly::program
