// SPDX-License-Identifier: Apache-2.0
// Draft: an encoder's tensors while their names become ours, each with the name that its file knows it by.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/shape.hpp"
#include "dinomaly/io/state_dict.hpp"

namespace dinomaly::encoders {

/// A tensor and its name in the file.
struct Part {
    io::RawTensor tensor;
    std::string source;
};

/// An encoder's tensors by name, for a while under names that are neither the file's nor ours.
struct Draft {
    std::string file;  // opens messages
    std::map<std::string, Part> parts;

    bool has(const std::string& name) const { return parts.contains(name); }
    const Shape& shape(const std::string& name) const { return parts.at(name).tensor.shape; }

    /// Adds a tensor of the file. Throws Error when it is empty or another one is called so already.
    void add(const std::string& name, const io::RawTensor& tensor, const std::string& source) {
        check(std::ranges::count(tensor.shape, 0) == 0, file.c_str(), '"', source, "\" has shape ", tensor.shape,
              "; sizes above zero expected");
        const auto [place, is_new] = parts.try_emplace(name, Part{tensor, source});
        check(is_new, file.c_str(), '"', place->second.source, "\" and \"", source, "\" are both what DINOv2 calls \"",
              name, "\"; one expected");
    }

    /// Adds a tensor that was made here, or replaces one.
    void put(const std::string& name, const Part& part) { parts.insert_or_assign(name, part); }

    /// Removes a tensor and returns it.
    Part take(const std::string& name) {
        const auto found = parts.find(name);
        check(found != parts.end(), file.c_str(), "has no tensor for \"", name, '"');
        Part part = std::move(found->second);
        parts.erase(found);
        return part;
    }

    void move(const std::string& from, const std::string& to) {
        const Part part = take(from);
        add(to, part.tensor, part.source);
    }
};

namespace detail {

template <class T> io::SharedBytes own_bytes(const std::vector<T>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return io::SharedBytes::own(std::move(bytes));
}

}  // namespace detail

/// Zeros in the type of another tensor, +0 in each of them.
inline io::RawTensor zeros_like(const io::RawTensor& other, const Shape& shape) {
    const auto size = static_cast<std::size_t>(shape.count()) * io::dtype_size(other.dtype);
    return {other.dtype, shape, io::SharedBytes::own(std::vector<std::byte>(size))};
}

/// Tensors one below the other along `axis`, whose shapes are equal behind it and of which those before it are 1. Bytes
/// are copied as they are; tensors of several types become F32. Throws Error for other shapes.
inline Part joined(const std::string& file, const std::vector<Part>& parts, int axis = 0) {
    Part whole{parts.front().tensor, ""};
    bool is_mixed = false;
    std::int64_t rows = 0;
    for (const Part& part : parts) {
        const Shape& shape = part.tensor.shape;
        Shape expected = whole.tensor.shape;
        check(shape.rank() == expected.rank() && shape.rank() > axis, file.c_str(), '"', part.source, "\" has shape ",
              shape, ", which does not fit ", expected, " of \"", parts.front().source, '"');
        expected[axis] = shape[axis];
        check(shape == expected && shape.count(0, axis) == 1, file.c_str(), '"', part.source, "\" has shape ", shape,
              ", which does not fit ", whole.tensor.shape, " of \"", parts.front().source, '"');
        rows += shape[axis];
        is_mixed = is_mixed || part.tensor.dtype != whole.tensor.dtype;
        if (!part.source.empty()) whole.source += (whole.source.empty() ? "" : " + ") + part.source;
    }
    std::vector<std::byte> bytes;
    for (const Part& part : parts) {
        const io::SharedBytes stored =
            is_mixed ? detail::own_bytes(part.tensor.as<float>(file + ": " + part.source)) : part.tensor.bytes;
        bytes.insert(bytes.end(), stored.view.begin(), stored.view.end());
    }
    if (is_mixed) whole.tensor.dtype = io::DType::f32;
    whole.tensor.shape[axis] = rows;
    whole.tensor.bytes = io::SharedBytes::own(std::move(bytes));
    return whole;
}

}  // namespace dinomaly::encoders
