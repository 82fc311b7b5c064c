// SPDX-License-Identifier: Apache-2.0
// Model files: what is written comes back, checkpoints of the authors load, and whatever is damaged is an Error.
#define BOOST_TEST_MODULE model_file
#include "dinomaly/model_file.hpp"

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dinomaly/predictor.hpp"
#include "tests/io/archive.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using nlohmann::json;
using D = Cpu<float>;

namespace {

LoadedModel<D> small_loaded() {
    LoadedModel<D> loaded{small_model<D>(), {}};
    loaded.info = {.sizes = {.size = 64, .crop = 56, .patch = 14},
                   .tile = {300, 200},
                   .classes = {"bottle", "Stra\u00dfe"},
                   .encoder_hash = "0123",
                   .trained_hash = "to be filled in",
                   .training = {{"lr", 0.002}, {"iterations", 10}},
                   .decision = {{"rule", "best F1"}}};
    loaded.model.config.attention_eps = 1e-6;
    return loaded;
}

std::filesystem::path saved(LoadedModel<D>& loaded, const std::string& name) {
    const std::filesystem::path path = scratch_dir(name) / "model.safetensors";
    save_model(path, loaded);
    return path;
}

/// A whole model with the tensors' names and shapes alone as the authors have it: width 64, one head, 12 blocks.
Dinomaly<D> published_model() {
    DinomalyConfig config;
    config.encoder = {.width = 64, .depth = 12, .heads = 1, .registers = 4, .grid = 3};
    return small_model<D>(3, config);
}

io::StateDict dict_of(Dinomaly<D>& model) {
    io::StateDict dict("published");
    io::store_weights(model, dict);
    return dict;
}

/// The same names and values as a PyTorch checkpoint: all tensors lie in one storage.
std::string pth_of(Dinomaly<D>& model) {
    std::string entries, storage;
    const auto total = nn::parameter_count(model);
    nn::for_each_parameter(model, [&](const std::string& name, Param<D>& p) {
        pickled::Tensor tensor{.count = total, .offset = static_cast<std::int64_t>(storage.size() / 4)};
        tensor.sizes.assign(p.shape().begin(), p.shape().end());
        const auto strides = row_major_strides(p.shape());
        tensor.strides.assign(strides.begin(), strides.begin() + p.rank());
        entries += pickled::text(name) + pickled::tensor(tensor);
        for (const float value : p.value().to_vector()) storage += raw(value);
    });
    return pth(pickled::dict(entries), storage);
}

/// What load_model says about a file that it refuses; "" when it takes it. Any other exception fails the test.
std::string refusal(const std::filesystem::path& path) {
    try {
        load_model<D>(path);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A file of ours whose tensors or metadata the test may spoil.
class Spoiled {
public:
    explicit Spoiled(const std::string& name) : path_(scratch_dir(name) / "spoiled.safetensors") {
        LoadedModel<D> loaded = small_loaded();
        original_ = io::load_state_dict(saved(loaded, name + "_original"));
    }

    json metadata() const { return json::parse(original_.metadata.at("dinomaly")); }

    /// The refusal of the file with this text as metadata.
    std::string with_metadata(const std::string& text) const {
        io::StateDict dict = original_;
        dict.metadata["dinomaly"] = text;
        io::write_safetensors(path_, dict);
        return refusal(path_);
    }

    /// The refusal of the file without the tensors whose names are in `left_out`, and with those of `added`.
    std::string with_tensors(const std::vector<std::string>& left_out, const io::StateDict& added) const {
        io::StateDict dict("spoiled");
        dict.metadata = original_.metadata;
        for (const auto& [name, tensor] : original_)
            if (std::ranges::find(left_out, name) == left_out.end()) dict.insert(name, tensor);
        for (const auto& [name, tensor] : added) dict.insert(name, tensor);
        io::write_safetensors(path_, dict);
        return refusal(path_);
    }

    const io::StateDict& original() const { return original_; }

private:
    std::filesystem::path path_;
    io::StateDict original_;
};

/// The memory that a damaged file may cost: a sanitizer keeps freed blocks for a while, the sizes asked for are larger.
constexpr std::int64_t reasonable_kilobytes = 200 * 1024;

std::int64_t peak_kilobytes() {
    ::rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/// An encoder's names and shapes over shared zeros: published sizes without the memory for them.
io::StateDict outline_of(const nn::VitConfig& config) {
    nn::VisionTransformer<io::ShapesOnly> encoder(config);
    std::int64_t largest = 0;
    nn::for_each_parameter(encoder, [&](const std::string&, auto& p) { largest = std::max(largest, p.count()); });
    const auto zeros = io::SharedBytes::own(std::vector<std::byte>(static_cast<std::size_t>(largest) * 4));
    io::StateDict dict("encoder.pth");
    nn::for_each_parameter(encoder, [&](const std::string& name, auto& p) {
        dict.insert(name, io::DType::f32, p.shape(), zeros.slice(0, static_cast<std::size_t>(p.count()) * 4));
    });
    return dict;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_saved_model_comes_back) {
    LoadedModel<D> loaded = small_loaded();
    LoadedModel<D> again = load_model<D>(saved(loaded, "round_trip"));
    BOOST_TEST((values_of(again.model) == values_of(loaded.model)));
    BOOST_CHECK(again.model.config.encoder == loaded.model.config.encoder);
    BOOST_TEST(again.model.config.kept == loaded.model.config.kept);
    BOOST_TEST(again.model.config.decoder_depth == 4);
    BOOST_TEST(again.model.config.decoder_norm_eps == 1e-8);
    BOOST_TEST(again.model.config.attention_eps == 1e-6);
    BOOST_TEST(again.model.decoder.back().attn.eps == 1e-6);
    BOOST_CHECK(again.info.sizes == loaded.info.sizes);
    BOOST_TEST(again.info.classes == loaded.info.classes);
    BOOST_TEST(again.info.encoder_hash == "0123");
    BOOST_TEST(!again.info.trained_hash.empty());
    BOOST_TEST(again.info.trained_hash == loaded.info.trained_hash);
    BOOST_TEST(again.info.training == loaded.info.training);
    BOOST_TEST((again.info.tile == loaded.info.tile));
    BOOST_TEST(again.info.decision == loaded.info.decision);
}

BOOST_AUTO_TEST_CASE(the_hash_is_that_of_what_was_trained) {
    LoadedModel<D> loaded = small_loaded();
    saved(loaded, "hash");
    const std::string before = loaded.info.trained_hash;
    loaded.model.encoder.norm.bias.value().data()[0] += 1;
    saved(loaded, "hash");
    BOOST_TEST(loaded.info.trained_hash == before);
    loaded.model.decoder[3].mlp.fc2.bias.value().data()[15] += 1e-6F;
    saved(loaded, "hash");
    BOOST_TEST(loaded.info.trained_hash != before);
}

BOOST_AUTO_TEST_CASE(class_names_need_not_be_utf8) {
    LoadedModel<D> loaded = small_loaded();
    loaded.info.classes = {"caf\xe9"};
    BOOST_TEST(load_model<D>(saved(loaded, "latin1")).info.classes.at(0) == "caf\xef\xbf\xbd");
}

BOOST_AUTO_TEST_CASE(checkpoints_of_the_authors_load) {
    Dinomaly<D> model = published_model();
    const std::filesystem::path directory = scratch_dir("authors");
    io::write_safetensors(directory / "model.safetensors", dict_of(model));
    std::ofstream(directory / "model.pth", std::ios::binary) << pth_of(model);
    for (const char* name : {"model.safetensors", "model.pth"}) {
        LoadedModel<D> loaded = load_model<D>(directory / name);
        BOOST_CHECK(loaded.model.config.encoder == model.config.encoder);
        BOOST_TEST(loaded.model.config.kept == model.config.kept);
        BOOST_TEST((values_of(loaded.model) == values_of(model)));
        BOOST_CHECK(loaded.info.sizes == vision::Preprocess{});
    }
}

BOOST_AUTO_TEST_CASE(the_mask_token_is_not_needed) {
    Dinomaly<D> model = published_model();
    io::StateDict dict("without");
    for (const auto& [name, tensor] : dict_of(model))
        if (!name.ends_with("mask_token")) dict.insert(name, tensor);
    const auto path = scratch_dir("mask_token") / "model.safetensors";
    io::write_safetensors(path, dict);
    BOOST_TEST(refusal(path) == "");
}

BOOST_AUTO_TEST_CASE(a_new_model_takes_an_encoder_and_draws_the_rest) {
    Dinomaly<D> model = published_model();
    io::StateDict dict("encoder");
    io::store_weights(model.encoder, dict);
    const auto path = scratch_dir("new_model") / "encoder.safetensors";
    io::write_safetensors(path, dict);
    LoadedModel<D> loaded = new_model<D>(path, {.size = 64, .crop = 56}, 7, {.attention_eps = 1e-6});
    BOOST_TEST((values_of(loaded.model.encoder) == values_of(model.encoder)));
    BOOST_TEST(loaded.model.decoder[0].attn.eps == 1e-6);
    BOOST_TEST(loaded.info.encoder_hash == io::hash(dict));
    BOOST_TEST(loaded.info.sizes.crop == 56);
    LoadedModel<D> same = new_model<D>(path, {}, 7), other = new_model<D>(path, {}, 8);
    BOOST_TEST((values_of(loaded.model) == values_of(same.model)));
    BOOST_TEST((values_of(loaded.model) != values_of(other.model)));
    BOOST_CHECK_THROW(new_model<D>(path, {.size = 64, .crop = 50}, 7), Error);  // no multiple of the patch
    const std::string said = refusal(path);
    BOOST_TEST(mentions(said, "this is an encoder alone: train first"), said);
}

BOOST_AUTO_TEST_CASE(one_report_of_all_that_does_not_fit) {
    const Spoiled file("report");
    io::StateDict added("added");
    const auto floats = [](int n) {
        return io::SharedBytes::own(std::vector<std::byte>(static_cast<std::size_t>(n) * 4));
    };
    added.insert("decoder.1.mlp.fc1.bias", io::DType::f32, {65}, floats(65));
    added.insert("encoder.norm.bias", io::DType::i32, {16}, floats(16));
    added.insert("decoder.4.norm1.bias", io::DType::f32, {16}, floats(16));
    std::vector<std::string> left_out{"decoder.1.mlp.fc1.bias", "encoder.norm.bias", "encoder.pos_embed"};
    for (int i = 0; i < 4; ++i) {
        const std::string block = "decoder." + std::to_string(i) + '.';
        for (const char* name : {"norm1.weight", "norm2.weight", "attn.proj.bias"}) left_out.push_back(block + name);
    }
    const std::string said = file.with_tensors(left_out, added);
    BOOST_TEST(mentions(said, "spoiled.safetensors"), said);
    BOOST_TEST(mentions(said, "missing (13): "), said);
    for (std::size_t i = 2; i < left_out.size(); ++i) BOOST_TEST(mentions(said, left_out[i]), said);
    BOOST_TEST(mentions(said, "not known (1): decoder.4.norm1.bias"), said);
    BOOST_TEST(mentions(said, "(2): "), said);
    BOOST_TEST(mentions(said, "decoder.1.mlp.fc1.bias: found F32 [65], expected [64]"), said);
    BOOST_TEST(mentions(said, "encoder.norm.bias: found I32 [16], expected [16]"), said);
}

BOOST_AUTO_TEST_CASE(weights_that_do_not_fit_change_nothing) {
    Dinomaly<D> model = small_model<D>();
    const auto before = values_of(model);
    Dinomaly<D> other = small_model<D>(9);
    io::StateDict dict("other");
    for (const auto& [name, tensor] : dict_of(other))
        if (name != "decoder.3.mlp.fc2.bias") dict.insert(name, tensor);
    BOOST_CHECK_THROW(io::load_weights(model, dict), Error);
    BOOST_TEST((values_of(model) == before));
}

BOOST_AUTO_TEST_CASE(damaged_metadata) {
    const Spoiled file("damaged");
    const json good = file.metadata();
    BOOST_TEST(file.with_metadata(good.dump()) == "");

    const std::int64_t before = peak_kilobytes();
    const auto refused = [&](const json& bad) {
        const std::string said = file.with_metadata(bad.dump());
        BOOST_TEST(mentions(said, "spoiled.safetensors"), bad.dump() << ": " << said);
    };
    const std::vector<json> never = {nullptr, true, "12",       json::array(),         json::object(),      -1,
                                     0.5,     1e30, 2147483648, 18446744073709551615U, 9223372036854775807, 1000000007};
    for (const char* part : {"encoder_parts", "variant"})
        for (const auto& [name, value] : good.at("model").at(part).items()) {
            json bad = good;
            bad["model"][part].erase(name);
            refused(bad);
            for (const json& other : never) {
                if (other == value) continue;
                const bool is_switch = value.is_boolean() && other.is_boolean();
                if (is_switch && name != "mlp_gated" && name != "layer_scale") continue;
                bad["model"][part][name] = other;
                refused(bad);
            }
        }
    for (const auto& [name, value] : good.at("model").items()) {
        if (value.is_object()) continue;
        json bad = good;
        bad["model"].erase(name);
        refused(bad);
        const bool is_eps = name.ends_with("eps");
        for (const json& other : never) {
            if (is_eps && other == 0.5) continue;
            bad["model"][name] = other;
            refused(bad);
        }
        if (is_eps || name == "heads" || name == "kept_blocks") continue;
        for (const int step : {-1, 1, 2, 100}) {  // plausible by itself, but not what the tensors are
            bad["model"][name] = value.get<int>() + step;
            refused(bad);
        }
    }
    for (const char* name : {"size", "crop", "classes", "encoder_hash", "trained_hash", "training", "model"}) {
        json bad = good;
        bad.erase(name);
        refused(bad);
        for (const json& other : {json(nullptr), json(-1), json(1e30), json(json::array({1, json::object()}))}) {
            bad[name] = other;
            refused(bad);
        }
    }
    json bad = good;
    bad["crop"] = 57;
    refused(bad);
    bad["crop"] = 70;
    refused(bad);
    bad = good;
    bad["size"] = 2147483647;
    refused(bad);
    bad = good;
    bad["model"]["kept_blocks"] = {3, 2, 1, 0};
    refused(bad);
    refused(json::array());
    BOOST_TEST(peak_kilobytes() - before < reasonable_kilobytes);

    for (const std::string& text : {std::string(), std::string("{"), std::string("nonsense"), std::string(100000, '['),
                                    good.dump().substr(0, 100)}) {
        const std::string said = file.with_metadata(text);
        BOOST_TEST(mentions(said, "the metadata field \"dinomaly\" is damaged"), said);
    }
}

BOOST_AUTO_TEST_CASE(metadata_with_random_bytes) {
    const Spoiled file("random");
    const std::string good = file.metadata().dump(-1, ' ', true);  // ASCII, so that every byte may change
    const std::string bytes = "0123456789-+.eE\"[]{},: tfn\\a";
    Generator random(1);
    std::size_t refusals = 0;
    for (int round = 0; round < 100; ++round) {
        std::string text = good;
        for (int i = 0; i < 2; ++i) text[random.below(text.size())] = bytes[random.below(bytes.size())];
        refusals += !file.with_metadata(text).empty();  // an Error or a model, nothing else
    }
    BOOST_TEST(refusals > 20U);
}

BOOST_AUTO_TEST_CASE(shapes_that_ask_for_much_are_refused_before_memory_is_taken) {
    // Tensors without elements may have any sizes, and one-element names may count as blocks.
    Dinomaly<D> model = published_model();
    const auto path = scratch_dir("greedy") / "model.safetensors";
    const auto none = io::SharedBytes::own({});
    const std::int64_t before = peak_kilobytes();
    for (const auto& [name, shape] : {std::pair{"encoder.pos_embed", Shape{1, 1 + 1000000L * 1000000L, 0}},
                                      {"encoder.pos_embed", Shape{1, 1 + 1000 * 1000, 0}},
                                      {"encoder.register_tokens", Shape{1, 1000000000000, 0}},
                                      {"encoder.register_tokens", Shape{1, 1000, 0}}}) {
        io::StateDict dict("greedy");
        for (const auto& [other, tensor] : dict_of(model))
            if (other != name) dict.insert(other, tensor);
        dict.insert(name, io::DType::f32, shape, none);
        io::write_safetensors(path, dict);
        BOOST_TEST(refusal(path) != "");
    }
    BOOST_TEST(peak_kilobytes() - before < reasonable_kilobytes);
}

BOOST_AUTO_TEST_CASE(published_encoders_are_recognised) {
    for (nn::VitConfig config : {nn::VitConfig{.width = 384, .depth = 12, .heads = 6},
                                 {.width = 768, .depth = 12, .heads = 12},
                                 {.width = 1024, .depth = 24, .heads = 16}}) {
        for (const std::int64_t registers : {0, 4}) {
            config.registers = registers;
            const io::StateDict dict = outline_of(config);
            BOOST_CHECK(encoders::read_encoder(dict).config == config);
            nn::VisionTransformer<io::ShapesOnly> outline(config);
            BOOST_TEST(io::compare_weights(outline, dict).complete());
        }
    }
    BOOST_TEST(published_kept_blocks("f", 12) == (std::vector<std::int64_t>{2, 3, 4, 5, 6, 7, 8, 9}));
    BOOST_TEST(published_kept_blocks("f", 24) == (std::vector<std::int64_t>{4, 6, 8, 10, 12, 14, 16, 18}));
    BOOST_TEST(published_kept_blocks("f", 40) == (std::vector<std::int64_t>{7, 10, 13, 17, 20, 23, 27, 30}));
    BOOST_CHECK_THROW(published_kept_blocks("f", 11), Error);
}

BOOST_AUTO_TEST_CASE(a_predictor_judges_as_its_model_does) {
    LoadedModel<D> loaded = small_loaded();
    const std::filesystem::path path = saved(loaded, "predictor");
    const Predictor<D> predictor(path);
    vision::Image picture = vision::make_image(90, 70, 3);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);

    const auto [score, map, width, height] = predictor(picture);
    const Tensor<D> input({1, 3, 56, 56}, vision::to_input(picture, loaded.info.sizes));
    const Var<D> expected = FrozenDinomaly<D>(loaded.model).anomaly_map(input);
    BOOST_TEST((width == 256 && height == 256));
    BOOST_TEST(map == expected.value().to_vector(), boost::test_tools::per_element());
    BOOST_TEST(score == anomaly::image_score(expected).front());
    BOOST_TEST(predictor(vision::to_grey(picture)).score != score);

    BOOST_TEST(Predictor<D>(path, 48, 42).sizes().crop == 42);
    BOOST_CHECK_THROW(Predictor<D>(path, 48, 40), Error);  // no multiple of the patch
    BOOST_CHECK_THROW(Predictor<D>(path, 48, 56), Error);  // a crop larger than the picture
}
