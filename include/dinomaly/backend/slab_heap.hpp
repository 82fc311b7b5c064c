// SPDX-License-Identifier: Apache-2.0
// SlabHeap: memory that a GPU's tensors live in, cut from slabs.
//
// A GPU's memory is scarce and asking for it is slow, so it is taken in slabs and a block is the smallest free stretch
// that is large enough, the rest of which stays free; a freed block joins the free stretches beside it. Blocks of
// 1 MiB and more have slabs apart from small ones, which would pin them.
//
// Work that is recorded and replayed needs its memory for itself: a region, one slab as large as the work's peak. In it
// the first stretch that fits is taken, so that blocks lie close together: for a training step of ViT-B that needs .3 %
// more than its peak, the smallest stretch 3.6 %.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>

#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// What a SlabHeap has done so far; sizes in bytes, rounded up to the alignment.
struct SlabHeapStatistics {
    std::size_t held = 0;     ///< taken from the system and not given back: in use or free
    std::size_t most = 0;     ///< the most that was ever held
    std::size_t in_use = 0;   ///< of these, behind a living handle
    std::size_t peak = 0;     ///< the most that was in use since restart_peak()
    std::uint64_t fresh = 0;  ///< slabs that had to be asked of the system; stands still in a steady loop
};

/// A kind of memory in slabs; one a process. Thread safe. Source has an alignment, take(bytes), which returns null when
/// there is no more, give(slab), and refuse(bytes), which throws.
template <class Source> class SlabHeap {
    using Stretches = std::map<std::byte*, std::size_t>;  // free ones and their bytes, by address

public:
    static constexpr std::size_t small = std::size_t{1} << 20;       ///< blocks below share slabs with their like
    static constexpr std::size_t small_slab = std::size_t{4} << 20;  ///< bytes of such a slab
    static constexpr std::size_t medium = std::size_t{16} << 20;     ///< blocks below share slabs with larger ones
    static constexpr std::size_t medium_slab = std::size_t{64} << 20;
    static constexpr std::size_t slab_step = std::size_t{2} << 20;  ///< other slabs are multiples of it

    SlabHeap() = default;
    ~SlabHeap() { release(); }
    SlabHeap(const SlabHeap&) = delete;
    SlabHeap& operator=(const SlabHeap&) = delete;

    /// A block of at least `bytes`, aligned as Source says; it is free again when the last handle goes.
    static std::shared_ptr<void> allocate(std::size_t bytes) {
        const std::shared_ptr<SlabHeap>& heap = instance();
        const std::lock_guard lock(heap->mutex_);
        if (!heap->keeps_) return heap->lone_block(std::max<std::size_t>(bytes, 1));
        void* const block = heap->take(round_up(std::max<std::size_t>(bytes, 1), Source::alignment));
        return {block, [owner = heap](void* place) { owner->give(static_cast<std::byte*>(place)); }};
    }

    /// Whether freed blocks are kept.
    static bool keeps() { return instance()->keeps_; }
    /// From now on blocks have the size that was asked for and go back at once, so that a memory checker sees overruns.
    static void keep_nothing() {
        trim();
        const std::lock_guard lock(instance()->mutex_);
        instance()->keeps_ = false;
    }

    /// Memory for one user. While it is entered, blocks are cut from it and, where it is full, from slabs that it takes
    /// in addition. When it goes, what is in use of it stays valid, and all of it is common memory again.
    class Region {
    public:
        Region() = default;
        Region(Region&&) noexcept = default;
        Region& operator=(Region&&) = delete;
        ~Region() {
            if (free_ != nullptr) heap_->join(*free_);
        }

    private:
        friend class SlabHeap;
        std::shared_ptr<SlabHeap> heap_;
        std::unique_ptr<Stretches> free_;
    };

    /// A region with a slab of `bytes`, or with none where the system has no such slab.
    static Region region(std::size_t bytes) {
        Region made;
        made.heap_ = instance();
        made.free_ = std::make_unique<Stretches>();
        const std::lock_guard lock(instance()->mutex_);
        if (bytes > 0) instance()->add_slab(round_up(bytes, slab_step), *made.free_);
        return made;
    }
    /// From now on, until leave(), all threads' blocks are cut from this region.
    static void enter(const Region& region) {
        const std::lock_guard lock(instance()->mutex_);
        instance()->entered_ = region.free_.get();
    }
    static void leave() {
        const std::lock_guard lock(instance()->mutex_);
        instance()->entered_ = nullptr;
    }

    static SlabHeapStatistics statistics() {
        const std::lock_guard lock(instance()->mutex_);
        return instance()->statistics_;
    }
    static void restart_peak() {
        const std::lock_guard lock(instance()->mutex_);
        instance()->statistics_.peak = instance()->statistics_.in_use;
    }

    /// Gives common slabs of which nothing is in use back to the system: worth it where work of other sizes follows.
    static void trim() {
        const std::lock_guard lock(instance()->mutex_);
        instance()->release();
    }

private:
    /// A stretch of a slab, in use or free.
    struct Block {
        std::size_t bytes;
        std::size_t slab_bytes;  // of the slab that begins here, or 0
        Stretches* home;         // where it stands while it is free
        bool is_free;
    };
    using Blocks = std::map<std::byte*, Block>;

    static const std::shared_ptr<SlabHeap>& instance() {
        static const auto heap = std::make_shared<SlabHeap>();  // kept alive by the blocks it handed out
        return heap;
    }

    static constexpr std::size_t round_up(std::size_t bytes, std::size_t step) {
        return (bytes + step - 1) / step * step;
    }

    // All that follow are called under the lock, but give() and join(), which take it.

    void* take(std::size_t bytes) {
        const bool is_small = bytes < small;
        Stretches& from = entered_ != nullptr ? *entered_ : is_small ? small_ : large_;
        auto found = fitting(from, bytes);
        if (found == from.end()) {
            const std::size_t slab = is_small ? small_slab : bytes < medium ? medium_slab : round_up(bytes, slab_step);
            if (!add_slab(slab, from)) {
                release();
                if (!add_slab(slab, from)) Source::refuse(bytes);
            }
            found = fitting(from, bytes);
        }
        std::byte* const place = found->first;
        from.erase(found);
        Block& block = blocks_.at(place);
        block.is_free = false;
        if (block.bytes > bytes) {
            const Block rest{block.bytes - bytes, 0, &from, true};
            blocks_.emplace(place + bytes, rest);
            from.emplace(place + bytes, rest.bytes);
            block.bytes = bytes;
        }
        count_in(bytes);
        return place;
    }

    /// The first stretch of a region that is large enough, of common ones the smallest; or none.
    typename Stretches::iterator fitting(Stretches& stretches, std::size_t bytes) const {
        auto best = stretches.end();
        for (auto stretch = stretches.begin(); stretch != stretches.end(); ++stretch) {
            if (stretch->second < bytes || (best != stretches.end() && best->second <= stretch->second)) continue;
            best = stretch;
            if (entered_ != nullptr) break;
        }
        return best;
    }

    void give(std::byte* place) {
        const std::lock_guard lock(mutex_);
        auto block = blocks_.find(place);
        statistics_.in_use -= block->second.bytes;
        block->second.is_free = true;
        if (const auto next = std::next(block); continues(next) && next->second.is_free) {
            next->second.home->erase(next->first);
            absorb(block, next);
        }
        if (block->second.slab_bytes == 0)
            if (const auto before = std::prev(block); before->second.is_free) {
                before->second.home->erase(before->first);
                absorb(before, block);
                block = before;
            }
        block->second.home->emplace(block->first, block->second.bytes);
    }

    /// Whether a block is the continuation of the one before in the same slab.
    bool continues(typename Blocks::iterator block) const {
        return block != blocks_.end() && block->second.slab_bytes == 0;
    }
    void absorb(typename Blocks::iterator block, typename Blocks::iterator next) {
        block->second.bytes += next->second.bytes;
        blocks_.erase(next);
    }

    bool add_slab(std::size_t bytes, Stretches& home) {
        auto* const place = static_cast<std::byte*>(Source::take(bytes));
        if (place == nullptr) return false;
        blocks_.emplace(place, Block{bytes, bytes, &home, true});
        home.emplace(place, bytes);
        count_held(bytes);
        return true;
    }

    /// A slab for this block alone, which goes with it.
    std::shared_ptr<void> lone_block(std::size_t bytes) {
        void* const place = Source::take(bytes);
        if (place == nullptr) Source::refuse(bytes);
        count_held(bytes);
        count_in(bytes);
        return {place, [owner = instance(), bytes](void* block) {
                    const std::lock_guard lock(owner->mutex_);
                    Source::give(block);
                    owner->statistics_.held -= bytes;
                    owner->statistics_.in_use -= bytes;
                }};
    }

    void count_held(std::size_t bytes) {
        statistics_.held += bytes;
        statistics_.most = std::max(statistics_.most, statistics_.held);
        ++statistics_.fresh;
    }
    void count_in(std::size_t bytes) {
        statistics_.in_use += bytes;
        statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
    }

    /// A region's memory becomes common.
    void join(Stretches& region) {
        const std::lock_guard lock(mutex_);
        for (auto& [place, block] : blocks_)
            if (block.home == &region) block.home = &large_;
        large_.merge(region);
    }

    void release() {
        for (Stretches* const stretches : {&small_, &large_})
            for (auto stretch = stretches->begin(); stretch != stretches->end();) {
                const auto [place, bytes] = *stretch;
                if (blocks_.at(place).slab_bytes != bytes) {
                    ++stretch;
                    continue;
                }
                Source::give(place);
                statistics_.held -= bytes;
                blocks_.erase(place);
                stretch = stretches->erase(stretch);
            }
    }

    std::mutex mutex_;
    bool keeps_ = true;
    Blocks blocks_;
    Stretches small_, large_;
    Stretches* entered_ = nullptr;
    SlabHeapStatistics statistics_;
};

}  // namespace dinomaly::inline DINOMALY_ABI::backend
