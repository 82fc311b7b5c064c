// SPDX-License-Identifier: Apache-2.0
// The command export: the whole model as an ONNX file.
#include <iostream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/onnx_export.hpp"
#include "engine/memory_plan.hpp"
#include "training/run_folder.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

void check_not_the_model(const fs::path& model, const fs::path& out) {
    std::error_code ignored;
    check(!fs::equivalent(model, out, ignored), out.c_str(), "is the model itself; another name for --onnx expected");
}

/// A name and a size: "model.onnx, 88.4 MB".
std::string described(const fs::path& file) {
    return file.string() + ", " + megabytes(static_cast<std::size_t>(fs::file_size(file)));
}

}  // namespace

int run_export(const ExportOptions& options) {
    check_writable(options.onnx);
    const fs::path model = model_file(options.model);
    check_not_the_model(model, options.onnx);
    check_not_the_model(model, io::onnx::data_file(options.onnx));
    LoadedModel<Cpu<float>> loaded = load_model<Cpu<float>>(model);
    encoders::set_sizes(loaded.info.sizes, loaded.model.config.encoder, options.size, options.crop);
    const bool is_external =
        export_onnx(options.onnx, loaded, options.opset, options.external_data ? 0 : io::onnx::largest_inline);
    const vision::PictureSize size = loaded.info.sizes.size, crop = loaded.info.sizes.crop,
                              offset = loaded.info.sizes.offset();
    std::cout << "wrote " << described(options.onnx) << ", opset " << options.opset << '\n';
    if (is_external)
        std::cout << "wrote " << described(io::onnx::data_file(options.onnx))
                  << ": its weights; both files belong together, under these names\n";
    std::cout << "in   pictures  uint8 [batch, " << crop.height << ", " << crop.width << ", 3]  RGB, resized to "
              << size.width << "x" << size.height << " as Pillow's BILINEAR does, cut to " << crop << " from ("
              << offset.width << ", " << offset.height << ") on\n"
              << "out  map       float [batch, 256, 256]  cosine distances over the cut part\n"
              << "out  score     float [batch]  mean of the map's largest 655 values\n";
    if (loaded.info.tile != vision::PictureSize{})
        std::cout << "the model judges tiles of " << loaded.info.tile
                  << " of a picture's own pixels: who runs the file cuts them\n";
    if (loaded.info.decision.empty())
        std::cout << "the model holds no thresholds: the file has none in its metadata either\n";
    std::cout << std::flush;
    return status_done;
}

}  // namespace dinomaly::program
