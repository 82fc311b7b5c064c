// SPDX-License-Identifier: Apache-2.0
// The command convert: the same weights as safetensors in another element type, all of them or a part.
#include <algorithm>
#include <cctype>
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/encoders/official.hpp"
#include "dinomaly/model_file.hpp"

namespace dinomaly::program {

namespace {

/// The tensors that are asked for, of a file that must hold a whole model.
io::StateDict part_of_model(const std::filesystem::path& file, const std::string& part) {
    LoadedModel<Cpu<float>> loaded = load_model<Cpu<float>>(file);
    io::StateDict dict(file.string()), stored(file.string());
    io::store_weights(loaded.model.encoder, stored);
    const io::StateDict encoder = encoders::official_names(stored, loaded.model.config.encoder);
    if (part == "encoder") dict = encoder;
    if (part == "authors")
        for (const auto& [name, tensor] : encoder) dict.insert("encoder." + name, tensor);
    if (part != "encoder") {
        auto trained = loaded.model.trained();
        io::store_weights(trained, dict);
    }
    if (part == "authors") dict.metadata = io::load_state_dict(file).metadata;  // it is a model of this program still
    dict.metadata["format"] = "pt";
    return dict;
}

}  // namespace

int run_convert(const ConvertOptions& options) {
    check_writable(options.out);
    std::string type = options.dtype;
    std::ranges::transform(type, type.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const io::DType dtype = io::find_dtype(type).value();
    if (options.to == "same")
        io::convert(options.in, options.out, dtype);
    else
        io::write_safetensors(options.out, io::cast(part_of_model(options.in, options.to), dtype));
    std::cout << "wrote " << options.out.string() << " in " << type << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
