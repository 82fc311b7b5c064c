// SPDX-License-Identifier: Apache-2.0
// Graphs in ONNX files: nodes are added in the order in which they run, then the whole is written.
//
//   onnx::Graph graph("double");
//   const onnx::Value x = graph.input("x", onnx::Element::float32, {"B", 3});
//   graph.output(graph.node("Mul", {x, graph.constant(2.0F)}, {}, "y"), onnx::Element::float32, {"B", 3});
//   onnx::write("double.onnx", graph, {});
//
// Field numbers are those of onnx.proto (github.com/onnx/onnx/blob/main/onnx/onnx.proto). A protobuf message ends at
// 2 GB; weights above that lie in a second file beside the first, which names it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/shape.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/protobuf.hpp"

namespace dinomaly::io::onnx {

/// Element types, numbered as in TensorProto.DataType.
enum class Element { float32 = 1, uint8 = 2, int64 = 7 };

/// The size of an axis, or a name where it is known only when the graph runs.
using Axis = std::variant<std::int64_t, std::string>;
using Axes = std::vector<Axis>;

using Attribute = std::variant<std::int64_t, float, std::vector<std::int64_t>>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

/// A value of the graph: an input, a constant, or what a node gives.
struct Value {
    std::string name;
};

/// A constant of the graph.
struct Constant {
    std::string name;
    Element element = Element::float32;
    std::vector<std::int64_t> dims;
    std::uint64_t size = 0;  ///< bytes
    protobuf::Message::Payload bytes;
};

/// The oldest version of the operators that write() knows: the first with LayerNormalization. And the newest.
inline constexpr std::int64_t first_opset = 17, last_opset = 22;

/// Nodes, inputs, outputs and constants.
class Graph {
public:
    explicit Graph(std::string name) : name_(std::move(name)) {}

    /// Values that are not named get a name that begins so.
    void enter(std::string scope) { scope_ = std::move(scope); }

    Value input(const std::string& name, Element element, const Axes& axes) {
        inputs_.push_back(value_info(name, element, axes));
        return {name};
    }
    void output(const Value& value, Element element, const Axes& axes) {
        outputs_.push_back(value_info(value.name, element, axes));
    }

    /// A float tensor whose bytes are made when the file is written.
    Value constant(const std::string& name, const Shape& shape, protobuf::Message::Payload bytes) {
        constants_.push_back({name, Element::float32, std::vector<std::int64_t>(shape.begin(), shape.end()),
                              static_cast<std::uint64_t>(shape.count()) * sizeof(float), std::move(bytes)});
        return {name};
    }
    Value constant(const std::string& name, const Shape& shape, const std::vector<float>& values) {
        check(shape.count() == static_cast<std::int64_t>(values.size()), name.c_str(), values.size(),
              " values for shape ", shape);
        return constant(name, shape, [bytes = bytes_of(values)] { return bytes; });
    }
    /// A single float.
    Value constant(float value) { return constant(unique("constant"), Shape{}, std::vector<float>{value}); }
    /// A list of integers: sizes, axes.
    Value constant(const std::vector<std::int64_t>& values) {
        const std::string name = unique("constant");
        constants_.push_back({name,
                              Element::int64,
                              {static_cast<std::int64_t>(values.size())},
                              values.size() * sizeof(std::int64_t),
                              [bytes = bytes_of(values)] { return bytes; }});
        return {name};
    }

    /// What the operator `op` gives; `name` is what the value is called, or empty.
    Value node(const std::string& op, const std::vector<Value>& inputs, const Attributes& attributes = {},
               const std::string& name = "") {
        return nodes(op, 1, inputs, attributes, name).front();
    }
    /// The values of an operator that gives several.
    std::vector<Value> nodes(const std::string& op, std::size_t count, const std::vector<Value>& inputs,
                             const Attributes& attributes = {}, const std::string& name = "") {
        const std::string first = name.empty() ? unique(op) : name;
        std::vector<Value> outputs;
        for (std::size_t i = 0; i < count; ++i) outputs.push_back({i == 0 ? first : first + ":" + std::to_string(i)});
        protobuf::Message node;
        for (const Value& value : inputs) node.text(1, value.name);
        for (const Value& value : outputs) node.text(2, value.name);
        node.text(3, first).text(4, op);
        for (const auto& [key, value] : attributes) node.message(5, attribute(key, value));
        nodes_.push_back(std::move(node));
        return outputs;
    }

    const std::vector<Constant>& constants() const { return constants_; }

    /// The GraphProto; constants as `store` writes them.
    template <class Store> protobuf::Message message(const Store& store) const {
        protobuf::Message graph;
        for (const protobuf::Message& node : nodes_) graph.message(1, node);
        graph.text(2, name_);
        for (const Constant& constant : constants_) graph.message(5, store(constant));
        for (const protobuf::Message& input : inputs_) graph.message(11, input);
        for (const protobuf::Message& output : outputs_) graph.message(12, output);
        return graph;
    }

private:
    template <class T> static SharedBytes bytes_of(const std::vector<T>& values) {
        std::vector<std::byte> bytes(values.size() * sizeof(T));
        std::memcpy(bytes.data(), values.data(), bytes.size());
        return SharedBytes::own(std::move(bytes));
    }

    std::string unique(const std::string& kind) {
        return scope_ + (scope_.empty() ? "" : "/") + kind + "_" + std::to_string(count_++);
    }

    static protobuf::Message value_info(const std::string& name, Element element, const Axes& axes) {
        protobuf::Message shape;
        for (const Axis& axis : axes) {
            protobuf::Message dim;
            if (const auto* size = std::get_if<std::int64_t>(&axis))
                dim.number(1, *size);
            else
                dim.text(2, std::get<std::string>(axis));
            shape.message(1, std::move(dim));
        }
        protobuf::Message tensor, type, info;
        tensor.number(1, static_cast<std::int64_t>(element)).message(2, std::move(shape));
        type.message(1, std::move(tensor));
        info.text(1, name).message(2, std::move(type));
        return info;
    }

    static protobuf::Message attribute(const std::string& name, const Attribute& value) {
        constexpr std::int64_t type_float = 1, type_int = 2, type_ints = 7;
        protobuf::Message out;
        out.text(1, name);
        if (const auto* real = std::get_if<float>(&value)) {
            out.real(2, *real).number(20, type_float);
        } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
            out.number(3, *number).number(20, type_int);
        } else {
            for (const std::int64_t each : std::get<std::vector<std::int64_t>>(value)) out.number(8, each);
            out.number(20, type_ints);
        }
        return out;
    }

    std::string name_, scope_;
    std::uint64_t count_ = 0;
    std::vector<protobuf::Message> nodes_, inputs_, outputs_;
    std::vector<Constant> constants_;
};

/// Bytes of constants that a protobuf message, which ends at 2^31, holds besides the graph.
inline constexpr std::uint64_t largest_inline = 2'000'000'000;

/// What a file says besides its graph, and how it is written.
struct FileOptions {
    std::int64_t opset = first_opset;
    std::map<std::string, std::string> metadata = {};  ///< metadata_props
    std::string producer_version = {};
    std::uint64_t external_above =
        largest_inline;  ///< with more bytes of constants than this they lie in a second file
};

/// The second file of FILE.onnx: FILE.onnx.data.
inline std::filesystem::path data_file(const std::filesystem::path& file) {
    return file.string() + ".data";
}

namespace detail {

/// Constants from this size on go to the second file; sizes and axes, which readers want at hand, are below it.
inline constexpr std::uint64_t external_from = 1024;

inline protobuf::Message tensor_head(const Constant& constant) {
    protobuf::Message tensor;
    for (const std::int64_t dim : constant.dims) tensor.number(1, dim);
    tensor.number(2, static_cast<std::int64_t>(constant.element)).text(8, constant.name);
    return tensor;
}

inline protobuf::Message entry(const std::string& key, const std::string& value) {
    protobuf::Message out;
    out.text(1, key).text(2, value);
    return out;
}

/// Where constants lie in the second file, each from a page's beginning on, so that a reader may map it.
inline std::map<std::string, std::uint64_t> external_offsets(const Graph& graph) {
    constexpr std::uint64_t page = 4096;
    std::map<std::string, std::uint64_t> offsets;
    std::uint64_t end = 0;
    for (const Constant& constant : graph.constants()) {
        if (constant.size < external_from) continue;
        offsets[constant.name] = end;
        end += (constant.size + page - 1) / page * page;
    }
    return offsets;
}

inline void write_data(const std::filesystem::path& path, const Graph& graph,
                       const std::map<std::string, std::uint64_t>& offsets) {
    write_atomically(path, [&](OutputFile& file) {
        std::uint64_t position = 0;
        for (const Constant& constant : graph.constants()) {
            const auto found = offsets.find(constant.name);
            if (found == offsets.end()) continue;
            file.write(std::string(found->second - position, '\0'));
            const SharedBytes bytes = constant.bytes();
            check(bytes.size() == constant.size, path.c_str(), constant.name, " has ", bytes.size(), " bytes, ",
                  constant.size, " expected");
            file.write(bytes.view);
            position = found->second + constant.size;
        }
    });
}

}  // namespace detail

/// Writes a graph; the file appears whole or not at all. Returns whether its constants lie in a second file, which is
/// written first. Throws Error when a file cannot be written, and for an opset that is not known.
inline bool write(const std::filesystem::path& path, const Graph& graph, const FileOptions& options) {
    check(options.opset >= first_opset && options.opset <= last_opset, path.c_str(), "opset ", options.opset,
          ", a number from ", first_opset, " to ", last_opset, " expected");
    std::uint64_t size = 0;
    for (const Constant& constant : graph.constants()) size += constant.size;
    const bool is_external = size > std::min(options.external_above, largest_inline);
    const auto offsets = is_external ? detail::external_offsets(graph) : std::map<std::string, std::uint64_t>();
    const std::string data_name = data_file(path).filename().string();

    protobuf::Message opset;
    opset.text(1, "").number(2, options.opset);
    protobuf::Message model;
    constexpr std::array<std::int64_t, 6> ir_versions{8, 8, 9, 9, 10, 10};  // of opset 17 and those after it
    model.number(1, ir_versions[static_cast<std::size_t>(options.opset - first_opset)])
        .text(2, "dinomaly")
        .text(3, options.producer_version)
        .message(7, graph.message([&](const Constant& constant) {
            protobuf::Message tensor = detail::tensor_head(constant);
            const auto found = offsets.find(constant.name);
            if (found == offsets.end()) return std::move(tensor.payload(9, constant.size, constant.bytes));
            constexpr std::int64_t external = 1;
            return std::move(tensor.message(13, detail::entry("location", data_name))
                                 .message(13, detail::entry("offset", std::to_string(found->second)))
                                 .message(13, detail::entry("length", std::to_string(constant.size)))
                                 .number(14, external));
        }))
        .message(8, std::move(opset));
    for (const auto& [key, value] : options.metadata) model.message(14, detail::entry(key, value));

    if (is_external) detail::write_data(data_file(path), graph, offsets);
    write_atomically(
        path, [&](OutputFile& file) { model.write([&](std::span<const std::byte> bytes) { file.write(bytes); }); });
    return is_external;
}

}  // namespace dinomaly::io::onnx
