// SPDX-License-Identifier: Apache-2.0
// The command convert: the same weights as safetensors in another element type, all of them or a part.
#include <algorithm>
#include <cctype>
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/model_file.hpp"

namespace dinomaly::program {

namespace {

/// The tensors that are asked for, of a file that holds a whole model, or an encoder where that is wanted.
io::StateDict part_of_model(const std::filesystem::path& file, const std::string& part) {
    const io::StateDict source = io::load_state_dict(file);
    if (part == "encoder" && encoders::looks_like_encoder(source)) return encoders::read_encoder(source).tensors;
    LoadedModel<Cpu<float>> loaded = load_model<Cpu<float>>(file);
    io::StateDict dict(file.string());
    dict.metadata["format"] = "pt";
    if (part == "encoder") {
        io::store_weights(loaded.model.encoder, dict);
    } else if (part == "trained") {
        auto trained = loaded.model.trained();
        io::store_weights(trained, dict);
    } else {
        io::store_weights(loaded.model, dict);
        dict.metadata = source.metadata;  // it is a model of this program still
        if (is_anomalib_file(source))     // it becomes one
            dict.metadata = {{"format", "pt"}, {"dinomaly", metadata_text(loaded.model.config, loaded.info)}};
    }
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
