// SPDX-License-Identifier: Apache-2.0
// Depths as an uncompressed TIFF of 32-bit floating-point values, as depth.hpp reads them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/depth.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// A TIFF of `samples` values a pixel: 1, depths, or 3, coordinates; values [height, width, samples]. Throws when there
/// are not as many, or they take more than a TIFF can hold.
inline std::vector<std::byte> encode_float_tiff(std::span<const float> values, int width, int height, int samples = 1) {
    static_assert(std::endian::native == std::endian::little, "the file is written in this machine's byte order");
    check_size("tiff", width, height);
    check(samples == 1 || samples == 3, "tiff", samples, " values a pixel, 1 or 3 expected");
    const std::size_t bytes = values.size_bytes();
    check(values.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                               static_cast<std::size_t>(samples) &&
              bytes < UINT32_MAX / 2,
          "tiff", values.size(), " values of ", width, 'x', height, " pixels");

    struct Field {
        std::uint16_t tag, type;
        std::uint32_t count, value;
    };
    constexpr std::uint16_t short_type = 3, long_type = 4;
    constexpr std::uint32_t header = 8, fields = 10, lists = header + 2 + fields * 12 + 4;
    const auto many = static_cast<std::uint32_t>(samples);
    // Three values of 16 bits do not fit in a field: they stand behind the fields.
    const std::uint32_t bits = samples == 1 ? 32 : lists, formats = samples == 1 ? 3 : lists + 6;
    const std::uint32_t data = lists + 12;
    const std::array<Field, fields> directory{{{256, long_type, 1, static_cast<std::uint32_t>(width)},
                                               {257, long_type, 1, static_cast<std::uint32_t>(height)},
                                               {258, short_type, many, bits},
                                               {259, short_type, 1, 1},                       // not compressed
                                               {262, short_type, 1, samples == 1 ? 1U : 2U},  // grey, or three channels
                                               {273, long_type, 1, data},                     // where the one strip is
                                               {277, short_type, 1, many},
                                               {278, long_type, 1, static_cast<std::uint32_t>(height)},
                                               {279, long_type, 1, static_cast<std::uint32_t>(bytes)},
                                               {339, short_type, many, formats}}};  // floating point
    std::vector<std::byte> file(data + bytes);
    std::byte* to = file.data();
    const auto put = [&to](const auto& value) {
        std::memcpy(to, &value, sizeof value);
        to += sizeof value;
    };
    put(std::array<char, 2>{'I', 'I'});
    put(std::uint16_t{42});
    put(header);
    put(static_cast<std::uint16_t>(fields));
    for (const Field& field : directory) {
        put(field.tag), put(field.type), put(field.count), put(field.value);
    }
    put(std::uint32_t{0});  // no further picture
    put(std::array<std::uint16_t, 6>{32, 32, 32, 3, 3, 3});
    std::memcpy(to, values.data(), bytes);
    return file;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
