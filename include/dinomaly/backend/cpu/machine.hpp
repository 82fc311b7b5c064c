// SPDX-License-Identifier: Apache-2.0
// What the system says of the processor and of this process, for those who measure.
#pragma once

#include <sys/resource.h>
#include <sys/utsname.h>

#include <cstddef>
#include <fstream>
#include <string>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

namespace detail {

/// The value of a field of one of the kernel's text files, behind "name :"; empty where there is none.
inline std::string kernel_field(const char* file, const std::string& name) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const std::size_t colon = line.find(':');
        if (!line.starts_with(name) || colon == std::string::npos) continue;
        const std::size_t value = line.find_first_not_of(" \t", colon + 1);
        return value == std::string::npos ? "" : line.substr(value);
    }
    return "";
}

}  // namespace detail

/// "AMD EPYC 9575F 64-Core Processor"; where the kernel does not tell, the architecture.
inline std::string processor_name() {
    const std::string name = detail::kernel_field("/proc/cpuinfo", "model name");
    utsname system{};
    return name.empty() && uname(&system) == 0 ? system.machine : name;
}

/// Peak resident memory of this process in bytes. getrusage() also counts the process that started this one, so it is
/// asked only where the kernel tells nothing better.
inline double peak_memory() {
    const std::string kilobytes = detail::kernel_field("/proc/self/status", "VmHWM");
    if (!kilobytes.empty()) return 1024 * std::stod(kilobytes);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return 1024 * static_cast<double>(usage.ru_maxrss);
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
