// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE encoders_encoder_file
#include "dinomaly/encoders/encoder_file.hpp"

#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/anomalib_file.hpp"
#include "dinomaly/encoders/official.hpp"
#include "dinomaly/encoders/relative_table.hpp"
#include "tests/encoders/cases.hpp"
#include "tests/errors.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using encoders::EncoderFile;
using encoders::read_encoder;

namespace {

std::int64_t crc_of(const std::vector<float>& values) {
    const auto* const bytes = reinterpret_cast<const Bytef*>(values.data());
    return static_cast<std::int64_t>(::crc32_z(0, bytes, values.size() * sizeof(float)));
}

EncoderFile read(const std::string& name, std::int64_t window = 0) {
    const EncoderCase golden = encoder_case(name);
    return read_encoder(golden.file, {.heads = golden.expected.at("heads"), .window = window});
}

/// The file of a case with some of its tensors changed: `change` returns what replaces one, or none to leave it out.
using Change = std::function<std::vector<io::StateDict::Entry>(const std::string&, const io::RawTensor&)>;
io::StateDict changed(const io::StateDict& file, const Change& change) {
    io::StateDict out("f");
    for (const auto& [name, tensor] : file)
        for (const auto& [other, replacement] : change(name, tensor)) out.insert(other, replacement);
    return out;
}

io::RawTensor zeros(const Shape& shape, io::DType dtype = io::DType::f32) {
    const std::size_t bytes = static_cast<std::size_t>(shape.count()) * io::dtype_size(dtype);
    return {dtype, shape, io::SharedBytes::own(std::vector<std::byte>(bytes))};
}

io::StateDict without(const io::StateDict& file, const std::string& removed) {
    return changed(file, [&](const auto& name, const auto& tensor) {
        return name.find(removed) == std::string::npos ? std::vector<io::StateDict::Entry>{{name, tensor}}
                                                       : std::vector<io::StateDict::Entry>{};
    });
}

io::StateDict with(const io::StateDict& file, const std::string& added, const io::RawTensor& tensor) {
    io::StateDict out = without(file, added);
    out.insert(added, tensor);
    return out;
}

std::string refusal(const io::StateDict& file, const encoders::EncoderOptions& options = {.heads = 2}) {
    return error_of([&] { read_encoder(file, options); });
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_published_naming_gives_the_tensors_of_the_oracle) {
    const std::vector<std::string> names = encoder_cases();
    BOOST_TEST(names.size() >= 28U);
    for (const std::string& name : names) {
        BOOST_TEST_CONTEXT(name) {
            const EncoderFile found = read(name);
            const nlohmann::json expected = encoder_case(name).expected;
            BOOST_TEST(found.family == expected.at("family").get<std::string>());
            BOOST_TEST(found.naming == expected.at("naming").get<std::string>());
            BOOST_TEST(found.reason != "");
            BOOST_TEST(found.config.heads == expected.at("heads").get<std::int64_t>());
            if (const auto grid = expected.at("grid").get<std::int64_t>(); grid > 0)
                BOOST_TEST(found.config.grid == grid);
            BOOST_TEST(found.tensors.size() == expected.at("tensors").size());
            for (const auto& [tensor, shape_and_crc] : expected.at("tensors").items()) {
                BOOST_TEST_CONTEXT(tensor) {
                    BOOST_REQUIRE(found.tensors.contains(tensor));
                    const auto shape = shape_and_crc[0].get<std::vector<std::int64_t>>();
                    BOOST_TEST(found.tensors.at(tensor).shape == Shape(shape));
                    const std::vector<float> values = found.tensors.as<float>(tensor);
                    if (tensor == "rope.periods" && found.naming != "official") {  // computed, not read
                        for (std::size_t j = 0; j < values.size(); ++j)
                            BOOST_TEST(values[j] ==
                                           std::pow(100.0F, static_cast<float>(j) / static_cast<float>(values.size())),
                                       boost::test_tools::tolerance(1e-6F));
                    } else {
                        BOOST_TEST(crc_of(values) == shape_and_crc[1].get<std::int64_t>());
                    }
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_read_is_read_again) {
    for (const std::string& name : encoder_cases()) {
        BOOST_TEST_CONTEXT(name) {
            const EncoderFile first = read(name);
            const EncoderFile again = read_encoder(first.tensors, {.heads = first.config.heads});
            BOOST_CHECK(again.config == first.config);
            BOOST_TEST(again.tensors.size() == first.tensors.size());
            BOOST_TEST(again.unused.empty());
            for (const auto& [tensor, raw] : first.tensors)
                BOOST_TEST((again.tensors.at(tensor).bytes.text() == raw.bytes.text()), tensor);
        }
    }
}

BOOST_AUTO_TEST_CASE(parts_of_the_families) {
    BOOST_TEST(read("dinov3").config.eps == 1e-5);
    BOOST_TEST(read("dinov2").config.eps == 1e-6);
    BOOST_CHECK(read("dinov3").config.position == nn::Position::rotary);
    BOOST_TEST(read("dinov3").config.registers == 4);
    BOOST_TEST(read("dinov3plus_hf").config.is_gated);
    BOOST_TEST(read("giant_timm").config.is_gated);
    BOOST_TEST(!read("dinov3_hf").config.is_gated);
    BOOST_TEST(!read("dino").config.has_layer_scale);
    BOOST_TEST(read("dino").config.patch == 8);
    BOOST_CHECK(read("beit").config.position == nn::Position::relative);
    BOOST_CHECK(read("dinov2reg_timm").config.resize == nn::PositionResize::offset);
    BOOST_CHECK(read("dinov2reg_half").tensors.at("blocks.0.attn.qkv.bias").dtype == io::DType::f16);
    BOOST_TEST(!read("digpt").tensors.contains("norm.weight"));
}

BOOST_AUTO_TEST_CASE(what_is_not_needed_is_listed) {
    const auto unused = [](const std::string& name) {
        const std::vector<std::string> names = read(name).unused;
        return std::set<std::string>(names.begin(), names.end());
    };
    BOOST_TEST(unused("dinov3").contains("local_cls_norm.weight"));
    BOOST_TEST(unused("dinov2_hf").contains("embeddings.mask_token"));
    BOOST_TEST(unused("ibot").contains("state_dict.masked_embed"));
    BOOST_TEST(unused("digpt").size() == 4U);
    BOOST_TEST(unused("beit").contains("model.blocks.1.attn.relative_position_index"));
    BOOST_TEST(unused("moco").contains("state_dict.module.momentum_encoder.cls_token"));
    BOOST_TEST(unused("dino_training").contains("optimizer.state.0.exp_avg"));
    BOOST_TEST(unused("dinov2reg_hf").contains("dinov2_with_registers.embeddings.mask_token"));
}

BOOST_AUTO_TEST_CASE(heads_where_no_file_tells_them) {
    const auto heads = [](std::int64_t width, bool moco, const encoders::EncoderOptions& options = {}) {
        nn::VitConfig config{.width = width, .depth = 1, .patch = 16, .grid = 2, .has_layer_scale = false};
        io::StateDict file("f");
        for (const auto& [name, shape] : encoders::layout_of(config))
            file.insert((moco ? "state_dict.module.base_encoder." : "") + name, zeros(shape));
        return read_encoder(file, options).config.heads;
    };
    BOOST_TEST(heads(768, true) == 12);
    BOOST_TEST(heads(384, true) == 12);
    BOOST_TEST(heads(384, true, {.heads = 6}) == 6);
    BOOST_TEST(heads(384, false) == 12);  // a class position of zeros: MAE has no network of this width
    BOOST_TEST(heads(192, false) == 3);
    BOOST_TEST(has(error_of([&] { heads(96, false); }), "width 96, which heads of 64 do not divide"));
    BOOST_TEST(has(error_of([&] { heads(384, false, {.heads = 5}); }), "width 384 and 5 heads (as asked for)"));

    BOOST_TEST(has(refusal(encoder_case("beit").file, {.heads = 3}),
                   "3 heads are asked for, and the file has 2 (the columns"));
    BOOST_TEST(has(refusal(encoder_case("dinov3").file, {.heads = 3}),
                   "3 heads are asked for, and the file has 2 (the rotary"));
    BOOST_TEST(read_encoder(encoder_case("beit").file).config.heads == 2);
    BOOST_TEST(has(refusal(encoder_case("dinov3_hf").file, {.heads = 4}), "heads of 6; a multiple of 4 expected"));
}

BOOST_AUTO_TEST_CASE(periods_in_bfloat16) {
    const EncoderFile found = read_encoder(encoder_case("dinov3_hf").file, {.heads = 2, .bf16_periods = true});
    const std::vector<float> periods = found.tensors.as<float>("rope.periods");
    BOOST_TEST(periods == read("dinov3").tensors.as<float>("rope.periods"), boost::test_tools::per_element());
    BOOST_TEST((periods != read("dinov3_hf").tensors.as<float>("rope.periods")));
}

BOOST_AUTO_TEST_CASE(tables_of_relative_positions_for_other_windows) {
    const io::StateDict golden = io::read_safetensors(encoders_dir() / "relative_tables.safetensors");
    const std::vector<float> table = golden.as<float>("window.5");
    BOOST_TEST(encoders::resize_relative_table(table, 2, 5) == table, boost::test_tools::per_element());
    for (const std::int64_t grid : {3, 4, 7, 12}) {
        const std::vector<float> wanted = golden.as<float>("window." + std::to_string(grid));
        const std::vector<float> found = encoders::resize_relative_table(table, 2, grid);
        BOOST_REQUIRE(found.size() == wanted.size());
        double worst = 0;
        for (std::size_t i = 0; i < found.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i])));
        BOOST_TEST(worst < 1e-6);
    }
    const EncoderFile wide = read("beit", 6);
    BOOST_TEST(wide.config.grid == 6);
    BOOST_TEST(wide.tensors.at("blocks.1.attn.rel_table").shape == Shape({124, 2}));
    BOOST_TEST(read_encoder(wide.tensors).config.grid == 6);
    BOOST_TEST(has(error_of([&] { encoders::resize_relative_table(table, 2, 2); }), "windows of 3 or more expected"));
    BOOST_TEST(has(error_of([&] { read("dino", 6); }), "has no relative positions to resize"));
}

BOOST_AUTO_TEST_CASE(what_fits_no_family_is_refused_with_the_nearest) {
    const io::StateDict dinov2 = encoder_case("dinov2reg").file, hf = encoder_case("dinov3_hf").file;
    BOOST_TEST(
        refusal(without(dinov2, "blocks.1.norm2")) ==
        "[f] fits no encoder that is known; the nearest is DINOv2 with registers under official names, since it has "
        "register_tokens\n  missing (2): blocks.1.norm2.weight, blocks.1.norm2.bias");
    BOOST_TEST(has(refusal(with(dinov2, "blocks.0.attn.q_norm.weight", zeros({12}))),
                   "\n  not known (1): blocks.0.attn.q_norm.weight"));
    BOOST_TEST(has(refusal(with(dinov2, "adapter.weight", zeros({12}))), "\n  not known (1): adapter.weight"));
    BOOST_TEST(
        has(refusal(with(hf, "layer.1.mlp.up_proj.bias", zeros({12}))),
            "the nearest is DINOv3 under Hugging Face's names, since it has embeddings.patch_embeddings.weight, with "
            "no .projection\n  of another shape or type (1): layer.1.mlp.up_proj.bias: found F32 [12], expected [48]"));
    BOOST_TEST(has(refusal(with(dinov2, "cls_token", zeros({1, 1, 24}, io::DType::i32))),
                   "cls_token: found I32 [1, 1, 24], expected [1, 1, 24]"));
    BOOST_TEST(has(refusal(without(dinov2, "blocks.")), "missing: blocks.0 and all others"));
    BOOST_TEST(has(refusal(without(dinov2, "pos_embed")), "missing: pos_embed [1, 1 + g g, C]"));
    BOOST_TEST(has(refusal(without(encoder_case("dino").file, "pos_embed")), "missing: pos_embed [1, 1 + g g, C]"));
    BOOST_TEST(has(refusal(without(dinov2, "patch_embed.proj.weight")),
                   "holds no encoder: no patch embedding, \"patch_embed.proj.weight\" or"));
    io::StateDict many("f");
    for (const auto& [name, tensor] : dinov2) many.insert(name, tensor);
    for (int i = 0; i < 9; ++i) many.insert("zz." + std::to_string(i), zeros({1}));
    BOOST_TEST(has(refusal(many), "not known (9): zz.0, zz.1, zz.2, zz.3, zz.4, zz.5, .."));
}

BOOST_AUTO_TEST_CASE(sizes_that_make_no_sense_are_refused) {
    const io::StateDict dinov2 = encoder_case("dinov2reg").file, beit = encoder_case("beit").file;
    BOOST_TEST(has(refusal(with(dinov2, "patch_embed.proj.weight", zeros({24, 3, 7}))), "expected [C, 3, p, p]"));
    BOOST_TEST(has(refusal(with(dinov2, "patch_embed.proj.weight", zeros({24, 3, 7, 8}))), "expected [C, 3, p, p]"));
    BOOST_TEST(has(refusal(with(dinov2, "patch_embed.proj.weight", zeros({24, 1, 7, 7}))), "expected [C, 3, p, p]"));
    BOOST_TEST(has(refusal(with(dinov2, "pos_embed", zeros({1, 8, 24}))),
                   "pos_embed: found [1, 8, 24], expected [1, 1 + g g, C]"));
    BOOST_TEST(
        has(refusal(with(dinov2, "pos_embed", zeros({1, 17, 20}))), "found F32 [1, 17, 20], expected [1, 17, 24]"));
    BOOST_TEST(has(refusal(with(beit, "model.blocks.0.attn.relative_position_bias_table", zeros({51, 2}))),
                   "found [51, 2], expected [(2 g - 1)^2 + 3, heads]"));
    io::StateDict empty("f");
    for (const auto& [name, tensor] : dinov2)
        if (name != "register_tokens") empty.insert(name, tensor);
    empty.insert("register_tokens", io::DType::f32, {1, 1000000000000, 0}, io::SharedBytes::own({}));
    BOOST_TEST(has(refusal(empty), "\"register_tokens\" has shape [1, 1000000000000, 0]; sizes above zero expected"));
}

BOOST_AUTO_TEST_CASE(parts_that_do_not_belong_together_are_refused) {
    const io::StateDict hf = encoder_case("dinov3_hf").file, official = encoder_case("dinov3").file;
    BOOST_TEST(has(refusal(without(hf, "layer.0.attention.v_proj")),
                   "has a tensor for \"blocks.0.attn.q.weight\" and none for \"blocks.0.attn.v.weight\""));
    BOOST_TEST(has(refusal(without(hf, "layer.0.attention.v_proj.bias")),
                   "has a tensor for \"blocks.0.attn.q.bias\" and none for \"blocks.0.attn.v.bias\""));
    BOOST_TEST(has(refusal(without(encoder_case("dinov2_hf").file, "layer.1.attention.attention.key.bias")),
                   "has a tensor for \"blocks.1.attn.q.bias\" and none for \"blocks.1.attn.k.bias\""));
    BOOST_TEST(has(refusal(without(encoder_case("dinov2").file, "blocks.1.attn.qkv.bias")),
                   "missing (1): blocks.1.attn.qkv.bias"));
    BOOST_TEST(has(refusal(without(encoder_case("dinov3_timm_qkvb").file, "blocks.1.attn.q_bias")),
                   "missing (1): blocks.1.attn.qkv.bias\n  not known (1): blocks.1.attn.v_bias"));
    BOOST_TEST(has(refusal(with(hf, "layer.0.attention.k_proj.weight", zeros({24, 20}))),
                   "\"layer.0.attention.k_proj.weight\" has shape [24, 20], which does not fit [24, 24] of "
                   "\"layer.0.attention.q_proj.weight\""));
    BOOST_TEST(
        has(refusal(with(hf, "layer.0.attention.q_proj.weight", zeros({24}))), "has shape [24]; [C, C] expected"));
    BOOST_TEST(has(refusal(with(official, "blocks.1.attn.qkv.bias_mask", zeros({72}))),
                   "\"blocks.1.attn.qkv.bias_mask\" holds 0 at 0; 1 for queries and values, 0 for keys expected"));
    BOOST_TEST(has(refusal(with(official, "blocks.1.attn.qkv.bias_mask", zeros({70}))), "both [3 C] expected"));
    BOOST_TEST(
        has(refusal(with(official, "reg_token", zeros({1, 4, 24}))),
            "\"storage_tokens\" and \"reg_token\" are both what DINOv2 calls \"register_tokens\"; one expected"));
    // NaN in the mask: the file of a network that was never loaded.
    const std::vector<float> nan(72, std::nanf(""));
    const auto masked = read_encoder(
        with(official, "blocks.1.attn.qkv.bias_mask", {io::DType::f32, {72}, encoders::detail::own_bytes(nan)}));
    BOOST_TEST(masked.tensors.as<float>("blocks.1.attn.qkv.bias").at(24) == 0.0F);
}

BOOST_AUTO_TEST_CASE(types_may_differ_between_joined_tensors) {
    const io::StateDict hf = encoder_case("dinov3_hf").file;
    const io::RawTensor half = io::cast(hf.at("layer.0.attention.q_proj.weight"), io::DType::f16);
    const EncoderFile mixed = read_encoder(with(hf, "layer.0.attention.q_proj.weight", half), {.heads = 2});
    BOOST_CHECK(mixed.tensors.at("blocks.0.attn.qkv.weight").dtype == io::DType::f32);
    BOOST_TEST(mixed.tensors.as<float>("blocks.0.attn.qkv.weight").front() == half.as<float>().front());
}

BOOST_AUTO_TEST_CASE(a_trained_model_is_no_encoder) {
    io::StateDict model("f");
    for (const auto& [name, tensor] : encoder_case("dinov2").file) model.insert("encoder." + name, tensor);
    BOOST_TEST(encoders::looks_like_encoder(model));
    model.insert("bottleneck.0.fc1.weight", zeros({1}));
    BOOST_TEST(!encoders::looks_like_encoder(model));
    BOOST_TEST(has(refusal(model), "is a trained Dinomaly, not an encoder alone (dinomaly convert --to encoder"));
    BOOST_TEST(!encoders::looks_like_encoder(io::StateDict("f")));
}

namespace {

/// A checkpoint of anomalib with two decoder blocks, whose encoder has these settings' names.
io::StateDict anomalib_file(bool is_timm, const std::string& settings) {
    io::StateDict file("f");
    const nn::VitConfig config{.width = 64, .depth = 2, .heads = 1, .registers = 4, .grid = 2};
    const std::string prefix = "state_dict.model.";
    const std::string encoder = prefix + (is_timm ? "encoder.feature_extractor." : "encoder.");
    for (const auto& [name, shape] : encoders::layout_of(config)) {
        const bool is_position = name == "pos_embed", is_registers = name == "register_tokens";
        const std::string published = is_timm && is_registers ? "reg_token" : name;
        file.insert(encoder + published, is_timm && is_position ? zeros({1, 4, 64}) : zeros(shape));
    }
    file.insert(prefix + "bottleneck.0.fc1.weight", zeros({256, 64}));
    file.insert(prefix + "bottleneck.0.fc2.weight", zeros({64, 256}));
    for (const std::string block : {"state_dict.model.decoder.0.", "state_dict.model.decoder.1."}) {
        for (const char* const norm : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"})
            file.insert(block + norm, zeros({64}));
        file.insert(block + "mlp.fc1.weight", zeros({256, 64}));
        file.insert(block + "mlp.fc2.weight", zeros({64, 256}));
    }
    file.insert("state_dict.trainable_modules.1.0.mlp.fc2.weight", zeros({64, 256}));
    file.insert("state_dict.model.gaussian_blur.kernel", zeros({1, 1, 5, 5}));
    file.insert("state_dict.post_processor._image_threshold", zeros({1}));
    if (!settings.empty()) file.metadata["hyper_parameters"] = settings;
    return file;
}

std::string anomalib_refusal(const io::StateDict& file) {
    return error_of([&] { read_anomalib(file); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(checkpoints_of_anomalib) {
    const std::string settings =
        R"({"target_layers":[0,1],"use_context_recentering":false,"remove_class_token":false})";
    for (const bool is_timm : {true, false}) {
        const io::StateDict file = anomalib_file(is_timm, settings);
        BOOST_TEST(is_anomalib_file(file));
        const ForeignModel model = read_anomalib(file);
        BOOST_TEST(model.config.reflect_blur);
        BOOST_CHECK(model.config.encoder.resize == (is_timm ? nn::PositionResize::size : nn::PositionResize::offset));
        BOOST_TEST(model.config.kept == (std::vector<std::int64_t>{0, 1}));
        BOOST_TEST(model.config.decoder_depth == 2);
        BOOST_TEST(!model.config.patches_only);
        BOOST_TEST(model.tensors.at("encoder.pos_embed").shape == Shape({1, 5, 64}));
        BOOST_TEST(model.tensors.at("encoder.register_tokens").shape == Shape({1, 4, 64}));
        BOOST_TEST(model.tensors.at("bottleneck.0.fc1.bias").shape == Shape({256}));
        BOOST_TEST(model.tensors.at("decoder.1.mlp.fc2.bias").shape == Shape({64}));
        BOOST_TEST(!model.tensors.contains("post_processor._image_threshold"));
    }
    BOOST_TEST(!is_anomalib_file(encoder_case("dinov2").file));
}

BOOST_AUTO_TEST_CASE(checkpoints_of_anomalib_that_compute_otherwise_are_refused) {
    BOOST_TEST(
        has(anomalib_refusal(anomalib_file(true, "")), "but not its hyper_parameters; a checkpoint as anomalib"));
    BOOST_TEST(has(anomalib_refusal(anomalib_file(true, "[")), "hyper_parameters are no object of JSON"));
    BOOST_TEST(
        has(anomalib_refusal(anomalib_file(true, R"({"use_context_recentering":true})")),
            "was trained with anomalib's use_context_recentering, which subtracts class tokens before the bottleneck"));
    BOOST_TEST(has(anomalib_refusal(anomalib_file(true, R"({"remove_class_token":true})")),
                   "was trained with anomalib's remove_class_token; a model that keeps"));
    BOOST_TEST(has(anomalib_refusal(anomalib_file(true, "{}")), "an encoder of 2 blocks"));
    BOOST_TEST(has(anomalib_refusal(anomalib_file(true, R"({"target_layers":[0,"b"]})")),
                   "target_layers [0,\"b\"]; a list of whole numbers expected"));
    BOOST_TEST(
        has(anomalib_refusal(anomalib_file(true, R"({"target_layers":"all"})")), "target_layers \"all\"; a list"));
    BOOST_TEST(has(anomalib_refusal(anomalib_file(true, R"({"target_layers":[1,0]})")), "kept blocks 1 .. 0"));
    const std::string good = R"({"target_layers":[0,1]})";
    io::StateDict more = anomalib_file(true, good);
    more.insert("state_dict.model.adapter.weight", zeros({1}));
    BOOST_TEST(has(anomalib_refusal(more), "has a tensor \"state_dict.model.adapter.weight\" that is not known"));
    io::StateDict less = without(anomalib_file(true, good), "feature_extractor.blocks.1.norm1");
    BOOST_TEST(has(anomalib_refusal(less), "the nearest is DINOv2 with registers under timm's names"));
}

/// What was read and is written under the names of the authors' code is read again as it was.
BOOST_AUTO_TEST_CASE(official_names_lead_back) {
    for (const std::string& name : encoder_cases()) {
        const EncoderFile once = read(name);
        const io::StateDict written = encoders::official_names(once.tensors, once.config);
        const EncoderFile again = read_encoder(written, {.heads = once.config.heads});
        BOOST_TEST_CONTEXT(name) {
            BOOST_TEST((again.config == once.config));
            BOOST_TEST((once.config.position == nn::Position::absolute || again.naming == "official"));
            BOOST_TEST_REQUIRE(again.tensors.size() == once.tensors.size());
            for (const auto& [tensor_name, tensor] : once.tensors)
                BOOST_TEST((again.tensors.as<float>(tensor_name) == once.tensors.as<float>(tensor_name)), tensor_name);
        }
    }
}
