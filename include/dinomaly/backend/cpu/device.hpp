// SPDX-License-Identifier: Apache-2.0
// Cpu<T>: host memory from a cache of blocks.
//
// A training step asks for the same blocks again and again. The cache keeps freed blocks by size class (an eighth of a
// power of two apart, so at most 12.5 % is wasted), which spares the page faults of fresh memory.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
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

/// What the process's BlockCache has done so far; sizes in bytes, rounded up to size classes.
struct BlockCacheStatistics {
    std::size_t held = 0;     ///< taken from the system and not given back: in use or waiting for reuse
    std::size_t in_use = 0;   ///< of these, behind a living handle
    std::uint64_t fresh = 0;  ///< blocks that had to be asked of the system; stands still in a steady loop
};

/// Freed blocks of host memory, ready for reuse. Thread safe.
class BlockCache {
public:
    ~BlockCache() { release(); }

    /// A block of at least `bytes`, aligned to a cache line; it returns to the cache when the last handle goes.
    static std::shared_ptr<void> allocate(std::size_t bytes) {
        const std::shared_ptr<BlockCache>& cache = instance();
        const std::size_t size = size_class(bytes);
        return {cache->take(size), [owner = cache, size](void* block) { owner->give(block, size); }};
    }

    static BlockCacheStatistics statistics() {
        const std::lock_guard lock(instance()->mutex_);
        return instance()->statistics_;
    }

    /// Gives all blocks that wait for reuse back to the system: worth it where work of other sizes follows.
    static void trim() { instance()->release(); }

    /// What a block of `bytes` takes: rounded up to an eighth of the power of two below, at least a cache line.
    static std::size_t size_class(std::size_t bytes) {
        const std::size_t step = std::max(alignment, std::bit_floor(std::max<std::size_t>(bytes, 1)) / 8);
        return std::max(alignment, (bytes + step - 1) / step * step);
    }

private:
    static constexpr std::size_t alignment = 64;

    static const std::shared_ptr<BlockCache>& instance() {
        static const auto cache = std::make_shared<BlockCache>();  // kept alive by the blocks it handed out
        return cache;
    }

    void* take(std::size_t size) {
        {
            const std::lock_guard lock(mutex_);
            if (auto free = free_.find(size); free != free_.end() && !free->second.empty()) {
                void* block = free->second.back();
                free->second.pop_back();
                statistics_.in_use += size;
                return block;
            }
        }
        void* block = std::aligned_alloc(alignment, size);
        if (block == nullptr) {
            release();
            block = std::aligned_alloc(alignment, size);
        }
        if (block == nullptr) throw std::bad_alloc();
        const std::lock_guard lock(mutex_);
        statistics_.held += size;
        statistics_.in_use += size;
        ++statistics_.fresh;
        return block;
    }

    void give(void* block, std::size_t size) {
        const std::lock_guard lock(mutex_);
        free_[size].push_back(block);
        statistics_.in_use -= size;
    }

    void release() {
        const std::lock_guard lock(mutex_);
        for (auto& [size, blocks] : free_)
            for (void* block : blocks) std::free(block);
        free_.clear();
        statistics_.held = statistics_.in_use;
    }

    std::mutex mutex_;
    std::map<std::size_t, std::vector<void*>> free_;
    BlockCacheStatistics statistics_;
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
    static void copy(void* target, const void* source, std::size_t bytes) {
        if (bytes != 0) std::memcpy(target, source, bytes);
    }
};

}  // namespace dinomaly::inline DINOMALY_ABI
