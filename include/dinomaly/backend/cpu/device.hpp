// SPDX-License-Identifier: Apache-2.0
// Cpu<T>: host memory from a cache of blocks.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#include "dinomaly/backend/block_cache.hpp"
#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/concepts.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Memory of the system in whole cache lines.
struct HostMemory {
    static constexpr std::size_t alignment = 64;

    static void* take(std::size_t bytes) { return std::aligned_alloc(alignment, bytes); }
    static void give(void* block) { std::free(block); }
    [[noreturn]] static void refuse(std::size_t) { throw std::bad_alloc(); }
};

using HostCache = BlockCache<HostMemory>;

}  // namespace dinomaly::inline DINOMALY_ABI::backend

namespace dinomaly::inline DINOMALY_ABI {

/// The host processor with elements of type T: float, double or bfloat16.
template <class T> struct Cpu {
    using value_type = T;
    using compute_type = std::conditional_t<std::is_same_v<T, double>, double, float>;
    using full = Cpu<compute_type>;

    static std::shared_ptr<void> allocate(std::size_t bytes) { return backend::HostCache::allocate(bytes); }
    static void zero(void* target, std::size_t bytes) { std::memset(target, 0, bytes); }
    static void fill(T* target, std::size_t count, T value) { std::fill_n(target, count, value); }
    static void upload(void* target, const void* source, std::size_t bytes) { copy(target, source, bytes); }
    static void download(void* target, const void* source, std::size_t bytes) { copy(target, source, bytes); }
    static void copy(void* target, const void* source, std::size_t bytes) {
        if (bytes != 0) std::memcpy(target, source, bytes);
    }
};

namespace backend {

/// Whether a device has memory of its own, apart from the host's, with room for so many bytes.
template <class T> bool has_own_room(Cpu<T>, std::size_t) {
    return false;
}

}  // namespace backend

}  // namespace dinomaly::inline DINOMALY_ABI
