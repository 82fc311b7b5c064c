// SPDX-License-Identifier: Apache-2.0
// available_memory: how much this process may still take before the system swaps or ends it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// The number behind a word at the beginning of a line of a file ("" for the first word of all).
inline std::optional<std::uint64_t> number_in_file(const char* path, const std::string& word) {
    std::ifstream file(path);
    std::uint64_t number = 0;
    if (word.empty()) return file >> number ? std::optional(number) : std::nullopt;
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(word))
            return std::istringstream(line.substr(word.size())) >> number ? std::optional(number) : std::nullopt;
    return std::nullopt;
}

}  // namespace detail

/// Bytes that the system calls available, or what is left of the container's limit where that is less; nothing where
/// neither is known (systems other than Linux).
inline std::optional<std::size_t> available_memory() {
    std::optional<std::size_t> available;
    if (const auto kilobytes = detail::number_in_file("/proc/meminfo", "MemAvailable:")) available = *kilobytes * 1024;
    const auto limit = detail::number_in_file("/sys/fs/cgroup/memory.max", "");  // "max" where there is none
    const auto used = detail::number_in_file("/sys/fs/cgroup/memory.current", "");
    if (limit && used) {  // cached files count as used, but give way
        const auto cached = detail::number_in_file("/sys/fs/cgroup/memory.stat", "inactive_file ");
        const std::uint64_t taken = *used - std::min(*used, cached.value_or(0));
        const std::size_t left = *limit - std::min(*limit, taken);
        available = std::min(available.value_or(left), left);
    }
    return available;
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
