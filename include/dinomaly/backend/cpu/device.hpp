// SPDX-License-Identifier: Apache-2.0
// Cpu<T>: host memory from a cache of blocks.
//
// A training step asks for the same blocks again and again. The cache keeps freed blocks by size class (an eighth of a
// power of two apart, so at most 12.5 % is wasted), which spares the page faults of fresh memory.
#pragma once

#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <vector>

#include "dinomaly/core/bfloat16.hpp"
#include "dinomaly/core/concepts.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Freed blocks of host memory, ready for reuse. Thread safe.
class BlockCache {
public:
    ~BlockCache() { release(); }

    /// A block of at least `bytes`, aligned to a cache line; it returns to the cache when the last handle goes.
    static std::shared_ptr<void> allocate(std::size_t bytes) {
        static const auto cache = std::make_shared<BlockCache>();  // kept alive by the blocks it handed out
        const std::size_t size = size_class(bytes);
        return {cache->take(size), [owner = cache, size](void* block) { owner->give(block, size); }};
    }

private:
    static constexpr std::size_t alignment = 64;

    /// Rounds up to an eighth of the power of two below, at least one alignment unit.
    static std::size_t size_class(std::size_t bytes) {
        const std::size_t step = std::max(alignment, std::bit_floor(std::max<std::size_t>(bytes, 1)) / 8);
        return std::max(alignment, (bytes + step - 1) / step * step);
    }

    void* take(std::size_t size) {
        {
            const std::lock_guard lock(mutex_);
            if (auto free = free_.find(size); free != free_.end() && !free->second.empty()) {
                void* block = free->second.back();
                free->second.pop_back();
                return block;
            }
        }
        void* block = std::aligned_alloc(alignment, size);
        if (block == nullptr) {
            release();
            block = std::aligned_alloc(alignment, size);
        }
        if (block == nullptr) throw std::bad_alloc();
        return block;
    }

    void give(void* block, std::size_t size) {
        const std::lock_guard lock(mutex_);
        free_[size].push_back(block);
    }

    void release() {
        const std::lock_guard lock(mutex_);
        for (auto& [size, blocks] : free_)
            for (void* block : blocks) std::free(block);
        free_.clear();
    }

    std::mutex mutex_;
    std::map<std::size_t, std::vector<void*>> free_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend

namespace dinomaly::inline DINOMALY_ABI {

/// The host processor with elements of type T: float, double or bfloat16.
template <class T> struct Cpu {
    using value_type = T;
    using compute_type = std::conditional_t<std::is_same_v<T, double>, double, float>;
    using full = Cpu<compute_type>;

    static std::shared_ptr<void> allocate(std::size_t bytes) { return backend::BlockCache::allocate(bytes); }
    static void zero(void* target, std::size_t bytes) { std::memset(target, 0, bytes); }
    static void upload(void* target, const void* source, std::size_t bytes) { copy(target, source, bytes); }
    static void download(void* target, const void* source, std::size_t bytes) { copy(target, source, bytes); }

private:
    static void copy(void* target, const void* source, std::size_t bytes) {
        if (bytes != 0) std::memcpy(target, source, bytes);
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI
