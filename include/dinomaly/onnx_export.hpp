// SPDX-License-Identifier: Apache-2.0
// export_onnx: a trained model as one ONNX graph, for runtimes and languages without this library.
//
//   pictures uint8 [B, H, W, 3]   RGB, resized and cropped (vision/preprocess.hpp)
//   map float [B, 256, 256], score float [B]   what predictor.hpp gives
//
// Everything after the crop is inside: normalisation, encoder, bottleneck, decoder, both resizes of the map, the blur,
// the score. B is free; H and W are fixed, and what depends on them alone is computed beforehand: the position
// embedding, added together with class token and registers as one constant, and the matrices of the map
// (anomaly/anomaly_map.hpp). Only operators whose meaning did not change since opset 17 are used.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/io/onnx.hpp"
#include "dinomaly/model_file.hpp"
#include "dinomaly/vision/normalize.hpp"

namespace dinomaly::inline DINOMALY_ABI {

namespace detail {

/// The graph of a Dinomaly for pictures of one size.
class OnnxModel {
public:
    using D = Cpu<float>;
    using Value = io::onnx::Value;

    OnnxModel(const Dinomaly<D>& model, vision::PictureSize crop)
        : model_(model),
          width_(model.config.encoder.width),
          rows_(crop.height / model.config.encoder.patch),
          columns_(crop.width / model.config.encoder.patch),
          tokens_(model.config.encoder.prefix() + rows_ * columns_) {
        using enum io::onnx::Element;
        const Value pictures = graph_.input("pictures", uint8, {"batch", crop.height, crop.width, 3});
        const Groups en = encode(pictures);
        const Groups de = decode(en);
        const Value map = anomaly_map(en, de, crop);
        graph_.output(map, float32, {"batch", anomaly::map_size, anomaly::map_size});
        graph_.output(score(map), float32, {"batch"});
    }

    const io::onnx::Graph& graph() const { return graph_; }

private:
    using Groups = std::vector<Value>;
    using Ints = std::vector<std::int64_t>;

    // --- constants

    static io::SharedBytes bytes_of(const std::vector<float>& values) {
        std::vector<std::byte> bytes(values.size() * sizeof(float));
        std::memcpy(bytes.data(), values.data(), bytes.size());
        return io::SharedBytes::own(std::move(bytes));
    }
    /// A parameter as it is.
    Value weight(const std::string& name, const Param<D>& p) {
        return graph_.constant(name, p.shape(), [value = p.value()] { return bytes_of(value.to_vector()); });
    }
    /// A matrix [out, in] as MatMul takes it from the right, [in, out].
    Value transposed(const std::string& name, const Param<D>& p) {
        return graph_.constant(name, {p.size(1), p.size(0)}, [value = p.value()] {
            const std::vector<float> from = value.to_vector();
            const auto out = static_cast<std::size_t>(value.size(0)), in = static_cast<std::size_t>(value.size(1));
            std::vector<float> to(from.size());
            for (std::size_t i = 0; i < in; ++i)
                for (std::size_t o = 0; o < out; ++o) to[i * out + o] = from[o * in + i];
            return bytes_of(to);
        });
    }

    // --- small operators

    Value two(const char* op, const Value& a, const Value& b) { return graph_.node(op, {a, b}); }
    Value two(const char* op, const Value& a, double b) { return two(op, a, graph_.constant(static_cast<float>(b))); }
    Value reshape(const Value& x, const Ints& shape) { return two("Reshape", x, graph_.constant(shape)); }
    Value permute(const Value& x, const Ints& order) { return graph_.node("Transpose", {x}, {{"perm", order}}); }
    std::vector<Value> split(const Value& x, const Ints& columns) {
        return graph_.nodes("Split", columns.size(), {x, graph_.constant(columns)}, {{"axis", std::int64_t{-1}}});
    }
    Value sum(const Value& x, std::int64_t axis, bool keep) {
        return graph_.node("ReduceSum", {x, graph_.constant(Ints{axis})}, {{"keepdims", std::int64_t{keep}}});
    }

    // --- modules; `name` is the parameters' prefix

    Value linear(const Value& x, const nn::Linear<D>& module, const std::string& name) {
        const Value product = two("MatMul", x, transposed(name + ".weight.T", module.weight));
        return two("Add", product, weight(name + ".bias", module.bias));
    }
    Value norm(const Value& x, const nn::LayerNorm<D>& module, const std::string& name) {
        return graph_.node("LayerNormalization",
                           {x, weight(name + ".weight", module.weight), weight(name + ".bias", module.bias)},
                           {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(module.eps)}});
    }
    Value gelu(const Value& x) {
        const Value cdf = two("Add", graph_.node("Erf", {two("Div", x, std::sqrt(2.0))}), 1);
        return two("Mul", two("Mul", x, cdf), 0.5);
    }
    Value mlp(const Value& x, const nn::GatedMlp<D>& module, const std::string& name) {
        const std::int64_t hidden = module.hidden();
        const std::vector<Value> halves = split(linear(x, module.w12, name + ".w12"), {hidden, hidden});
        const Value gate = two("Mul", halves[0], graph_.node("Sigmoid", {halves[0]}));
        return linear(two("Mul", gate, halves[1]), module.w3, name + ".w3");
    }
    template <class M> Value mlp(const Value& x, const M& module, const std::string& name) {
        return linear(gelu(linear(x, module.fc1, name + ".fc1")), module.fc2, name + ".fc2");
    }

    /// q, k and v [B, N, H, d] of [B, N, 3 C].
    std::vector<Value> heads(const Value& qkv, std::int64_t count) {
        std::vector<Value> parts = split(qkv, {width_, width_, width_});
        for (Value& part : parts) part = reshape(part, {0, tokens_, count, width_ / count});
        return parts;
    }
    /// q or k [B, N, H, d] with its patches turned.
    Value turned(const Value& x, std::int64_t head_dim) {
        const std::vector<Value> halves = split(x, {head_dim / 2, head_dim / 2});
        const Value across =
            graph_.node("Concat", {graph_.node("Neg", {halves[1]}), halves[0]}, {{"axis", std::int64_t{-1}}});
        const auto table = [&](const char* name, const Var<D>& patches, double of_prefix) {
            const Shape before{tokens_ - rows_ * columns_, head_dim / 2};
            const Var<D> half = concat({Var<D>(full<D>(before, of_prefix)), patches}, 0);
            return weight(name, dinomaly::reshape(concat({half, half}, 1), {tokens_, 1, head_dim}));
        };
        if (!cosines_) {
            const Rotation<D> rotation = model_.encoder.rope(rows_, columns_);
            cosines_ = table("encoder.cosines", rotation.cos, 1);
            sines_ = table("encoder.sines", rotation.sin, 0);
        }
        return two("Add", two("Mul", x, *cosines_), two("Mul", across, *sines_));
    }
    /// [B, H, N, d] -> [B, N, C].
    Value join(const Value& x) { return reshape(permute(x, {0, 2, 1, 3}), {0, tokens_, width_}); }

    /// `is_placed`: it belongs to the encoder, whose places may be rotary.
    Value mix(const Value& x, const nn::Attention<D>& module, const std::string& name, bool is_placed) {
        std::vector<Value> qkv = heads(linear(x, module.qkv, name + ".qkv"), module.heads);
        const std::int64_t head_dim = width_ / module.heads;
        if (is_placed && model_.config.encoder.position == nn::Position::rotary)
            for (const std::size_t part : {0U, 1U}) qkv[part] = turned(qkv[part], head_dim);
        const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
        const Value q = two("Mul", permute(qkv[0], {0, 2, 1, 3}), scale);  // [B, H, N, d]
        Value scores = two("MatMul", q, permute(qkv[1], {0, 2, 3, 1}));    // [B, H, N, N]
        if (module.bias.defined()) scores = two("Add", scores, weight(name + ".bias", module.bias(rows_, columns_)));
        const Value weights = graph_.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
        return linear(join(two("MatMul", weights, permute(qkv[2], {0, 2, 1, 3}))), module.proj, name + ".proj");
    }
    Value mix(const Value& x, const nn::LinearAttention<D>& module, const std::string& name, bool) {
        if (module.is_softmax) {
            nn::Attention<D> softmax;
            softmax.qkv = module.qkv, softmax.proj = module.proj, softmax.heads = module.heads;
            return mix(x, softmax, name, false);
        }
        const std::vector<Value> qkv = heads(linear(x, module.qkv, name + ".qkv"), module.heads);
        const auto positive = [&](const Value& value) { return two("Add", graph_.node("Elu", {value}), 1); };
        const Value p = positive(permute(qkv[0], {0, 2, 1, 3}));              // [B, H, N, d]
        const Value r = positive(permute(qkv[1], {0, 2, 3, 1}));              // [B, H, d, N]
        const Value state = two("MatMul", r, permute(qkv[2], {0, 2, 1, 3}));  // [B, H, d, d]
        Value length = two("MatMul", p, sum(r, 3, true));                     // [B, H, N, 1]
        if (module.eps > 0) length = two("Add", length, module.eps);
        return linear(join(two("Div", two("MatMul", p, state), length)), module.proj, name + ".proj");
    }

    Value scaled(const Value& x, const nn::LayerScale<D>& module, const std::string& name) {
        return module.is_learned ? two("Mul", x, weight(name + ".gamma", module.gamma)) : x;
    }
    Value scaled(const Value& x, const nn::NoScale<D>&, const std::string&) { return x; }

    template <class Block> Value block(const Value& x, const Block& b, const std::string& name) {
        graph_.enter(name);
        constexpr bool is_placed = std::same_as<Block, nn::EncoderBlock<D>>;
        const Value mixed = mix(norm(x, b.norm1, name + ".norm1"), b.attn, name + ".attn", is_placed);
        const Value h = two("Add", x, scaled(mixed, b.ls1, name + ".ls1"));
        const Value normal = norm(h, b.norm2, name + ".norm2");
        const Value changed =
            nn::with_module(b.mlp, [&](const auto& part) { return mlp(normal, part, name + ".mlp"); });
        return two("Add", h, scaled(changed, b.ls2, name + ".ls2"));
    }

    // --- the model

    /// What is added to patches that follow `prefix` rows of zeros: class token, registers, positions [1, N, C].
    Value token_constant() {
        const auto& vit = model_.encoder;
        std::vector<float> position(static_cast<std::size_t>((1 + rows_ * columns_) * width_), 0.0F);
        if (vit.config.position == nn::Position::absolute) position = vit.position(rows_, columns_).value().to_vector();
        std::vector<float> values = vit.cls_token.value().to_vector();
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += position[i];
        if (vit.config.registers > 0) {
            const std::vector<float> registers = vit.register_tokens.value().to_vector();
            values.insert(values.end(), registers.begin(), registers.end());
        }
        values.insert(values.end(), position.begin() + width_, position.end());
        return graph_.constant("encoder.tokens", {1, tokens_, width_}, values);
    }

    Value tokens(const Value& pictures) {
        graph_.enter("pictures");
        const auto channels = [&](const char* name, const std::array<float, 3>& values) {
            return graph_.constant(name, {3}, std::vector<float>(values.begin(), values.end()));
        };
        constexpr auto to_float = static_cast<std::int64_t>(io::onnx::Element::float32);
        const Value unit = two("Div", graph_.node("Cast", {pictures}, {{"to", to_float}}), 255);
        const Value centred = two("Sub", unit, channels("pixel_mean", vision::pixel_mean));
        const Value x = two("Div", centred, channels("pixel_deviation", vision::pixel_deviation));
        graph_.enter("encoder");
        const auto& projection = model_.encoder.patch_embed.proj;
        const std::int64_t patch = model_.config.encoder.patch, prefix = model_.config.encoder.prefix();
        const Value plane =
            graph_.node("Conv",
                        {permute(x, {0, 3, 1, 2}), weight("encoder.patch_embed.proj.weight", projection.weight),
                         weight("encoder.patch_embed.proj.bias", projection.bias)},
                        {{"kernel_shape", Ints{patch, patch}}, {"strides", Ints{patch, patch}}});  // [B, C, h, w]
        const Value patches = permute(reshape(plane, {0, width_, rows_ * columns_}), {0, 2, 1});
        const Value padded = two("Pad", patches, graph_.constant(Ints{0, prefix, 0, 0, 0, 0}));  // [B, N, C]
        return two("Add", padded, token_constant());
    }

    /// The means of the groups of kept blocks, tokens as the bottleneck sees them [B, N, C].
    Groups encode(const Value& pictures) {
        Value x = tokens(pictures);
        std::vector<Value> kept;
        for (std::int64_t i = 0; i <= model_.config.kept.back(); ++i) {
            x = block(x, model_.encoder.blocks[static_cast<std::size_t>(i)], "encoder.blocks." + std::to_string(i));
            if (i == model_.config.kept[kept.size()]) kept.push_back(x);
        }
        graph_.enter("encoder.groups");
        Groups found = means(kept);
        const std::int64_t first = model_.config.encoder.prefix() - model_.config.prefix();
        if (first > 0)
            for (Value& group : found) group = rows(group, first, tokens_);
        tokens_ -= first;
        return found;
    }

    /// The decoder's group means in the order of the encoder's.
    Groups decode(const Groups& en) {
        const Grouping grouping = model_.config.grouping(static_cast<std::int64_t>(model_.config.kept.size()));
        graph_.enter("bottleneck.0");
        std::vector<Value> shares;
        for (std::size_t g = 0; g < en.size(); ++g)
            shares.push_back(two("Mul", en[g], grouping.sizes[g] / static_cast<double>(grouping.of_layer.size())));
        Value x = bottleneck(shares.size() == 1 ? shares[0] : graph_.node("Sum", shares));
        std::vector<Value> outputs;
        for (std::size_t i = 0; i < model_.decoder.size(); ++i)
            outputs.push_back(x = block(x, model_.decoder[i], "decoder." + std::to_string(i)));
        graph_.enter("decoder.groups");
        return means({outputs.rbegin(), outputs.rend()});  // the last blocks restore the first group
    }

    Value bottleneck(const Value& x) {
        if (const auto* narrow = std::get_if<nn::NarrowBottleneck<D>>(&model_.bottleneck)) {
            const Value few = linear(x, narrow->narrow, "bottleneck.0.0");
            return linear(gelu(linear(few, narrow->fc1, "bottleneck.1.0")), narrow->fc2, "bottleneck.1.3");
        }
        return mlp(x, std::get<0>(model_.bottleneck)[0], "bottleneck.0");
    }

    /// The mean of each group of layers; of layers that are in no group, too.
    Groups means(const std::vector<Value>& layers) {
        const Grouping grouping = model_.config.grouping(static_cast<std::int64_t>(layers.size()));
        Groups found;
        for (std::size_t g = 0; g < grouping.sizes.size(); ++g) {
            std::vector<Value> group;
            for (std::size_t i = 0; i < layers.size(); ++i)
                if (grouping.of_layer[i] == g) group.push_back(layers[i]);
            found.push_back(group.size() == 1 ? group[0]
                                              : two("Mul", graph_.node("Sum", group), 1 / grouping.sizes[g]));
        }
        return found;
    }

    /// Tokens first .. last - 1 of [B, N, C].
    Value rows(const Value& x, std::int64_t first, std::int64_t last) {
        return graph_.node("Slice",
                           {x, graph_.constant(Ints{first}), graph_.constant(Ints{last}), graph_.constant(Ints{1})});
    }

    /// What the decoder has to restore of a group [B, N, C]: patches, recentred where the model says so.
    Value target(const Value& x, std::size_t group) {
        Value patches = rows(x, model_.config.prefix(), tokens_);
        if (!model_.config.is_recentred) return patches;
        const std::vector<float> ones(static_cast<std::size_t>(width_), 1.0F);
        const Value scale = graph_.constant("recentring_scale." + std::to_string(group), {width_}, ones);
        return graph_.node(
            "LayerNormalization", {two("Sub", patches, rows(x, 0, 1)), scale},
            {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(GroupFeatures<D>::recentring_eps)}});
    }

    /// 1 - cos of the patches' features, [B, h w].
    Value distance(const Value& en, const Value& de, std::size_t group) {
        const Value a = target(en, group), b = rows(de, model_.config.prefix(), tokens_);
        const auto length = [&](const Value& x) {
            return two("Max", graph_.node("Sqrt", {sum(two("Mul", x, x), 2, false)}), kernel::cosine_eps);
        };
        const Value cosine = two("Div", sum(two("Mul", a, b), 2, false), two("Mul", length(a), length(b)));
        return graph_.node("Sub", {graph_.constant(1.0F), cosine});
    }

    Value anomaly_map(const Groups& en, const Groups& de, vision::PictureSize crop) {
        graph_.enter("map");
        const std::size_t compared = model_.config.grouping(model_.config.decoder_depth).compared;
        std::vector<Value> distances;
        for (std::size_t g = 0; g < compared; ++g) distances.push_back(distance(en[g], de[g], g));
        const Value mean =
            compared == 1 ? distances[0] : two("Mul", graph_.node("Sum", distances), 1 / static_cast<double>(compared));
        const auto matrix = [&](std::int64_t patches, std::int64_t pixels) {
            const std::vector<double> values = anomaly::detail::map_matrix(patches, pixels, model_.config.reflect_blur);
            return std::vector<float>(values.begin(), values.end());
        };
        const std::vector<float> across = matrix(columns_, crop.width);  // [256, w], needed transposed
        std::vector<float> columns(across.size());
        const auto w = static_cast<std::size_t>(columns_), n = static_cast<std::size_t>(anomaly::map_size);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < w; ++j) columns[j * n + i] = across[i * w + j];
        const Value rows_matrix = graph_.constant("map_rows", {anomaly::map_size, rows_}, matrix(rows_, crop.height));
        const Value columns_matrix = graph_.constant("map_columns", {columns_, anomaly::map_size}, columns);
        const Value wide = two("MatMul", reshape(mean, {0, rows_, columns_}), columns_matrix);  // [B, h, 256]
        return graph_.node("MatMul", {rows_matrix, wide}, {}, "map");
    }

    /// The mean of the largest hundredth, as anomaly::image_scores has it.
    Value score(const Value& map) {
        graph_.enter("score");
        constexpr std::int64_t pixels = anomaly::map_size * anomaly::map_size, largest = pixels / 100;
        const Value flat = reshape(map, {0, pixels});
        const std::vector<Value> found =
            graph_.nodes("TopK", 2, {flat, graph_.constant(Ints{largest})}, {{"axis", std::int64_t{1}}});
        const Value divisor = graph_.constant(static_cast<float>(largest));
        return graph_.node("Div", {sum(found[0], 1, false), divisor}, {}, "score");
    }

    const Dinomaly<D>& model_;
    std::int64_t width_, rows_, columns_, tokens_;
    std::optional<Value> cosines_, sines_;  // of rotary places
    io::onnx::Graph graph_{"dinomaly"};
};

}  // namespace detail

/// What an ONNX file of a model says besides its graph: under "dinomaly" what the model's file says, and parts of it
/// that a reader needs at hand: sizes as WIDTHxHEIGHT, the decision, class names, hashes.
inline std::map<std::string, std::string> onnx_metadata(const DinomalyConfig& config, const ModelInfo& info) {
    const auto text = [](const auto& value) {
        std::ostringstream out;
        out << value;
        return out.str();
    };
    std::map<std::string, std::string> metadata{
        {"dinomaly", metadata_text(config, info)},
        {"size", text(info.sizes.size)},
        {"crop", text(info.sizes.crop)},
        {"offset", text(info.sizes.offset())},
        {"input",
         "RGB, resized to `size` by bilinear interpolation with antialiasing (Pillow's), cut to `crop` from "
         "`offset` on (left x top)"},
        {"encoder_hash", info.encoder_hash},
        {"trained_hash", info.trained_hash},
        {"classes", nlohmann::json(info.classes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}};
    if (info.tile != vision::PictureSize{}) metadata["tile"] = text(info.tile);
    if (!info.decision.empty())
        metadata["decision"] = info.decision.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return metadata;
}

/// Writes a model as ONNX, for pictures of info.sizes.crop; the file appears whole or not at all. Weights of more than
/// `external_above` bytes, at most 2 GB, lie in a second file (io::onnx::data_file). Returns whether they do. Throws
/// Error when a file cannot be written, and for an opset that is not known.
inline bool export_onnx(const std::filesystem::path& path, const LoadedModel<Cpu<float>>& loaded,
                        std::int64_t opset = io::onnx::first_opset,
                        std::uint64_t external_above = io::onnx::largest_inline) {
    loaded.info.sizes.validate();
    check(loaded.model.config.modalities == 1, "export", "a model of ", loaded.model.config.modalities,
          " pictures an object, which has no ONNX form here");
    const detail::OnnxModel model(loaded.model, loaded.info.sizes.crop);
    return io::onnx::write(path, model.graph(),
                           {.opset = opset,
                            .metadata = onnx_metadata(loaded.model.config, loaded.info),
                            .producer_version = version,
                            .external_above = external_above});
}

}  // namespace dinomaly::inline DINOMALY_ABI
