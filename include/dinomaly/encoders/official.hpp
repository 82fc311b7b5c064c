// SPDX-License-Identifier: Apache-2.0
// An encoder under the names of its authors' code, where these are not DINOv2's: DINOv3 and BEiT. And with the tensors
// that a strict PyTorch module asks for although they are never used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/nn/vit_config.hpp"

namespace dinomaly::encoders {

namespace detail {

template <class T> io::RawTensor raw_tensor(io::DType dtype, const Shape& shape, const std::vector<T>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return {dtype, shape, io::SharedBytes::own(std::move(bytes))};
}

/// Rows first .. first + count - 1 of a tensor.
inline io::RawTensor rows_of(const io::RawTensor& tensor, std::int64_t first, std::int64_t count) {
    const std::size_t row = tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[0]);
    Shape shape = tensor.shape;
    shape[0] = count;
    return {tensor.dtype, shape,
            tensor.bytes.slice(static_cast<std::size_t>(first) * row, static_cast<std::size_t>(count) * row)};
}

/// A name with its last part `from` replaced.
inline std::string ending_in(const std::string& name, std::string_view from, std::string_view to) {
    return name.substr(0, name.size() - from.size()) + std::string(to);
}

/// Adds one tensor of a DINOv3 under its names.
inline void add_dinov3(io::StateDict& out, const std::string& name, const io::RawTensor& tensor) {
    if (name == "register_tokens") return out.insert("storage_tokens", tensor);
    if (name == "rope.periods") return out.insert("rope_embed.periods", tensor);
    for (const char* part : {"weight", "bias"})
        if (const std::string joined = std::string("w12.") + part; name.ends_with(joined)) {
            const std::int64_t half = tensor.shape[0] / 2;
            out.insert(ending_in(name, joined, std::string("w1.") + part), rows_of(tensor, 0, half));
            return out.insert(ending_in(name, joined, std::string("w2.") + part), rows_of(tensor, half, half));
        }
    out.insert(name, tensor);
    if (!name.ends_with("attn.qkv.bias")) return;
    std::vector<float> mask(static_cast<std::size_t>(tensor.shape[0]), 1);  // keys have no bias
    const std::size_t third = mask.size() / 3;
    for (std::size_t i = third; i < 2 * third; ++i) mask[i] = 0;
    out.insert(name + "_mask", raw_tensor(io::DType::f32, tensor.shape, mask));
}

/// Adds one tensor of a BEiT under its names.
inline void add_beit(io::StateDict& out, const std::string& name, const io::RawTensor& tensor) {
    const auto add_as = [&](std::string_view from, std::string_view to) {
        if (!name.ends_with(from)) return false;
        out.insert(ending_in(name, from, to), tensor);
        return true;
    };
    if (add_as("ls1.gamma", "gamma_1") || add_as("ls2.gamma", "gamma_2") ||
        add_as("rel_table", "relative_position_bias_table"))
        return;
    if (!name.ends_with("attn.qkv.bias")) return out.insert(name, tensor);
    const std::int64_t third = tensor.shape[0] / 3;
    out.insert(ending_in(name, "qkv.bias", "q_bias"), rows_of(tensor, 0, third));
    out.insert(ending_in(name, "qkv.bias", "v_bias"), rows_of(tensor, 2 * third, third));
}

}  // namespace detail

/// The tensors of an encoder of these parts, given under DINOv2's names, under those of its authors' code. The position
/// index of BEiT, which follows from its grid, is left out.
inline io::StateDict official_names(const io::StateDict& tensors, const nn::VitConfig& config) {
    io::StateDict out(tensors.source());
    for (const auto& [name, tensor] : tensors) {
        switch (config.position) {
            case nn::Position::rotary: detail::add_dinov3(out, name, tensor); break;
            case nn::Position::relative: detail::add_beit(out, name, tensor); break;
            default: out.insert(name, tensor);
        }
    }
    const bool is_dino = config.position != nn::Position::relative && config.has_layer_scale;  // DINOv2 and DINOv3
    if (is_dino && !out.contains("mask_token")) {
        const std::vector<float> zeros(static_cast<std::size_t>(config.width));
        out.insert("mask_token", detail::raw_tensor(io::DType::f32, {1, config.width}, zeros));
    }
    return out;
}

}  // namespace dinomaly::encoders
