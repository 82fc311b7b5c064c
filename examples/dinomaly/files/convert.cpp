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

/// The tensors that are asked for, of a file that holds a whole model, or an encoder where that is wanted.
io::StateDict part_of_model(const std::filesystem::path& file, const std::string& part) {
    const io::StateDict source = io::load_state_dict(file);
    if (part == "encoder" && encoders::looks_like_encoder(source)) {
        const encoders::EncoderFile published = encoders::read_encoder(source);
        return encoders::official_names(published.tensors, published.config);
    }
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
    if (part == "authors") dict.metadata = source.metadata;  // it is a model of this program still
    if (part == "authors" && is_anomalib_file(source))       // it becomes one
        dict.metadata = {{"dinomaly", metadata_text(loaded.model.config, loaded.info)}};
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
