// SPDX-License-Identifier: Apache-2.0
// The safetensors format: 8 bytes little-endian header length n, n bytes of JSON, then the data.
//   {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
// Offsets count from the end of the header. The tensors must cover the data without a gap or an overlap, so that a
// file has one meaning and hides nothing. Reading is zero copy; writing orders by element size, which aligns them all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/shape.hpp"
#include "dinomaly/io/byte_reader.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/state_dict.hpp"

namespace dinomaly::io {

inline constexpr std::uint64_t max_safetensors_header = 100'000'000;  ///< bytes; the limit of the published reader

/// Reads one safetensors file that lies in memory.
class SafetensorsParser {
public:
    SafetensorsParser(SharedBytes file, std::string place) : file_(std::move(file)), place_(std::move(place)) {}

    StateDict parse() {
        const nlohmann::json header = parse_header();
        std::vector<Field> fields;
        StateDict out(place_);
        for (const auto& [name, value] : header.items()) {
            if (name == "__metadata__") {
                read_metadata(value, out);
            } else {
                fields.push_back(read_field(name, value));
            }
        }
        std::ranges::sort(fields, {}, [](const Field& field) { return std::pair(field.begin, field.end); });
        check_cover(fields);
        for (const Field& field : fields) {
            out.insert(field.name, field.dtype, field.shape, data_.slice(field.begin, field.end - field.begin));
        }
        return out;
    }

private:
    struct Field {
        std::string name;
        DType dtype;
        Shape shape;
        std::size_t begin, end;  // bytes into data_
    };

    nlohmann::json parse_header() {
        ByteReader reader(file_.view, place_);
        const auto length = reader.read<std::uint64_t>();
        check(length <= max_safetensors_header, place_.c_str(), "header length ", length, " is above the limit of ",
              max_safetensors_header);
        const std::string_view text = reader.text(length);
        data_ = file_.slice(reader.position(), reader.remaining());
        // The JSON parser takes a NUL for the end of its input and would ignore what follows.
        check(text.starts_with('{') && text.find('\0') == std::string_view::npos, place_.c_str(),
              "header is not a JSON object");
        try {
            return nlohmann::json::parse(text, KeyGuard{place_});
        } catch (const nlohmann::json::exception& error) {
            fail(place_, "header is not valid JSON: ", error.what());
        }
    }

    /// Watches the JSON parser: refuses deep nesting and doubled keys, which a plain parse would accept.
    class KeyGuard {
    public:
        explicit KeyGuard(std::string place) : place_(std::move(place)) {}

        bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
            using Event = nlohmann::json::parse_event_t;
            if (event == Event::object_start || event == Event::array_start) {
                check(depth <= 2, place_.c_str(), "header is nested deeper than tensor, field, list");
            }
            if (event == Event::object_start) keys_.emplace_back();
            if (event == Event::object_end) keys_.pop_back();
            if (event == Event::key) {
                const auto& key = parsed.get_ref<const std::string&>();
                check(keys_.back().insert(key).second, place_.c_str(), "header has two entries \"", key, '"');
            }
            return true;
        }

    private:
        std::string place_;
        std::vector<std::set<std::string>> keys_;  // of the objects being read, outermost first
    };

    void read_metadata(const nlohmann::json& value, StateDict& out) const {
        check(value.is_object(), place_.c_str(), "__metadata__ is not an object");
        for (const auto& [key, text] : value.items()) {
            check(text.is_string(), place_.c_str(), "__metadata__ entry \"", key, "\" is not a text");
            out.metadata.emplace(key, text.get<std::string>());
        }
    }

    Field read_field(const std::string& name, const nlohmann::json& value) const {
        const std::string place = place_ + ": " + name;
        check(value.is_object() && value.size() == 3 && value.contains("dtype") && value.contains("shape") &&
                  value.contains("data_offsets"),
              place.c_str(), "exactly dtype, shape and data_offsets are expected");

        const nlohmann::json& dtype_text = value["dtype"];
        const auto dtype = dtype_text.is_string() ? find_dtype(dtype_text.get_ref<const std::string&>()) : std::nullopt;
        if (!dtype) fail(place, "unknown dtype ", dtype_text.dump(), ", expected one of ", all_dtypes());

        const std::vector<std::uint64_t> sizes = integers(value["shape"], place, "shape");
        check(sizes.size() <= max_rank, place.c_str(), "rank ", sizes.size(), " is above the limit of ", max_rank);
        Shape shape;
        for (const std::uint64_t size : sizes) {
            check(size <= std::numeric_limits<std::int64_t>::max(), place.c_str(), "size ", size, " is out of range");
            shape.push_back(static_cast<std::int64_t>(size));
        }

        const std::vector<std::uint64_t> offsets = integers(value["data_offsets"], place, "data_offsets");
        check(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_.size(), place.c_str(),
              "data_offsets ", value["data_offsets"].dump(), " are not a range inside the ", data_.size(),
              " bytes of data");
        const auto expected = byte_count(shape, *dtype);
        check(expected && *expected == offsets[1] - offsets[0], place.c_str(), "shape ", shape, " of ",
              dtype_name(*dtype), " does not fit data_offsets ", value["data_offsets"].dump());
        return {name, *dtype, shape, offsets[0], offsets[1]};
    }

    static std::vector<std::uint64_t> integers(const nlohmann::json& list, const std::string& place,
                                               std::string_view field) {
        check(list.is_array(), place.c_str(), field, " is not a list");
        std::vector<std::uint64_t> out;
        for (const nlohmann::json& element : list) {
            check(element.is_number_unsigned(), place.c_str(), field, " holds ", element.dump(),
                  ", expected an integer from 0 to 2^64 - 1");
            out.push_back(element.get<std::uint64_t>());
        }
        return out;
    }

    static std::string all_dtypes() {
        std::string names;
        for (const DTypeInfo& info : dtypes) names.append(names.empty() ? "" : " ").append(info.name);
        return names;
    }

    /// Fields sorted by offset must follow each other from the first to the last byte of the data.
    void check_cover(const std::vector<Field>& fields) const {
        std::size_t covered = 0;
        for (const Field& field : fields) {
            check(field.begin == covered, place_.c_str(), "tensor \"", field.name, "\" begins at byte ", field.begin,
                  " of the data, expected ", covered, " (tensors may not overlap or leave a gap)");
            covered = field.end;
        }
        check(covered == data_.size(), place_.c_str(), "tensors end at byte ", covered, " of the data, which has ",
              data_.size());
    }

    SharedBytes file_;
    SharedBytes data_;
    std::string place_;
};

/// Reads a safetensors file that lies in memory; `place` opens the messages. Throws Error for anything but a valid one.
inline StateDict parse_safetensors(SharedBytes file, const std::string& place) {
    return SafetensorsParser(std::move(file), place).parse();
}

/// Reads a safetensors file, zero copy: the tensors point into its mapping. Errors as above.
inline StateDict read_safetensors(const std::filesystem::path& path) {
    return parse_safetensors(map_file(path), path.string());
}

/// Writes all tensors and the metadata, wide element types first, otherwise in the order of `dict`; the same dict
/// gives the same bytes. The file appears whole or not at all. Throws Error when a name or a text is not UTF-8.
inline void write_safetensors(const std::filesystem::path& path, const StateDict& dict) {
    std::vector<const StateDict::Entry*> entries;
    for (const StateDict::Entry& entry : dict) entries.push_back(&entry);
    std::ranges::stable_sort(entries, std::ranges::greater{},
                             [](const StateDict::Entry* entry) { return dtype_size(entry->second.dtype); });

    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!dict.metadata.empty()) header["__metadata__"] = dict.metadata;
    std::size_t offset = 0;
    for (const auto* entry : entries) {
        const auto& [name, tensor] = *entry;
        check(name != "__metadata__", path.c_str(), "a tensor cannot be named __metadata__");
        header[name] = {{"dtype", dtype_name(tensor.dtype)},
                        {"shape", std::vector<std::int64_t>(tensor.shape.begin(), tensor.shape.end())},
                        {"data_offsets", {offset, offset + tensor.bytes.size()}}};
        offset += tensor.bytes.size();
    }

    std::string text;
    try {
        text = header.dump();
    } catch (const nlohmann::json::exception& error) {
        fail(path.string(), "cannot be written: ", error.what());
    }
    text.resize((text.size() + 7) / 8 * 8, ' ');
    check(text.size() <= max_safetensors_header, path.c_str(), "header of ", text.size(), " bytes is above the limit");

    write_atomically(path, [&](OutputFile& file) {
        const std::uint64_t length = text.size();
        file.write(std::as_bytes(std::span(&length, 1)));
        file.write(text);
        for (const auto* entry : entries) file.write(entry->second.bytes.view);
    });
}

}  // namespace dinomaly::io
