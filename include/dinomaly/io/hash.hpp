// SPDX-License-Identifier: Apache-2.0
// One figure for the content of a StateDict, to tell which weights a result came from: XXH3 with 128 bits over names,
// types, shapes and bytes, in order of the names. File format, tensor order and metadata do not count. Also a checksum
// of plain bytes.
#pragma once

#include "dinomaly/core/native.hpp"  // brings <immintrin.h> without its warnings, before xxHash does

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL  // xxHash as a header, no library to link
#endif
#if !defined(NDEBUG) && !defined(XXH_NO_INLINE_HINTS)
#define XXH_NO_INLINE_HINTS 1  // g++ -Og refuses what xxHash forces to be inlined
#endif
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dinomaly/core/macros.hpp"
#include "dinomaly/io/state_dict.hpp"

namespace dinomaly::io {

/// A checksum of bytes: XXH3 with 64 bits.
inline std::uint64_t hash_bytes(std::span<const std::byte> bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

/// 32 hexadecimal digits that depend on every name, type, shape and byte. Not cryptographic.
inline std::string hash(const StateDict& dict) {
    std::vector<const StateDict::Entry*> entries;
    for (const StateDict::Entry& entry : dict) entries.push_back(&entry);
    std::ranges::sort(entries, {}, [](const StateDict::Entry* entry) { return std::string_view(entry->first); });

    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    const auto add = [&state](const void* data, std::size_t size) { XXH3_128bits_update(&state, data, size); };
    const auto add_text = [&add](std::string_view text) {  // the length first, or "ab", "c" would equal "a", "bc"
        const std::uint64_t size = text.size();
        add(&size, sizeof size);
        add(text.data(), text.size());
    };
    for (const auto* entry : entries) {
        const auto& [name, tensor] = *entry;
        add_text(name);
        add_text(dtype_name(tensor.dtype));
        const std::int64_t rank = tensor.shape.rank();
        add(&rank, sizeof rank);
        for (const std::int64_t size : tensor.shape) add(&size, sizeof size);
        add(tensor.bytes.view.data(), tensor.bytes.size());
    }

    const XXH128_hash_t digest = XXH3_128bits_digest(&state);
    char text[33];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(digest.high64),
                  static_cast<unsigned long long>(digest.low64));
    return text;
}

}  // namespace dinomaly::io
