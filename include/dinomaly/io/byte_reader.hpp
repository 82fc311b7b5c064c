// SPDX-License-Identifier: Apache-2.0
// A cursor over bytes of unknown honesty: every read is checked against the end, all numbers are little endian.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::io {

static_assert(std::endian::native == std::endian::little, "weight files are read in place, and they are little endian");

class ByteReader {
public:
    /// Reads `bytes` from `position` on; `place` (the file) opens the messages.
    ByteReader(std::span<const std::byte> bytes, std::string place, std::uint64_t position = 0)
        : bytes_(bytes), place_(std::move(place)) {
        check(position <= bytes_.size(), place_.c_str(), "offset ", position, " lies behind the end at ",
              bytes_.size());
        position_ = static_cast<std::size_t>(position);
    }

    const std::string& place() const { return place_; }
    std::size_t position() const { return position_; }
    std::size_t remaining() const { return bytes_.size() - position_; }

    /// The next `count` bytes. Throws Error when the input ends before.
    std::span<const std::byte> take(std::uint64_t count) {
        check(count <= remaining(), place_.c_str(), "is cut short: ", count, " bytes expected at offset ", position_,
              ", ", remaining(), " found");
        const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
        position_ += taken.size();
        return taken;
    }

    /// The next integer.
    template <std::integral T> T read() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }

    /// The next `count` bytes as characters.
    std::string_view text(std::uint64_t count) {
        const auto taken = take(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }

    /// The characters before the next line feed, which is read too.
    std::string_view line() {
        const std::string_view rest{reinterpret_cast<const char*>(bytes_.data()) + position_, remaining()};
        const std::size_t length = rest.find('\n');
        check(length != std::string_view::npos, place_.c_str(), "is cut short: a line without an end at offset ",
              position_);
        position_ += length + 1;
        return rest.substr(0, length);
    }

private:
    std::span<const std::byte> bytes_;
    std::string place_;
    std::size_t position_ = 0;
};

}  // namespace dinomaly::io
