// SPDX-License-Identifier: Apache-2.0
// A reader for Python's pickle format, protocols 2 to 5, that only describes what it reads.
//
// A pickle is a program for a small stack machine, and real unpickling may call anything. Here a global is its name, a
// call is a record of callee and arguments, and that is all: there is no code to run them. The one exception is
// collections.OrderedDict(), which is a dict. Who reads the result decides which records to understand.
//
// All values live in one array and refer to each other by index, so deep nesting and cycles in hostile input cost
// neither recursion nor leaks; each opcode makes at most one value and their number is limited.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"
#include "dinomaly/io/byte_reader.hpp"

namespace dinomaly::io::pickle {

inline constexpr std::size_t max_operations = 4'000'000;  ///< opcodes of one pickle; a tensor takes about forty

using Ref = std::uint32_t;  ///< index of a value in Document::values

struct None {};
struct Bytes {  ///< also an integer of more than 64 bits
    std::string data;
};
struct List {  ///< also a set
    std::vector<Ref> items;
};
struct Tuple {
    std::vector<Ref> items;
};
struct Dict {
    std::vector<std::pair<Ref, Ref>> items;
};
struct Global {
    std::string name;  ///< "module.name"
};
struct Call {  ///< what the file wanted to be called; items set on the result are dropped
    Ref callee, arguments;
};
struct Persistent {  ///< a reference to something outside the pickle
    Ref id;
};
using Value =
    std::variant<None, bool, std::int64_t, double, std::string, Bytes, List, Tuple, Dict, Global, Call, Persistent>;

struct Document {
    std::vector<Value> values;
    Ref root = 0;

    const Value& operator[](Ref ref) const { return values[ref]; }
    /// The value if it is a T, else null.
    template <class T> const T* get(Ref ref) const { return std::get_if<T>(&values[ref]); }
};

/// The stack machine. One object reads one pickle.
class Machine {
public:
    Machine(std::span<const std::byte> bytes, std::string place) : input_(bytes, std::move(place)) {}

    Document run() {
        for (std::size_t count = 0; !finished_; ++count) {
            require(count < max_operations, "has too many operations");
            step();
        }
        return std::move(document_);
    }

private:
    enum class Op : std::uint8_t {
        mark = '(',
        stop = '.',
        pop = '0',
        pop_mark = '1',
        dup = '2',
        float64 = 'G',
        int32 = 'J',
        uint8 = 'K',
        uint16 = 'M',
        none = 'N',
        persistent = 'Q',
        reduce = 'R',
        str32 = 'T',
        str8 = 'U',
        text32 = 'X',
        append = 'a',
        build = 'b',
        global = 'c',
        dict = 'd',
        appends = 'e',
        get8 = 'h',
        get32 = 'j',
        list = 'l',
        put8 = 'q',
        put32 = 'r',
        set_item = 's',
        tuple = 't',
        set_items = 'u',
        empty_dict = '}',
        empty_list = ']',
        empty_tuple = ')',
        bytes32 = 'B',
        bytes8 = 'C',
        protocol = 0x80,
        new_object = 0x81,
        tuple1 = 0x85,
        tuple2 = 0x86,
        tuple3 = 0x87,
        new_true = 0x88,
        new_false = 0x89,
        long8 = 0x8a,
        long32 = 0x8b,
        text8 = 0x8c,
        text64 = 0x8d,
        bytes64 = 0x8e,
        empty_set = 0x8f,
        add_items = 0x90,
        frozen_set = 0x91,
        new_object_ex = 0x92,
        stack_global = 0x93,
        memoize = 0x94,
        frame = 0x95,
        bytearray64 = 0x96
    };

    void step() {
        const auto code = input_.read<std::uint8_t>();
        require(started_ || static_cast<Op>(code) == Op::protocol, "is not a pickle of protocol 2 or later");
        switch (static_cast<Op>(code)) {
            case Op::protocol: return read_protocol();
            case Op::frame: input_.take(8); return;
            case Op::stop:
                document_.root = pop();
                finished_ = true;
                return;

            case Op::mark: marks_.push_back(stack_.size()); return;
            case Op::pop: drop(); return;
            case Op::pop_mark: pop_to_mark(); return;
            case Op::dup: stack_.push_back(top()); return;

            case Op::none: return push(None{});
            case Op::new_true: return push(true);
            case Op::new_false: return push(false);
            case Op::uint8: return push(std::int64_t{input_.read<std::uint8_t>()});
            case Op::uint16: return push(std::int64_t{input_.read<std::uint16_t>()});
            case Op::int32: return push(std::int64_t{input_.read<std::int32_t>()});
            case Op::long8: return push_integer(input_.read<std::uint8_t>());
            case Op::long32: return push_integer(input_.read<std::uint32_t>());
            case Op::float64: return push(big_endian_double());

            case Op::text8: return push(std::string(input_.text(input_.read<std::uint8_t>())));
            case Op::text32: return push(std::string(input_.text(input_.read<std::uint32_t>())));
            case Op::text64: return push(std::string(input_.text(input_.read<std::uint64_t>())));
            case Op::str8: return push(std::string(input_.text(input_.read<std::uint8_t>())));
            case Op::str32: return push(std::string(input_.text(input_.read<std::uint32_t>())));
            case Op::bytes8: return push(Bytes{std::string(input_.text(input_.read<std::uint8_t>()))});
            case Op::bytes32: return push(Bytes{std::string(input_.text(input_.read<std::uint32_t>()))});
            case Op::bytes64:
            case Op::bytearray64: return push(Bytes{std::string(input_.text(input_.read<std::uint64_t>()))});

            case Op::empty_tuple: return push(Tuple{});
            case Op::tuple1: return push(Tuple{pop_many(1)});
            case Op::tuple2: return push(Tuple{pop_many(2)});
            case Op::tuple3: return push(Tuple{pop_many(3)});
            case Op::tuple:
            case Op::frozen_set: return push(Tuple{pop_to_mark()});
            case Op::empty_list:
            case Op::empty_set: return push(List{});
            case Op::list: return push(List{pop_to_mark()});
            case Op::append: return add_items(pop_many(1));
            case Op::appends:
            case Op::add_items: return add_items(pop_to_mark());
            case Op::empty_dict: return push(Dict{});
            case Op::dict: return push_dict(pop_to_mark());
            case Op::set_item: return set_items(pop_many(2));
            case Op::set_items: return set_items(pop_to_mark());

            case Op::put8: memo_[input_.read<std::uint8_t>()] = top(); return;
            case Op::put32: memo_[input_.read<std::uint32_t>()] = top(); return;
            case Op::memoize: memo_[static_cast<std::uint32_t>(memo_.size())] = top(); return;
            case Op::get8: return recall(input_.read<std::uint8_t>());
            case Op::get32: return recall(input_.read<std::uint32_t>());

            case Op::global: return push_line_global();
            case Op::stack_global: return push_stack_global();
            case Op::reduce:
            case Op::new_object: return push_call();
            case Op::new_object_ex: pop(); return push_call();  // keyword arguments are dropped
            case Op::build:
                pop();
                top();
                return;  // the state is dropped, the object stays
            case Op::persistent: return push(Persistent{pop()});
        }
        fail(input_.place(), "pickle has an unknown opcode ", int{code}, " at offset ", input_.position() - 1);
    }

    template <class... Parts> void require(bool condition, const Parts&... parts) const {
        check(condition, input_.place().c_str(), "pickle ", parts..., " (at offset ", input_.position(), ')');
    }

    // The stack. Values under the last mark belong to an unfinished container and cannot be taken.

    std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

    Ref top() const {
        require(available() > 0, "takes from an empty stack");
        return stack_.back();
    }

    Ref pop() {
        const Ref ref = top();
        stack_.pop_back();
        return ref;
    }

    std::vector<Ref> pop_many(std::size_t count) {
        require(available() >= count, "takes ", count, " values from a stack of ", available());
        std::vector<Ref> refs(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
        stack_.resize(stack_.size() - count);
        return refs;
    }

    std::vector<Ref> pop_to_mark() {
        require(!marks_.empty(), "closes a container that was not opened");
        std::vector<Ref> refs = pop_many(available());
        marks_.pop_back();
        return refs;
    }

    /// POP takes a mark when that is on top.
    void drop() {
        if (!marks_.empty() && available() == 0) {
            marks_.pop_back();
        } else {
            pop();
        }
    }

    void push(Value value) {
        stack_.push_back(static_cast<Ref>(document_.values.size()));
        document_.values.push_back(std::move(value));
    }

    void recall(std::uint32_t key) {
        const auto found = memo_.find(key);
        require(found != memo_.end(), "recalls value ", key, ", which was not stored");
        stack_.push_back(found->second);
    }

    // Values that take more than a line.

    void read_protocol() {
        const int version = input_.read<std::uint8_t>();
        require(version >= 2 && version <= 5, "has protocol ", version, ", expected 2 to 5");
        started_ = true;
    }

    double big_endian_double() {
        std::uint64_t word = 0;
        for (const std::byte byte : input_.take(8)) word = word << 8 | std::to_integer<std::uint64_t>(byte);
        return std::bit_cast<double>(word);
    }

    /// A little-endian two's complement integer of any length.
    void push_integer(std::uint32_t size) {
        const std::span<const std::byte> bytes = input_.take(size);
        if (size > 8) return push(Bytes{std::string(reinterpret_cast<const char*>(bytes.data()), size)});
        const bool is_negative = size > 0 && (bytes[size - 1] & std::byte{0x80}) != std::byte{0};
        std::uint64_t word = is_negative ? ~std::uint64_t{0} : 0;
        for (std::uint32_t i = size; i > 0; --i) word = word << 8 | std::to_integer<std::uint64_t>(bytes[i - 1]);
        push(static_cast<std::int64_t>(word));
    }

    void push_dict(const std::vector<Ref>& keys_and_values) {
        push(Dict{});
        set_items(keys_and_values);
    }

    void set_items(const std::vector<Ref>& keys_and_values) {
        require(keys_and_values.size() % 2 == 0, "sets a key without a value");
        Value& target = document_.values[top()];
        if (std::holds_alternative<Call>(target)) return;
        Dict* const dict = std::get_if<Dict>(&target);
        require(dict != nullptr, "sets items of something that is not a dict");
        for (std::size_t i = 0; i < keys_and_values.size(); i += 2) {
            dict->items.emplace_back(keys_and_values[i], keys_and_values[i + 1]);
        }
    }

    void add_items(const std::vector<Ref>& items) {
        Value& target = document_.values[top()];
        if (std::holds_alternative<Call>(target)) return;
        List* const list = std::get_if<List>(&target);
        require(list != nullptr, "appends to something that is not a list");
        list->items.insert(list->items.end(), items.begin(), items.end());
    }

    void push_line_global() {
        const std::string_view module = input_.line();
        const std::string_view name = input_.line();
        push(Global{std::string(module).append(".").append(name)});
    }

    void push_stack_global() {
        const std::vector<Ref> refs = pop_many(2);
        const auto* const module = document_.get<std::string>(refs[0]);
        const auto* const name = document_.get<std::string>(refs[1]);
        require(module != nullptr && name != nullptr, "names a global by something that is not a text");
        push(Global{*module + '.' + *name});
    }

    void push_call() {
        const std::vector<Ref> refs = pop_many(2);
        const auto* const callee = document_.get<Global>(refs[0]);
        const auto* const arguments = document_.get<Tuple>(refs[1]);
        if (callee != nullptr && callee->name == "collections.OrderedDict" && arguments != nullptr &&
            arguments->items.empty()) {
            return push(Dict{});
        }
        push(Call{refs[0], refs[1]});
    }

    ByteReader input_;
    Document document_;
    std::vector<Ref> stack_;
    std::vector<std::size_t> marks_;  // heights of the stack where containers were opened
    std::unordered_map<std::uint32_t, Ref> memo_;
    bool started_ = false;
    bool finished_ = false;
};

/// Describes the pickle at the beginning of `bytes`. Throws Error, opened by `place`, when it is damaged or too large.
inline Document parse(std::span<const std::byte> bytes, const std::string& place) {
    return Machine(bytes, place).run();
}

}  // namespace dinomaly::io::pickle
