// SPDX-License-Identifier: Apache-2.0
// StateDict: named tensors as a weight file holds them, in file order, each with its bytes still in the file's mapping.
//
// Nothing is converted before it is asked for: as<float>() copies one tensor and converts F64, F32, F16 or BF16.
// Integers are data, not weights, and are refused there. A tensor keeps its bytes alive by itself, so parts of a
// StateDict may outlive the whole.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/shape.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/float16.hpp"

namespace dinomaly::io {

/// Element types of weight files.
enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

struct DTypeInfo {
    DType dtype;
    std::string_view name;  ///< as safetensors spells it
    std::size_t size;       ///< bytes of one element
};

/// All element types, in the order of the enumeration.
inline constexpr std::array<DTypeInfo, 10> dtypes{{{DType::f64, "F64", 8},
                                                   {DType::f32, "F32", 4},
                                                   {DType::f16, "F16", 2},
                                                   {DType::bf16, "BF16", 2},
                                                   {DType::i64, "I64", 8},
                                                   {DType::i32, "I32", 4},
                                                   {DType::i16, "I16", 2},
                                                   {DType::i8, "I8", 1},
                                                   {DType::u8, "U8", 1},
                                                   {DType::boolean, "BOOL", 1}}};

inline constexpr std::string_view dtype_name(DType dtype) {
    return dtypes[static_cast<std::size_t>(dtype)].name;
}
inline constexpr std::size_t dtype_size(DType dtype) {
    return dtypes[static_cast<std::size_t>(dtype)].size;
}
inline constexpr bool is_floating(DType dtype) {
    return dtype <= DType::bf16;
}

/// The type with this name ("F32"), or nothing.
inline std::optional<DType> find_dtype(std::string_view name) {
    for (const DTypeInfo& info : dtypes) {
        if (info.name == name) return info.dtype;
    }
    return std::nullopt;
}

/// Bytes of a tensor, or nothing when the number of elements or bytes would exceed 2^63 - 1. Sizes of zero count as
/// one in that test, so that no partial product of the shape overflows either.
inline std::optional<std::size_t> byte_count(const Shape& shape, DType dtype) {
    std::int64_t product = static_cast<std::int64_t>(dtype_size(dtype));
    bool is_empty = false;
    for (const std::int64_t size : shape) {
        is_empty = is_empty || size == 0;
        if (size > 1 && product > std::numeric_limits<std::int64_t>::max() / size) return std::nullopt;
        product *= size > 1 ? size : 1;
    }
    return is_empty ? 0 : static_cast<std::size_t>(product);
}

/// One tensor of a file: row-major, little endian, at any alignment.
struct RawTensor {
    DType dtype = DType::f32;
    Shape shape;
    SharedBytes bytes;

    /// Converts all elements into `out`, which must have shape.count() elements. Throws Error for integer types;
    /// `name` opens the message.
    template <std::floating_point T> void copy_to(std::span<T> out, const std::string& name = "tensor") const {
        check(is_floating(dtype), name.c_str(), "holds ", dtype_name(dtype), ", expected F64, F32, F16 or BF16");
        check(static_cast<std::int64_t>(out.size()) == shape.count(), name.c_str(), "has shape ", shape, ", not ",
              out.size(), " elements");
        switch (dtype) {
            case DType::f64: return copy_as<double>(out, [](double stored) { return stored; });
            case DType::f32: return copy_as<float>(out, [](float stored) { return stored; });
            case DType::f16: return copy_as<std::uint16_t>(out, float_from_half);
            default: return copy_as<bfloat16>(out, [](bfloat16 stored) { return static_cast<float>(stored); });
        }
    }

    /// All elements, converted; errors as copy_to().
    template <std::floating_point T> std::vector<T> as(const std::string& name = "tensor") const {
        std::vector<T> out(static_cast<std::size_t>(shape.count()));
        copy_to<T>(out, name);
        return out;
    }

private:
    template <class Stored, class T, class Convert> void copy_as(std::span<T> out, Convert convert) const {
        const std::byte* from = bytes.view.data();
        for (T& element : out) {
            Stored stored;
            std::memcpy(&stored, from, sizeof stored);
            element = static_cast<T>(convert(stored));
            from += sizeof stored;
        }
    }
};

/// Named tensors in insertion order, with the file's text metadata.
class StateDict {
public:
    using Entry = std::pair<std::string, RawTensor>;

    /// `source` (a path) opens the messages about missing or doubled names.
    explicit StateDict(std::string source = "state dict") : source_(std::move(source)) {}

    std::map<std::string, std::string> metadata;

    const std::string& source() const { return source_; }
    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }
    auto begin() const { return entries_.begin(); }
    auto end() const { return entries_.end(); }

    bool contains(const std::string& name) const { return index_.contains(name); }

    /// The tensor of this name, or null.
    const RawTensor* find(const std::string& name) const {
        const auto found = index_.find(name);
        return found == index_.end() ? nullptr : &entries_[found->second].second;
    }

    /// The tensor of this name. Throws Error when there is none.
    const RawTensor& at(const std::string& name) const {
        const RawTensor* const found = find(name);
        check(found != nullptr, source_.c_str(), "has no tensor \"", name, '"');
        return *found;
    }

    /// The elements of a floating-point tensor. Throws Error when it is missing or holds integers.
    template <std::floating_point T> std::vector<T> as(const std::string& name) const {
        return at(name).as<T>(source_ + ": " + name);
    }

    /// Adds a tensor. Throws Error when the name exists or the bytes do not fit the shape.
    void insert(const std::string& name, DType dtype, const Shape& shape, SharedBytes bytes) {
        check(!contains(name), source_.c_str(), "has two tensors \"", name, '"');
        const auto expected = byte_count(shape, dtype);
        check(expected && *expected == bytes.size(), source_.c_str(), "tensor \"", name, "\" ", dtype_name(dtype), ' ',
              shape, " cannot have ", bytes.size(), " bytes");
        index_.emplace(name, entries_.size());
        entries_.emplace_back(name, RawTensor{dtype, shape, std::move(bytes)});
    }
    void insert(const std::string& name, const RawTensor& tensor) {
        insert(name, tensor.dtype, tensor.shape, tensor.bytes);
    }

    /// The tensors whose names begin with `prefix`, without it: under("teacher.backbone.") unwraps a training
    /// checkpoint. Metadata stay. Empty when no name begins so.
    StateDict under(std::string_view prefix) const {
        StateDict part(source_);
        part.metadata = metadata;
        for (const auto& [name, tensor] : entries_) {
            if (name.starts_with(prefix)) part.insert(name.substr(prefix.size()), tensor);
        }
        return part;
    }

private:
    std::string source_;
    std::vector<Entry> entries_;
    std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace dinomaly::io
