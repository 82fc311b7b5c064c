// SPDX-License-Identifier: Apache-2.0
// The golden encoders: small networks as their publishers would write them (tests/golden/make_encoders.py draws them),
// with what a reader has to find and what the network gives.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dinomaly/io/weights.hpp"
#include "tests/support.hpp"

namespace dinomaly::test {

struct EncoderCase {
    std::string name;
    io::StateDict file;       // as published
    io::StateDict values;     // picture, block.0, block.1, ..
    nlohmann::json expected;  // family, naming, heads, grid, tensors
};

/// The set: DINOMALY_ENCODERS where it is set, else tests/golden/encoders.
inline std::filesystem::path encoders_dir() {
    const char* other = std::getenv("DINOMALY_ENCODERS");
    return other != nullptr ? std::filesystem::path(other) : source_dir() / "tests" / "golden" / "encoders";
}

inline EncoderCase encoder_case(const std::string& name) {
    const std::filesystem::path folder = encoders_dir();
    EncoderCase found{name, io::StateDict(), io::read_safetensors(folder / (name + ".expected.safetensors")), {}};
    found.expected = nlohmann::json::parse(found.values.metadata.at("expected"));
    found.file = io::load_state_dict(folder / found.expected.at("file").get<std::string>());
    return found;
}

/// The names of all cases, sorted.
inline std::vector<std::string> encoder_cases() {
    const std::string end = ".expected.safetensors";
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(encoders_dir())) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with(end)) names.push_back(name.substr(0, name.size() - end.size()));
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace dinomaly::test
