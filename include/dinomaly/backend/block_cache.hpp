// SPDX-License-Identifier: Apache-2.0
// BlockCache: memory that a device's tensors live in, kept for reuse.
//
// A training step asks for the same blocks again and again. The cache keeps freed blocks by size class (an eighth of a
// power of two apart, so at most 12.5 % is wasted), which spares the page faults of fresh host memory and the calls,
// slow and synchronising, for fresh device memory.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// What a BlockCache has done so far; sizes in bytes, rounded up to size classes.
struct BlockCacheStatistics {
    std::size_t held = 0;     ///< taken from the system and not given back: in use or waiting for reuse
    std::size_t in_use = 0;   ///< of these, behind a living handle
    std::uint64_t fresh = 0;  ///< blocks that had to be asked of the system; stands still in a steady loop
};

/// Freed blocks of a kind of memory, ready for reuse; one a process. Thread safe. Source has an alignment, take(bytes),
/// which returns null when there is no more, give(block), and refuse(bytes), which throws.
template <class Source> class BlockCache {
public:
    ~BlockCache() { release(); }

    /// A block of at least `bytes`, aligned as Source says; it returns to the cache when the last handle goes.
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

    /// What a block of `bytes` takes: rounded up to an eighth of the power of two below and to the alignment.
    static std::size_t size_class(std::size_t bytes) {
        const std::size_t step = std::max(Source::alignment, std::bit_floor(std::max<std::size_t>(bytes, 1)) / 8);
        return std::max(Source::alignment, (bytes + step - 1) / step * step);
    }

private:
    static const std::shared_ptr<BlockCache>& instance() {
        static const auto cache = std::make_shared<BlockCache>();  // kept alive by the blocks it handed out
        return cache;
    }

    void* take(std::size_t size) {
        {
            const std::lock_guard lock(mutex_);
            if (const auto free = free_.find(size); free != free_.end() && !free->second.empty()) {
                void* block = free->second.back();
                free->second.pop_back();
                statistics_.in_use += size;
                return block;
            }
        }
        void* block = Source::take(size);
        if (block == nullptr) {
            release();
            block = Source::take(size);
        }
        if (block == nullptr) Source::refuse(size);
        const std::lock_guard lock(mutex_);
        statistics_.held += size;
        statistics_.in_use += size;
        ++statistics_.fresh;
        return block;
    }

    void give(void* block, std::size_t size) {
        const std::lock_guard lock(mutex_);
        statistics_.in_use -= size;
        free_[size].push_back(block);
    }

    void release() {
        const std::lock_guard lock(mutex_);
        for (auto& [size, blocks] : free_)
            for (void* block : blocks) {
                Source::give(block);
                statistics_.held -= size;
            }
        free_.clear();
    }

    std::mutex mutex_;
    std::map<std::size_t, std::vector<void*>> free_;
    BlockCacheStatistics statistics_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
