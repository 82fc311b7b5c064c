// SPDX-License-Identifier: Apache-2.0
// The command info: what a weight file holds, or what this machine computes on.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/backend/cpu/available_memory.hpp"
#include "dinomaly/backend/cpu/machine.hpp"
#include "dinomaly/encoders/encoder_file.hpp"
#include "dinomaly/io/hash.hpp"
#include "dinomaly/io/weights.hpp"
#include "dinomaly/version.hpp"
#include "engine/gpu.hpp"
#include "engine/memory_plan.hpp"

namespace dinomaly::program {

namespace {

/// Tensors of one name but for the numbers in it: blocks.*.norm1.weight.
struct Group {
    std::size_t tensors = 0;
    std::int64_t values = 0;
    std::set<std::string> types, shapes;
};

template <class T> std::string text_of(const T& value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

std::string joined(const std::set<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : " ") + text;
    return all;
}

void print_groups(const io::StateDict& dict, bool all) {
    static const std::regex number("(^|\\.)[0-9]+(?=\\.|$)");
    std::vector<std::pair<std::string, Group>> groups;
    for (const auto& [name, tensor] : dict) {
        const std::string pattern = all ? name : std::regex_replace(name, number, "$1*");
        auto found = std::ranges::find(groups, pattern, &std::pair<std::string, Group>::first);
        if (found == groups.end()) found = groups.insert(groups.end(), {pattern, {}});
        Group& group = found->second;
        ++group.tensors;
        group.values += tensor.shape.count();
        group.types.insert(std::string(io::dtype_name(tensor.dtype)));
        group.shapes.insert(text_of(tensor.shape));
    }
    std::size_t width = 0;
    for (const auto& [pattern, group] : groups) width = std::max(width, pattern.size());
    for (const auto& [pattern, group] : groups) {
        std::cout << "  " << std::left << std::setw(static_cast<int>(width)) << pattern << "  " << std::setw(5)
                  << joined(group.types) << ' ' << joined(group.shapes);
        if (group.tensors > 1) std::cout << "  x " << group.tensors;
        std::cout << '\n';
    }
}

/// One line a field, or for a JSON object one line a member.
void print_metadata(const io::StateDict& dict) {
    for (const auto& [name, text] : dict.metadata) {
        const nlohmann::json parsed = nlohmann::json::parse(text, nullptr, false);
        std::cout << "metadata " << name << ':';
        if (!parsed.is_object()) {
            std::cout << ' ' << text << '\n';
            continue;
        }
        std::cout << '\n';
        for (const auto& [member, value] : parsed.items()) std::cout << "  " << member << ": " << value.dump() << '\n';
    }
}

/// Of an encoder's file: whose names it has, and what is left alone.
void print_encoder(const io::StateDict& dict) {
    if (!encoders::looks_like_encoder(dict)) return;
    try {
        const encoders::EncoderFile found = encoders::read_encoder(dict);
        std::cout << "names: " << found.naming << "; taken for " << found.family << " since " << found.reason << '\n';
        if (found.unused.empty()) return;
        constexpr std::size_t most = 5;
        std::cout << "not needed: " << found.unused.size() << (found.unused.size() == 1 ? " tensor" : " tensors");
        for (std::size_t i = 0; i < std::min(most, found.unused.size()); ++i)
            std::cout << (i == 0 ? ": " : ", ") << found.unused[i];
        std::cout << (found.unused.size() > most ? ", ..\n" : "\n");
    } catch (const Error&) {
        return;  // recognise() has said why
    }
}

/// One line a device, beginning with what --device calls it.
void print_devices() {
    std::cout << "dinomaly " << version << "\ncpu     " << backend::processor_name() << ", "
              << std::thread::hardware_concurrency() << " threads";
    if (const auto available = backend::available_memory())
        std::cout << ", " << megabytes(*available) << " of memory available";
    std::cout << '\n';
    const Gpus gpus = find_gpus();
    for (std::size_t i = 0; i < gpus.found.size(); ++i)
        std::cout << "cuda:" << i << "  " << gpus.found[i].name << ", " << megabytes(gpus.found[i].memory)
                  << " of memory\n";
    if (gpus.found.empty()) std::cout << "cuda    " << gpus.problem << '\n';
}

}  // namespace

int run_info(const InfoOptions& options) {
    if (options.file.empty()) {
        print_devices();
        return status_done;
    }
    const io::StateDict dict = io::load_state_dict(options.file);
    check(!dict.empty(), options.file.c_str(), "holds no tensors");
    std::int64_t values = 0;
    std::size_t bytes = 0;
    for (const auto& [name, tensor] : dict) {
        values += tensor.shape.count();
        bytes += tensor.bytes.size();
    }
    std::cout << options.file.string() << '\n'
              << "what: " << recognise(dict).value_or("not known: neither an encoder nor a Dinomaly") << '\n';
    print_encoder(dict);
    std::cout << "tensors: " << dict.size() << ", " << values << " values, " << bytes << " bytes\n"
              << "hash: " << io::hash(dict) << '\n';
    print_metadata(dict);
    print_groups(dict, options.all);
    return status_done;
}

}  // namespace dinomaly::program
