// SPDX-License-Identifier: Apache-2.0
// The heap of slabs: blocks never overlap, neighbours join, regions are apart, and all goes back on request.
#define BOOST_TEST_MODULE backend_slab_heap
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "dinomaly/backend/slab_heap.hpp"

using dinomaly::backend::SlabHeap;

namespace {

constexpr std::size_t mb = std::size_t{1} << 20;

/// Host memory of which there are so many bytes. Each case has a kind, and so a heap, of its own.
template <int kind> struct Limited {
    static constexpr std::size_t alignment = 512;
    static inline std::size_t left = 512 * mb;
    static inline std::map<void*, std::size_t> taken = {};

    static void* take(std::size_t bytes) {
        if (bytes > left) return nullptr;
        void* const slab = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        left -= bytes, taken[slab] = bytes;
        return slab;
    }
    static void give(void* slab) {
        left += taken.at(slab), taken.erase(slab);
        std::free(slab);
    }
    [[noreturn]] static void refuse(std::size_t bytes) { throw std::length_error(std::to_string(bytes)); }
};

/// A block with a number in all its bytes.
struct Marked {
    std::shared_ptr<void> block;
    std::size_t bytes;
    unsigned char mark;

    Marked(std::shared_ptr<void> taken, std::size_t size, unsigned char number)
        : block(std::move(taken)), bytes(size), mark(number) {
        std::memset(block.get(), mark, bytes);
    }
    bool is_whole() const {
        const auto* const at = static_cast<const unsigned char*>(block.get());
        return at[0] == mark && std::memcmp(at, at + 1, bytes - 1) == 0;
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(blocks_keep_what_is_written_to_them) {
    using Heap = SlabHeap<Limited<0>>;
    std::mt19937 random(1);
    std::vector<Marked> blocks;
    std::size_t most = 0;
    for (int i = 0; i < 3000; ++i) {
        if (!blocks.empty() && random() % 2 == 0) {
            const std::size_t which = random() % blocks.size();
            BOOST_TEST_REQUIRE(blocks[which].is_whole());
            std::swap(blocks[which], blocks.back());
            blocks.pop_back();
        }
        const std::size_t bytes = 1 + random() % (random() % 4 == 0 ? 5 * mb : 20'000);
        blocks.emplace_back(Heap::allocate(bytes), bytes, static_cast<unsigned char>(random() % 256));
        BOOST_TEST_REQUIRE(reinterpret_cast<std::uintptr_t>(blocks.back().block.get()) % 512 == 0U);
        while (Heap::statistics().in_use > 300 * mb) blocks.erase(blocks.begin());
        most = std::max(most, Heap::statistics().in_use);
    }
    for (const Marked& one : blocks) BOOST_TEST_REQUIRE(one.is_whole());
    std::size_t bytes = 0;
    for (const Marked& one : blocks) bytes += (one.bytes + 511) / 512 * 512;
    BOOST_TEST(Heap::statistics().in_use == bytes);
    BOOST_TEST(Heap::statistics().peak >= most);
    BOOST_TEST(Heap::statistics().held + Limited<0>::left == 512 * mb);
    BOOST_TEST(Heap::statistics().most == Heap::statistics().held);  // nothing went back so far
    blocks.clear();
    Heap::trim();
    BOOST_TEST(Heap::statistics().in_use == 0U);
    BOOST_TEST(Heap::statistics().held == 0U);
    BOOST_TEST(Limited<0>::taken.empty());
}

BOOST_AUTO_TEST_CASE(freed_neighbours_join_and_the_smallest_stretch_that_fits_is_taken) {
    using Heap = SlabHeap<Limited<1>>;
    std::vector<std::shared_ptr<void>> parts;  // of one slab of 64 MB, with 16 MB left
    for (int i = 0; i < 6; ++i) parts.push_back(Heap::allocate(8 * mb));
    BOOST_TEST(Heap::statistics().held == Heap::medium_slab);
    void* const second = parts[1].get();
    parts[1].reset(), parts[3].reset();
    BOOST_TEST(Heap::allocate(8 * mb).get() == second);  // not from the larger rest
    BOOST_TEST(Heap::allocate(7 * mb).get() == second);
    parts[2].reset();
    BOOST_TEST(Heap::allocate(24 * mb).get() == second);
    BOOST_TEST(Heap::statistics().fresh == 1U);
    const auto large = Heap::allocate(25 * mb);  // fits nowhere
    BOOST_TEST(Heap::statistics().held == Heap::medium_slab + 26 * mb);
}

BOOST_AUTO_TEST_CASE(small_blocks_have_slabs_of_their_own) {
    using Heap = SlabHeap<Limited<2>>;
    { const auto large = Heap::allocate(100 * mb); }
    const auto small = Heap::allocate(1000);
    Heap::trim();
    BOOST_TEST(Heap::statistics().held == Heap::small_slab);
}

BOOST_AUTO_TEST_CASE(a_region_is_apart_until_it_goes) {
    using Heap = SlabHeap<Limited<3>>;
    std::shared_ptr<void> result;
    {
        Heap::Region region = Heap::region(20 * mb);
        Heap::enter(region);
        {
            const auto part = Heap::allocate(12 * mb);
            result = Heap::allocate(5 * mb);
        }
        BOOST_TEST(Heap::statistics().fresh == 1U);
        { const auto more = Heap::allocate(30 * mb); }  // what is free of it is too small
        BOOST_TEST(Heap::statistics().fresh == 2U);
        Heap::leave();
        const auto other = Heap::allocate(2 * mb);  // not from the region
        BOOST_TEST(Heap::statistics().fresh == 3U);
        Heap::trim();
        BOOST_TEST(Heap::statistics().held == 20 * mb + 30 * mb + Heap::medium_slab);
        const Heap::Region moved = std::move(region);
    }
    Heap::trim();
    BOOST_TEST(Heap::statistics().held == 20 * mb);  // which the result is part of
    const Marked still(result, 5 * mb, 7);
    BOOST_TEST(still.is_whole());
    const auto common = Heap::allocate(12 * mb);
    BOOST_TEST(Heap::statistics().held == 20 * mb);
}

BOOST_AUTO_TEST_CASE(what_is_free_goes_back_before_memory_is_refused) {
    using Heap = SlabHeap<Limited<4>>;
    { const auto first = Heap::allocate(300 * mb); }
    const auto second = Heap::allocate(400 * mb);
    BOOST_CHECK_THROW(Heap::allocate(200 * mb), std::length_error);
    BOOST_TEST(Heap::statistics().in_use == 400 * mb);
    const Heap::Region none = Heap::region(200 * mb);  // there is no such slab: it takes what it needs
    Heap::enter(none);
    const auto part = Heap::allocate(50 * mb);
    Heap::leave();
    BOOST_TEST(Heap::statistics().held == 450 * mb);
}

BOOST_AUTO_TEST_CASE(without_keeping_blocks_have_their_exact_size) {
    using Heap = SlabHeap<Limited<5>>;
    { const auto kept = Heap::allocate(3 * mb); }
    Heap::keep_nothing();
    BOOST_TEST(!Heap::keeps());
    BOOST_TEST(Limited<5>::taken.empty());
    {
        const auto one = Heap::allocate(1001), other = Heap::allocate(0);
        BOOST_TEST(Limited<5>::taken.at(one.get()) == 1001U);
        BOOST_TEST(Heap::statistics().in_use == 1002U);
    }
    BOOST_TEST(Limited<5>::taken.empty());
    BOOST_TEST(Heap::statistics().held == 0U);
}

BOOST_AUTO_TEST_CASE(counts_are_right_when_threads_share_the_heap) {
    using Heap = SlabHeap<Limited<6>>;
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t)
        threads.emplace_back([t] {
            for (std::size_t i = 0; i < 1000; ++i) {
                const std::size_t bytes = 64 * (1 + (i * 7 + t) % 50) * (i % 10 == 0 ? 1000 : 1);
                const Marked one(Heap::allocate(bytes), bytes, static_cast<unsigned char>(t));
                if (!one.is_whole()) std::abort();
            }
        });
    threads.clear();
    BOOST_TEST(Heap::statistics().in_use == 0U);
    Heap::trim();
    BOOST_TEST(Heap::statistics().held == 0U);
}
