// SPDX-License-Identifier: Apache-2.0
#include "training/run_config.hpp"

#include <algorithm>
#include <iomanip>
#include <set>
#include <string_view>
#include <vector>

#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/version.hpp"
#include "dinomaly/vision/class_names.hpp"

namespace dinomaly::program {

namespace {

using nlohmann::ordered_json;

/// What only a command line says: it is no setting of a run.
const std::set<std::string_view> of_the_command = {"config", "dry-run", "help", "json", "resume"};
/// What a run's own file leaves out, so that it repeats the run elsewhere.
constexpr const char* of_the_place = "out";
constexpr const char* written_by = "dinomaly";  // a key of the file beside the options

std::string name_of(const CLI::Option& option) {
    return option.get_lnames().empty() ? option.get_name() : option.get_lnames().front();
}

/// The options of a run in the order in which they were declared.
std::vector<const CLI::Option*> run_options(const CLI::App& command) {
    std::vector<const CLI::Option*> all = command.get_options();
    for (const CLI::App* group : command.get_subcommands([](const CLI::App* app) { return app->get_name().empty(); })) {
        const auto more = group->get_options();
        all.insert(all.end(), more.begin(), more.end());
    }
    std::erase_if(all, [](const CLI::Option* option) { return of_the_command.contains(name_of(*option)); });
    return all;
}

/// The form that an option's value has in a file.
struct Form {
    enum Item { text, whole, number, size };  // size: 448 or "512x448", 1000000 or "1MB"
    bool is_flag, is_list;
    Item item;
};

Form form_of(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    Form::Item item = Form::text;
    if (type.starts_with("INT") || type.starts_with("UINT")) item = Form::whole;
    if (type.starts_with("FLOAT")) item = Form::number;
    if (type.starts_with("N or WxH") || type.starts_with("SIZE")) item = Form::size;
    return {option.get_expected_max() == 0, option.get_delimiter() != '\0', item};
}

std::string expected_text(const Form& form) {
    if (form.is_flag) return "true or false";
    static const char* const of_one[] = {"a text", "a whole number", "a number", "a number or a text like \"512x448\""};
    static const char* const of_many[] = {"a list of texts", "a list of whole numbers", "a list of numbers",
                                          "a list of numbers or texts"};
    return (form.is_list ? of_many : of_one)[form.item];
}

bool fits(const ordered_json& value, Form::Item item) {
    switch (item) {
        case Form::text: return value.is_string();
        case Form::whole: return value.is_number_integer();
        case Form::number: return value.is_number();
        default: return value.is_number() || value.is_string();
    }
}

/// The value as the command line would say it; nothing for what is as good as not given.
std::vector<std::string> texts_of(const ordered_json& value, const Form& form, const char* place,
                                  const std::string& key) {
    const auto text = [](const ordered_json& item) { return item.is_string() ? item.get<std::string>() : item.dump(); };
    std::vector<std::string> texts;
    bool is_right = false;
    if (form.is_flag) {
        is_right = value.is_boolean();
        if (is_right && value.get<bool>()) texts.emplace_back("true");
    } else if (form.is_list) {
        is_right = value.is_array() &&
                   std::ranges::all_of(value, [&](const ordered_json& item) { return fits(item, form.item); });
        if (is_right) std::ranges::transform(value, std::back_inserter(texts), text);
    } else {
        is_right = fits(value, form.item);
        if (is_right && !text(value).empty()) texts.push_back(text(value));
    }
    check(is_right, place, '"', key, "\": ", value.dump(), " found, ", expected_text(form), " expected");
    return texts;
}

ordered_json json_of(const std::string& text, Form::Item item) {
    if (item == Form::text) return text;
    ordered_json number = ordered_json::parse(text, nullptr, false);
    return number.is_number() ? number : ordered_json(text);
}

/// Null for an option that has neither a value nor one that is built in.
ordered_json value_of(const CLI::Option& option) {
    const Form form = form_of(option);
    if (form.is_flag) return option.count() > 0 && option.results().back() != "false";
    if (form.is_list) {
        ordered_json list = ordered_json::array();
        for (const std::string& text : option.results()) list.push_back(json_of(text, form.item));
        return list;
    }
    const std::string text = option.count() > 0 ? option.results().back() : option.get_default_str();
    return text.empty() ? ordered_json() : json_of(text, form.item);
}

[[noreturn]] void fail_unknown(const CLI::App& command, const std::string& place, const std::string& key) {
    if (of_the_command.contains(key)) fail(place, '"', key, "\" is said on the command line, not in a file");
    std::vector<std::string> names;
    std::string all;
    for (const CLI::Option* option : run_options(command)) {
        names.push_back(name_of(*option));
        all += (all.empty() ? "" : ", ") + names.back();
    }
    if (const std::string nearest = vision::nearest_name(key, names); !nearest.empty())
        fail(place, "unknown key \"", key, "\"; is \"", nearest, "\" meant?");
    fail(place, "unknown key \"", key, "\"; known are ", all);
}

std::string source_of(const std::string& name, const Sources& sources) {
    const auto found = sources.find(name);
    return found == sources.end() ? "default" : found->second;
}

}  // namespace

Sources given_options(const CLI::App& command) {
    Sources sources;
    for (const CLI::Option* option : run_options(command))
        if (option->count() > 0) sources[name_of(*option)] = "command line";
    return sources;
}

ordered_json config_of(const CLI::App& command) {
    ordered_json config = {{written_by, version}};
    for (const CLI::Option* option : run_options(command)) {
        const ordered_json value = value_of(*option);
        if (!value.is_null() && name_of(*option) != of_the_place) config[name_of(*option)] = value;
    }
    return config;
}

ordered_json run_config(const TrainOptions& options) {
    CLI::App table;
    TrainOptions copy = options;
    declare_train_options(table, copy);
    ordered_json config = config_of(table);
    config["data"] = options.data.string();  // nothing of these is built in
    config["encoder"] = options.encoder.string();
    return config;
}

ordered_json read_config(const std::filesystem::path& file) {
    ordered_json config;
    try {
        config = ordered_json::parse(io::read_text(file));
    } catch (const nlohmann::json::parse_error& error) {
        fail(file.string(), "not JSON: ", error.what());
    }
    check(config.is_object(), file.c_str(), "a JSON ", config.type_name(),
          " found, an object expected: {\"lr\": 0.001}");
    if (const auto writer = config.find(written_by); writer != config.end()) {
        check(writer->is_string(), file.c_str(), '"', written_by, "\": ", writer->dump(),
              " found, the text of a version expected");
        if (*writer != version)
            warn(file.string() + " was written by dinomaly " + writer->get<std::string>() + ", this is " + version);
        config.erase(writer);
    }
    return config;
}

void fill_options(CLI::App& command, const ordered_json& values, const std::string& place, const std::string& source,
                  Sources& sources) {
    for (const auto& [key, value] : values.items()) {
        CLI::Option* const option = command.get_option_no_throw("--" + key);
        if (option == nullptr || of_the_command.contains(key)) fail_unknown(command, place, key);
        const std::vector<std::string> texts = texts_of(value, form_of(*option), place.c_str(), key);
        if (option->count() > 0 || texts.empty()) continue;
        try {
            option->add_result(texts);
            option->run_callback();
        } catch (const CLI::ParseError& error) {
            fail(place, '"', key, "\": ", value.dump(), " is not taken: ", error.what());
        }
        sources[key] = source;
    }
}

void print_options(std::ostream& out, const CLI::App& command, const Sources& sources, const std::string& note) {
    const auto text = [](const ordered_json& value) {
        if (value.is_null()) return std::string("-");
        if (value.is_string()) return value.get<std::string>();
        if (!value.is_array()) return value.dump();
        std::string list;
        for (const ordered_json& item : value)
            list += (list.empty() ? "" : ",") + (item.is_string() ? item.get<std::string>() : item.dump());
        return list.empty() ? std::string("-") : list;
    };
    std::size_t name_width = 6, value_width = 5;
    for (const CLI::Option* option : run_options(command)) {
        name_width = std::max(name_width, name_of(*option).size());
        value_width = std::max(value_width, text(value_of(*option)).size());
    }
    const auto write = [&](const std::string& name, const std::string& value, const std::string& source) {
        out << "  " << std::left << std::setw(static_cast<int>(name_width)) << name << "  "
            << std::setw(static_cast<int>(value_width)) << value << "  " << source << '\n';
    };
    write("option", "value", "from");
    for (const CLI::Option* option : run_options(command))
        write(name_of(*option), text(value_of(*option)), source_of(name_of(*option), sources));
    out << std::right;
    if (!note.empty()) out << note << '\n';
    out << std::flush;
}

ordered_json options_json(const CLI::App& command, const Sources& sources, const std::string& note) {
    ordered_json options = ordered_json::object();
    for (const CLI::Option* option : run_options(command))
        options[name_of(*option)] = {{"value", value_of(*option)}, {"from", source_of(name_of(*option), sources)}};
    return {{"options", options}, {"note", note}};
}

}  // namespace dinomaly::program
