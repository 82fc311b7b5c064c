// SPDX-License-Identifier: Apache-2.0
// PyTorch's checkpoint format (torch.save since 1.6): a zip archive with a pickle and one entry per storage,
//   NAME/data.pkl   NAME/byteorder   NAME/data/0   NAME/data/1 ...
// In the pickle a tensor is the call torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides, ...) and a
// storage the persistent reference ("storage", torch.FloatStorage, key, device, count). These records and
// _rebuild_parameter are understood; whatever else the pickle names stays a name.
//
// Dicts in dicts are flattened: {"model": {"w": tensor}} holds "model.w". Lists, numbers, texts and unknown objects
// beside them are ignored, so that training checkpoints load. An unknown object that has tensors or storages inside, in
// a dict that holds tensors, is refused: it may be a tensor of a kind that is not understood.
//
// The plain values of a dict "hyper_parameters", as Lightning writes it, become the metadata of that name, as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/core/shape.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/pickle.hpp"
#include "dinomaly/io/pickle_json.hpp"
#include "dinomaly/io/state_dict.hpp"
#include "dinomaly/io/zip.hpp"

namespace dinomaly::io {

/// Reads one .pth file that lies in memory.
class PthParser {
public:
    PthParser(const SharedBytes& file, const std::string& place)
        : place_(place), archive_(file, place), copy_budget_(4 * file.size() + (std::size_t{1} << 20)), out_(place) {}

    StateDict parse() {
        root_ = find_root();
        check_byte_order();
        const SharedBytes pickle = archive_.read(entry("data.pkl"));
        document_ = pickle::parse(pickle.view, place_ + ": data.pkl");
        check(document_.get<pickle::Dict>(document_.root) != nullptr, place_.c_str(), "holds ",
              describe(document_.root), ", expected a dict of tensors (save model.state_dict(), not the model)");
        flatten(document_.root, "", 0);
        keep_settings();
        check(!out_.empty(), place_.c_str(), "holds no tensors", first_object_.empty() ? "" : "; \"" + first_object_);
        return std::move(out_);
    }

private:
    struct Storage {
        DType dtype;
        SharedBytes bytes;
        std::int64_t count;  // elements
    };

    // The archive.

    /// "NAME/" of the archive's one NAME/data.pkl.
    std::string find_root() const {
        constexpr std::string_view pickle = "data.pkl";
        std::optional<std::string> root;
        for (const ZipArchive::Entry& entry : archive_.entries()) {
            const std::size_t slash = entry.name.find('/');
            if (slash == std::string::npos || std::string_view(entry.name).substr(slash + 1) != pickle) continue;
            check(!root, place_.c_str(), "has two entries data.pkl");
            root = entry.name.substr(0, slash + 1);
        }
        check(root.has_value(), place_.c_str(), "is a zip archive, but not one of PyTorch: it has no NAME/data.pkl");
        return *root;
    }

    const ZipArchive::Entry& entry(const std::string& name) const {
        const ZipArchive::Entry* const found = archive_.find(root_ + name);
        check(found != nullptr, place_.c_str(), "has no entry ", root_, name);
        return *found;
    }

    void check_byte_order() const {
        const ZipArchive::Entry* const found = archive_.find(root_ + "byteorder");
        if (found == nullptr) return;  // PyTorch before 2.1 wrote none
        const SharedBytes order = archive_.read(*found);
        check(order.text() == "little", place_.c_str(), "was written on a big-endian machine");
    }

    // The dicts.

    /// Adds all tensors in a dict and the dicts in it. The same dict may be reached over several ways (two of them
    /// form 2^n ways n levels down), hence the limit on visits.
    void flatten(pickle::Ref dict_ref, const std::string& prefix, int depth) {
        constexpr int max_depth = 32;
        constexpr std::size_t max_visits = 250'000, max_name = 1024;
        check(depth <= max_depth, place_.c_str(), "has dicts nested deeper than ", max_depth);
        const auto& items = document_.get<pickle::Dict>(dict_ref)->items;

        const std::size_t size_before = out_.size();
        std::vector<std::pair<pickle::Ref, pickle::Ref>> objects;  // the unknown ones of this dict, with their keys
        for (const auto& [key_ref, value_ref] : items) {
            check(++visits_ <= max_visits, place_.c_str(), "has more than ", max_visits, " entries");
            const std::string name = prefix + key_text(key_ref);
            check(name.size() <= max_name, place_.c_str(), "has a name of ", name.size(), " characters");
            if (is_tensor(value_ref)) add_tensor(name, value_ref);
            if (!is_object(value_ref)) continue;
            objects.emplace_back(key_ref, value_ref);
            if (first_object_.empty()) first_object_ = name + "\" is " + describe(value_ref);
        }
        if (out_.size() > size_before)
            for (const auto& [key, ref] : objects)
                check(!holds_storage(ref), place_.c_str(), '"', prefix, key_text(key), "\" is ", describe(ref),
                      ", expected a tensor");

        for (const auto& [key_ref, value_ref] : items) {
            if (document_.get<pickle::Dict>(value_ref) != nullptr) {
                flatten(value_ref, prefix + key_text(key_ref) + '.', depth + 1);
            }
        }
    }

    /// The settings that Lightning keeps beside the weights, as metadata.
    void keep_settings() {
        constexpr std::size_t most = 1'000'000;  // characters
        for (const auto& [key, value] : document_.get<pickle::Dict>(document_.root)->items) {
            const auto* const name = document_.get<std::string>(key);
            if (name == nullptr || *name != "hyper_parameters" || document_.get<pickle::Dict>(value) == nullptr)
                continue;
            std::size_t budget = most;
            const auto settings = pickle::to_json(document_, value, budget);
            out_.metadata[*name] = settings->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        }
    }

    std::string key_text(pickle::Ref ref) const {
        if (const auto* const text = document_.get<std::string>(ref)) return *text;
        if (const auto* const number = document_.get<std::int64_t>(ref)) return std::to_string(*number);
        return "<key>";
    }

    bool is_object(pickle::Ref ref) const {
        return !is_tensor(ref) &&
               (document_.get<pickle::Call>(ref) != nullptr || document_.get<pickle::Global>(ref) != nullptr ||
                document_.get<pickle::Persistent>(ref) != nullptr);
    }

    /// Whether a storage is a part of the value at any depth. The file is refused when it is: so what was looked at
    /// before holds none, and nothing is looked at twice.
    bool holds_storage(pickle::Ref ref) {
        std::vector<pickle::Ref> open{ref};
        const auto add = [&](const std::vector<pickle::Ref>& refs) {
            open.insert(open.end(), refs.begin(), refs.end());
        };
        while (!open.empty()) {
            const pickle::Ref current = open.back();
            open.pop_back();
            if (document_.get<pickle::Persistent>(current) != nullptr) return true;
            if (!without_storage_.insert(current).second) continue;
            if (const auto* const list = document_.get<pickle::List>(current)) add(list->items);
            if (const auto* const tuple = document_.get<pickle::Tuple>(current)) add(tuple->items);
            if (const auto* const call = document_.get<pickle::Call>(current)) add({call->callee, call->arguments});
            if (const auto* const dict = document_.get<pickle::Dict>(current))
                for (const auto& [key, value] : dict->items) add({key, value});
        }
        return false;
    }

    std::string describe(pickle::Ref ref) const {
        if (const auto* const call = document_.get<pickle::Call>(ref)) return "an object made by " + callee_name(*call);
        if (const auto* const global = document_.get<pickle::Global>(ref)) return "the global " + global->name;
        if (document_.get<pickle::Persistent>(ref) != nullptr) return "a bare storage";
        return document_.get<pickle::List>(ref) != nullptr ? "a list" : "a plain value";
    }

    /// The global at the root of a call; the result of a call may itself be called.
    std::string callee_name(const pickle::Call& call) const {
        const pickle::Call* current = &call;
        while (const auto* const next = document_.get<pickle::Call>(current->callee)) current = next;
        const auto* const global = document_.get<pickle::Global>(current->callee);
        return global != nullptr ? global->name : "something that is not a global";
    }

    // The tensors.

    /// The arguments when the value is a call of the global `name`, else null.
    const std::vector<pickle::Ref>* arguments_of(pickle::Ref ref, std::string_view name) const {
        const auto* const call = document_.get<pickle::Call>(ref);
        if (call == nullptr) return nullptr;
        const auto* const global = document_.get<pickle::Global>(call->callee);
        const auto* const arguments = document_.get<pickle::Tuple>(call->arguments);
        return global != nullptr && global->name == name && arguments != nullptr ? &arguments->items : nullptr;
    }

    /// The arguments of _rebuild_tensor_v2 when the value is a tensor or a parameter around one, else null.
    const std::vector<pickle::Ref>* tensor_arguments(pickle::Ref ref) const {
        const auto* parameter = arguments_of(ref, "torch._utils._rebuild_parameter");
        if (parameter == nullptr) parameter = arguments_of(ref, "torch._utils._rebuild_parameter_with_state");
        if (parameter != nullptr && !parameter->empty()) ref = parameter->front();
        return arguments_of(ref, "torch._utils._rebuild_tensor_v2");
    }

    bool is_tensor(pickle::Ref ref) const { return tensor_arguments(ref) != nullptr; }

    void add_tensor(const std::string& name, pickle::Ref ref) {
        const std::string place = place_ + ": " + name;
        const std::vector<pickle::Ref>& arguments = *tensor_arguments(ref);
        check(arguments.size() >= 4, place.c_str(), "tensor has ", arguments.size(), " fields, expected 4 or more");
        const Storage storage = read_storage(arguments[0], place);
        const std::int64_t offset = integer(arguments[1], place, "offset");
        const std::vector<std::int64_t> sizes = integers(arguments[2], place, "size");
        std::vector<std::int64_t> strides = integers(arguments[3], place, "stride");
        check(sizes.size() <= max_rank, place.c_str(), "rank ", sizes.size(), " is above the limit of ", max_rank);
        check(strides.size() == sizes.size(), place.c_str(), "has ", sizes.size(), " sizes and ", strides.size(),
              " strides");
        const Shape shape(sizes);
        const auto bytes = byte_count(shape, storage.dtype);
        check(bytes.has_value(), place.c_str(), "shape ", shape, " is too large");
        if (*bytes == 0) return out_.insert(name, storage.dtype, shape, {});

        for (std::size_t i = 0; i < sizes.size(); ++i) {
            if (sizes[i] == 1) strides[i] = 0;  // never stepped over, and may be any number
        }
        check_range(storage, offset, sizes, strides, place);
        const std::size_t element = dtype_size(storage.dtype);
        const std::size_t first = static_cast<std::size_t>(offset) * element;
        if (is_contiguous(shape, strides)) {
            out_.insert(name, storage.dtype, shape, storage.bytes.slice(first, *bytes));
        } else {
            check(*bytes <= copy_budget_, place.c_str(), "repeats more elements than the file's size allows");
            copy_budget_ -= *bytes;
            out_.insert(name, storage.dtype, shape, gather(storage.bytes.view.subspan(first), shape, strides, element));
        }
    }

    Storage read_storage(pickle::Ref ref, const std::string& place) {
        const auto* const persistent = document_.get<pickle::Persistent>(ref);
        const auto* const fields = persistent ? document_.get<pickle::Tuple>(persistent->id) : nullptr;
        check(fields != nullptr && fields->items.size() == 5, place.c_str(), "has no storage of five fields");
        const auto* const tag = document_.get<std::string>(fields->items[0]);
        const auto* const type = document_.get<pickle::Global>(fields->items[1]);
        const auto* const key = document_.get<std::string>(fields->items[2]);
        check(tag != nullptr && *tag == "storage" && type != nullptr && key != nullptr, place.c_str(),
              "has a storage of unknown form");

        const std::optional<DType> dtype = storage_dtype(type->name);
        check(dtype.has_value(), place.c_str(), "has a storage of type ", type->name, ", which is not supported");
        const std::int64_t count = integer(fields->items[4], place, "storage count");
        const auto expected = byte_count(Shape{count}, *dtype);
        const SharedBytes& bytes = storage_bytes(*key);
        check(expected && *expected == bytes.size(), place.c_str(), "storage ", *key, " has ", bytes.size(),
              " bytes, expected ", count, " elements of ", dtype_name(*dtype));
        return {*dtype, bytes, count};
    }

    static std::optional<DType> storage_dtype(std::string_view global) {
        static constexpr std::pair<std::string_view, DType> types[] = {
            {"torch.DoubleStorage", DType::f64}, {"torch.FloatStorage", DType::f32},
            {"torch.HalfStorage", DType::f16},   {"torch.BFloat16Storage", DType::bf16},
            {"torch.LongStorage", DType::i64},   {"torch.IntStorage", DType::i32},
            {"torch.ShortStorage", DType::i16},  {"torch.CharStorage", DType::i8},
            {"torch.ByteStorage", DType::u8},    {"torch.BoolStorage", DType::boolean}};
        for (const auto& [name, dtype] : types) {
            if (name == global) return dtype;
        }
        return std::nullopt;
    }

    /// A storage is unpacked and checked once, however many tensors share it.
    const SharedBytes& storage_bytes(const std::string& key) {
        const auto found = storages_.find(key);
        if (found != storages_.end()) return found->second;
        return storages_.emplace(key, archive_.read(entry("data/" + key))).first->second;
    }

    std::int64_t integer(pickle::Ref ref, const std::string& place, std::string_view field) const {
        const auto* const value = document_.get<std::int64_t>(ref);
        check(value != nullptr && *value >= 0, place.c_str(), field, " is not an integer from 0 to 2^63 - 1");
        return *value;
    }

    std::vector<std::int64_t> integers(pickle::Ref ref, const std::string& place, std::string_view field) const {
        const auto* const tuple = document_.get<pickle::Tuple>(ref);
        check(tuple != nullptr, place.c_str(), field, " is not a tuple");
        std::vector<std::int64_t> out;
        for (const pickle::Ref item : tuple->items) out.push_back(integer(item, place, field));
        return out;
    }

    /// The last element, offset + sum (size - 1) stride, must lie in the storage. No sum overflows: each step
    /// compares with what is left.
    static void check_range(const Storage& storage, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                            const std::vector<std::int64_t>& strides, const std::string& place) {
        bool is_inside = offset < storage.count;
        std::int64_t left = storage.count - 1 - offset;
        for (std::size_t i = 0; i < sizes.size() && is_inside; ++i) {
            if (strides[i] == 0) continue;
            is_inside = sizes[i] - 1 <= left / strides[i];
            if (is_inside) left -= (sizes[i] - 1) * strides[i];
        }
        check(is_inside, place.c_str(), "reaches behind the end of its storage of ", storage.count, " elements");
    }

    static bool is_contiguous(const Shape& shape, const std::vector<std::int64_t>& strides) {
        const auto expected = row_major_strides(shape);
        for (std::size_t i = 0; i < strides.size(); ++i) {
            if (shape[static_cast<int>(i)] != 1 && strides[i] != expected[i]) return false;
        }
        return true;
    }

    /// Copies a strided tensor to row-major order; `from` begins at its first element.
    static SharedBytes gather(std::span<const std::byte> from, const Shape& shape,
                              const std::vector<std::int64_t>& strides, std::size_t element) {
        std::vector<std::byte> out(static_cast<std::size_t>(shape.count()) * element);
        std::vector<std::int64_t> index(strides.size(), 0);
        std::int64_t position = 0;  // elements from the first
        for (std::size_t written = 0; written < out.size(); written += element) {
            std::memcpy(&out[written], &from[static_cast<std::size_t>(position) * element], element);
            for (std::size_t axis = index.size(); axis-- > 0;) {
                position += strides[axis];
                if (++index[axis] < shape[static_cast<int>(axis)]) break;
                position -= strides[axis] * index[axis];
                index[axis] = 0;
            }
        }
        return SharedBytes::own(std::move(out));
    }

    std::string place_;
    ZipArchive archive_;
    std::size_t copy_budget_;  // bytes that strided tensors may still take
    std::size_t visits_ = 0;
    std::string root_;
    std::string first_object_;
    std::unordered_set<pickle::Ref> without_storage_;
    pickle::Document document_;
    std::unordered_map<std::string, SharedBytes> storages_;
    StateDict out_;
};

/// True when the bytes begin as PyTorch's formats before 1.6 did: a bare pickle or a tar archive.
inline bool is_legacy_pth(const SharedBytes& file) {
    const std::string_view text = file.text();
    constexpr std::size_t tar_magic = 257;
    return text.starts_with("\x80\x02") || (text.size() > tar_magic && text.substr(tar_magic).starts_with("ustar"));
}

/// Reads a .pth file that lies in memory; `place` opens the messages. Throws Error for anything but dicts of tensors.
inline StateDict parse_pth(const SharedBytes& file, const std::string& place) {
    check(!is_legacy_pth(file), place.c_str(),
          "is in PyTorch's format from before 1.6, which is not read; load it in Python and save it again with "
          "torch.save(state, path, _use_new_zipfile_serialization=True)");
    return PthParser(file, place).parse();
}

/// Reads a PyTorch checkpoint; contiguous tensors in stored entries point into the file's mapping. Errors as above.
inline StateDict read_pth(const std::filesystem::path& path) {
    return parse_pth(map_file(path), path.string());
}

}  // namespace dinomaly::io
