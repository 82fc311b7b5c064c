// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers, written: fields of a message one after the other, each behind its key, which is
// 8 times its number plus the kind of what follows.
//   0 a number, 7 bits a byte, the lowest first      2 a length and so many bytes: texts, messages, lists
//   5 four bytes: a float
// A message stands before its bytes are asked for, since the length of an inner one comes first; but large payloads are
// made only as they are written, one after the other, so that a file takes no more memory than its largest tensor.
// https://protobuf.dev/programming-guides/encoding
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/io/file.hpp"

namespace dinomaly::io::protobuf {

/// A message to be written; fields appear in the order in which they are added.
class Message {
public:
    /// Makes a payload when it is its turn to be written.
    using Payload = std::function<SharedBytes()>;

    /// An integer, an enumeration or a truth value; a negative number takes ten bytes.
    Message& number(int field, std::int64_t value) {
        std::string& out = tail();
        append_key(out, field, Kind::number);
        append_number(out, static_cast<std::uint64_t>(value));
        return *this;
    }
    /// A float.
    Message& real(int field, float value) {
        std::string& out = tail();
        append_key(out, field, Kind::four_bytes);
        const auto word = std::bit_cast<std::uint32_t>(value);
        for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(word >> shift & 0xffU));
        return *this;
    }
    /// A text, or bytes that are at hand.
    Message& text(int field, std::string_view value) {
        std::string& out = tail();
        append_key(out, field, Kind::length);
        append_number(out, value.size());
        out.append(value);
        return *this;
    }
    /// `size` bytes that `make` gives when they are written.
    Message& payload(int field, std::uint64_t size, Payload make) {
        std::string& out = tail();
        append_key(out, field, Kind::length);
        append_number(out, size);
        pieces_.push_back({{}, size, std::move(make)});
        return *this;
    }
    /// A message.
    Message& message(int field, Message inner) {
        std::string& out = tail();
        append_key(out, field, Kind::length);
        append_number(out, inner.size());
        for (Piece& piece : inner.pieces_) {
            if (piece.make)
                pieces_.push_back(std::move(piece));
            else
                tail().append(piece.text);
        }
        return *this;
    }

    /// Bytes of the message.
    std::uint64_t size() const {
        std::uint64_t sum = 0;
        for (const Piece& piece : pieces_) sum += piece.make ? piece.size : piece.text.size();
        return sum;
    }

    /// Calls sink(bytes) with the message, part by part. Throws Error when a payload is not as long as was said.
    void write(const std::function<void(std::span<const std::byte>)>& sink) const {
        for (const Piece& piece : pieces_) {
            if (!piece.make) {
                sink(std::as_bytes(std::span(piece.text)));
                continue;
            }
            const SharedBytes bytes = piece.make();
            check(bytes.size() == piece.size, "protobuf", "a payload of ", bytes.size(), " bytes, ", piece.size,
                  " expected");
            sink(bytes.view);
        }
    }

private:
    enum class Kind : std::uint64_t { number = 0, length = 2, four_bytes = 5 };

    /// Bytes that stand, or, with `make`, `size` bytes to come.
    struct Piece {
        std::string text;
        std::uint64_t size = 0;
        Payload make;
    };

    static void append_number(std::string& out, std::uint64_t value) {
        for (; value >= 0x80U; value >>= 7U) out.push_back(static_cast<char>(0x80U | (value & 0x7fU)));
        out.push_back(static_cast<char>(value));
    }
    static void append_key(std::string& out, int field, Kind kind) {
        check(field > 0, "protobuf", "field ", field, ", a number above zero expected");
        append_number(out, static_cast<std::uint64_t>(field) << 3U | static_cast<std::uint64_t>(kind));
    }

    /// Where bytes that stand are appended.
    std::string& tail() {
        if (pieces_.empty() || pieces_.back().make) pieces_.emplace_back();
        return pieces_.back().text;
    }

    std::vector<Piece> pieces_;
};

}  // namespace dinomaly::io::protobuf
