// SPDX-License-Identifier: Apache-2.0
// What stands behind an Engine: a model on some device in some precision. engine_<precision>.cpp and
// engine_cuda_<precision>.cu make them, and compile the kernels of theirs (model_on_device.hpp).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "dinomaly/model_file.hpp"
#include "engine/engine.hpp"

namespace dinomaly::program {

/// A model file, to judge with; sizes above zero replace its own.
struct ModelFile {
    std::filesystem::path path;
    vision::PictureSize size, crop;
};
/// Random weights, for measurements.
struct RandomWeights {
    std::string architecture;
    vision::Preprocess sizes;
    std::uint64_t seed;
};
using ModelSource = std::variant<ModelFile, NewModel, RandomWeights>;

/// See Training.
class AnyTraining {
public:
    virtual ~AnyTraining() = default;
    virtual std::int64_t iteration() const = 0;
    virtual void keep_features(const FeatureStore& store) = 0;
    virtual std::vector<std::vector<std::size_t>> unknown(
        const std::vector<std::vector<std::size_t>>& batches) const = 0;
    virtual void submit(std::span<const std::size_t> pictures, std::span<const std::size_t> unknown,
                        std::span<const float> pixels) = 0;
    virtual std::vector<Step> collect() = 0;
    virtual FeatureUse features() const = 0;
    virtual void store(io::StateDict& dict) const = 0;
    virtual void restore(const io::StateDict& dict) = 0;
};

/// See Engine.
class AnyModel {
public:
    ModelInfo info;
    DinomalyConfig config;
    std::int64_t parameters = 0, trained_parameters = 0;
    std::size_t element_size = 0;  ///< bytes of one activation

    virtual ~AnyModel() = default;
    virtual void load_trained(const std::filesystem::path& file) = 0;
    virtual void save(const std::filesystem::path& file) = 0;
    virtual std::vector<Judgement> judge(std::span<const float> pixels, std::int64_t count) = 0;
    virtual std::unique_ptr<AnyTraining> train(const TrainSettings& settings) = 0;
};

std::unique_ptr<AnyModel> make_model_fp32(const ModelSource& source);
std::unique_ptr<AnyModel> make_model_bf16(const ModelSource& source);
/// For judging alone.
std::unique_ptr<AnyModel> make_model_int8(const ModelSource& source);
/// On the GPU that was chosen (gpu.hpp).
std::unique_ptr<AnyModel> make_model_cuda_fp32(const ModelSource& source);
std::unique_ptr<AnyModel> make_model_cuda_bf16(const ModelSource& source);

}  // namespace dinomaly::program
