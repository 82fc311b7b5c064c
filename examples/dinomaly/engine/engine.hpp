// SPDX-License-Identifier: Apache-2.0
// The model behind an interface of plain types. The kernels are compiled in engine_<precision>.cpp and
// engine_cuda_<precision>.cu, which take a minute or more each; the commands that include this header compile in
// seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dinomaly/encoders/encoder_options.hpp"
#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/model_config.hpp"
#include "dinomaly/vision/preprocess.hpp"
#include "engine/target.hpp"

namespace dinomaly::program {

/// The judgement of one picture: its score and its map [map_height, map_width].
struct Judgement {
    float score = 0;
    std::vector<float> map;
    int map_width = 256, map_height = 256;
};

/// Settings of a training run, as the library's TrainConfig.
struct TrainSettings {
    std::int64_t iterations = 10000;
    std::int64_t schedule = 0;  ///< 0: as many as iterations
    std::int64_t warmup = 100;
    std::int64_t hard_mining_ramp = 1000;
    double lr = 2e-3;
    double final_lr = 2e-4;
    std::optional<double> decay_ratio;  ///< Dinomaly2's schedule, down to this part of lr
    double neck_lr = 0;                 ///< of a narrow bottleneck's first layer; 0: lr
    double easy_part = 0.9, easy_factor = 0.1;
    double adam_eps = 1e-10;  ///< added to the denominator of StableAdamW
    bool amsgrad = true;
    double dropout = 0.2;
    std::uint64_t seed = 1;
};

/// Which pictures' features a training keeps, and where (dinomaly/feature_cache.hpp).
struct FeatureStore {
    std::vector<std::size_t> pictures;  ///< none: every picture is encoded each time
    std::filesystem::path file;         ///< empty: in memory
    std::string key;                    ///< what the features in a file depend on
};

/// How much a training keeps and how often it helped: of the pictures asked for, `hits` were not encoded again.
struct FeatureUse {
    std::size_t pictures = 0, bytes = 0, hits = 0, asked = 0;
};

/// What one training step tells.
struct Step {
    std::int64_t iteration = 0;
    double loss = 0, grad_norm = 0, lr = 0;
};

/// A published encoder with a part to be trained, drawn from seed.
struct NewModel {
    std::filesystem::path encoder;
    vision::Preprocess sizes;
    std::uint64_t seed = 1;
    VariantOptions variant = {};
    encoders::EncoderOptions encoder_options = {};
};

class AnyModel;
class AnyTraining;

/// A Dinomaly with its sizes and metadata: made for training, or read from a model file for judging.
class Engine {
public:
    /// Reads a model file for judging alone; sizes above zero replace the file's.
    static Engine open(const std::filesystem::path& file, vision::PictureSize size, vision::PictureSize crop,
                       const Target& target);
    static Engine create(const NewModel& model, const Target& target);
    /// "small", "base" or "large" with 4 registers and random weights: for measurements.
    static Engine random(const std::string& architecture, const vision::Preprocess& sizes, std::uint64_t seed,
                         const Target& target);

    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    ~Engine();

    const Target& target() const { return target_; }
    const vision::Preprocess& sizes() const;
    /// Pictures that are larger are learnt and judged in tiles of so many of their pixels; none: as a whole.
    vision::PictureSize tile() const;
    /// Replaces the tile. Throws for sides that are not 1 .. 100000, unless both are 0: none.
    void set_tile(vision::PictureSize tile);
    /// How the map of a picture of these sides lies over it, for vision::overlay.
    vision::Preprocess map_sizes(vision::PictureSize picture) const;
    const std::vector<std::string>& classes() const;
    const nlohmann::json& training() const;
    const std::string& encoder_hash() const;
    const std::string& trained_hash() const;  ///< empty before it was saved
    const nlohmann::json& decision() const;   ///< dinomaly/decision.hpp; an empty object: none
    const DinomalyConfig& config() const;
    /// Bytes of one activation.
    std::size_t element_size() const;
    /// "ViT-S/14, width 384, 12 blocks, 0 registers; 22.1 M parameters, of which .. are trained".
    std::string description() const;
    /// "small", "base" or "large" for the paper's own models, else "ViT-B/16; Dinomaly2, 2 groups".
    std::string architecture() const;
    /// Multiply-adds of judging one picture (dinomaly/work.hpp).
    std::int64_t judging_work() const;
    /// Multiply-adds of one picture's part of a training step, whose features are computed or known already.
    std::int64_t learning_work(bool features_known) const;

    /// Replaces the part to be trained by the tensors bottleneck.* and decoder.* of a file.
    void load_trained(const std::filesystem::path& file);
    /// What save() writes into the metadata.
    void set_metadata(const std::vector<std::string>& classes, const nlohmann::json& training);
    void set_decision(const nlohmann::json& decision);
    void save(const std::filesystem::path& file);

    /// Judges `count` prepared pictures, pixels [count, 3, height, width].
    std::vector<Judgement> judge(std::span<const float> pixels, std::int64_t count) const;
    /// Judges a decoded picture of any size, in tiles where the model has them (dinomaly/tiled.hpp).
    Judgement judge(const vision::Image& picture) const;

private:
    friend class Training;
    Engine(std::unique_ptr<AnyModel> model, const Target& target);

    std::unique_ptr<AnyModel> model_;
    Target target_;
};

/// Training of an engine's model, step by step.
class Training {
public:
    Training(Engine& engine, const TrainSettings& settings);
    Training(const Training&) = delete;
    Training& operator=(const Training&) = delete;
    ~Training();

    std::int64_t iteration() const;
    /// Keeps features from now on. Throws Error when there is no room for them.
    void keep_features(const FeatureStore& store);
    /// For each batch to come the pictures whose pixels submit() will need: those whose features are not kept by then.
    std::vector<std::vector<std::size_t>> unknown(const std::vector<std::vector<std::size_t>>& batches) const;
    /// One iteration on the training set's pictures of these numbers; `pixels` [U, 3, height, width] are those of the
    /// `unknown` ones.
    void submit(std::span<const std::size_t> pictures, std::span<const std::size_t> unknown,
                std::span<const float> pixels);
    /// What the iterations since the last call tell. On a GPU this waits for them, which submit() does not.
    std::vector<Step> collect();
    FeatureUse features() const;
    void store(io::StateDict& dict) const;
    void restore(const io::StateDict& dict);

private:
    std::unique_ptr<AnyTraining> training_;
};

/// Uses `threads` threads for computing; 0 leaves one a core. Returns how many there are.
int use_threads(int threads);

/// Gives memory that waits for reuse back to the system; worth it before work of another kind.
void trim_memory();

/// What the tensors of a file are: "DINOv2 encoder ViT-S/14 ..", "Dinomaly with ..", "not known: " and why an encoder's
/// or a model's file cannot be read, or nothing when they are neither.
std::optional<std::string> recognise(const io::StateDict& dict);

}  // namespace dinomaly::program
