// SPDX-License-Identifier: Apache-2.0
// Weight files of any known format: loaded by content, not by extension, and converted.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/float16.hpp"
#include "dinomaly/io/pth.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/io/state_dict.hpp"

namespace dinomaly::io {

/// Reads a safetensors or PyTorch file that lies in memory; `place` opens the messages. Throws Error for other content.
inline StateDict parse_state_dict(const SharedBytes& file, const std::string& place) {
    constexpr std::size_t safetensors_json = 8;  // the header's text follows its length
    const std::string_view text = file.text();
    if (text.starts_with("PK")) return parse_pth(file, place);
    if (text.size() > safetensors_json && text[safetensors_json] == '{') return parse_safetensors(file, place);
    if (is_legacy_pth(file)) return parse_pth(file, place);
    fail(place, "is neither a safetensors file nor a PyTorch checkpoint (", file.size(), " bytes)");
}

/// Reads a weight file; its tensors keep the mapping alive. Throws Error when it cannot be read or is not valid.
inline StateDict load_state_dict(const std::filesystem::path& path) {
    return parse_state_dict(map_file(path), path.string());
}

/// The tensor in another floating-point type, rounded to nearest even. Throws Error for integer types, and when a
/// finite value becomes infinite; `name` opens the message.
inline RawTensor cast(const RawTensor& tensor, DType dtype, const std::string& name = "tensor") {
    if (tensor.dtype == dtype) return tensor;
    const std::vector<double> values = tensor.as<double>(name);
    std::vector<std::byte> bytes(values.size() * dtype_size(dtype));
    const auto fill = [&](auto convert, auto widen) {
        std::byte* to = bytes.data();
        for (const double value : values) {
            const auto stored = convert(value);
            check(std::isfinite(static_cast<double>(widen(stored))) || !std::isfinite(value), name.c_str(), "holds ",
                  value, ", which is too large for ", dtype_name(dtype));
            std::memcpy(to, &stored, sizeof stored);
            to += sizeof stored;
        }
    };
    const auto same = [](auto value) { return value; };
    switch (dtype) {
        case DType::f64: fill(same, same); break;
        case DType::f32: fill([](double value) { return static_cast<float>(value); }, same); break;
        case DType::f16:
            fill([](double value) { return half_from_float(round_to_odd(value)); }, float_from_half);
            break;
        case DType::bf16: fill([](double value) { return bfloat16(round_to_odd(value)); }, same); break;
        default: fail(name, "cannot be converted to ", dtype_name(dtype), ", expected F64, F32, F16 or BF16");
    }
    return {dtype, tensor.shape, SharedBytes::own(std::move(bytes))};
}

/// All floating-point tensors in another type; integer tensors and metadata as they are. Errors as cast().
inline StateDict cast(const StateDict& dict, DType dtype) {
    StateDict out(dict.source());
    out.metadata = dict.metadata;
    for (const auto& [name, tensor] : dict) {
        out.insert(name, is_floating(tensor.dtype) ? cast(tensor, dtype, dict.source() + ": " + name) : tensor);
    }
    return out;
}

/// Reads `in`, any known format, and writes `out` as safetensors with its floating-point tensors in `dtype`. `out`
/// appears whole or not at all, and may be `in`.
inline void convert(const std::filesystem::path& in, const std::filesystem::path& out, DType dtype) {
    write_safetensors(out, cast(load_state_dict(in), dtype));
}

}  // namespace dinomaly::io
