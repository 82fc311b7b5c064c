// SPDX-License-Identifier: Apache-2.0
// The cache of memory blocks: freed blocks are reused, counted, and given back on request.
#define BOOST_TEST_MODULE backend_block_cache
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "dinomaly/backend/cpu/device.hpp"

using dinomaly::backend::BlockCacheStatistics;
using dinomaly::backend::HostCache;

BOOST_AUTO_TEST_CASE(sizes_are_rounded_up_by_an_eighth_at_most) {
    BOOST_TEST(HostCache::size_class(0) == 64U);
    BOOST_TEST(HostCache::size_class(65) == 128U);
    BOOST_TEST(HostCache::size_class(1 << 20) == std::size_t{1} << 20);
    for (std::size_t bytes = 512; bytes < 100'000'000; bytes += bytes / 3 + 1) {
        const std::size_t rounded = HostCache::size_class(bytes);
        BOOST_TEST(rounded >= bytes);
        BOOST_TEST(rounded <= bytes + bytes / 8);
        BOOST_TEST(rounded % 64 == 0U);
        BOOST_TEST(HostCache::size_class(rounded) == rounded);
    }
}

BOOST_AUTO_TEST_CASE(freed_blocks_are_reused_and_counted) {
    HostCache::trim();
    const BlockCacheStatistics before = HostCache::statistics();
    const std::size_t size = HostCache::size_class(100'000);
    const auto grown = [&](std::size_t held, std::size_t in_use, std::uint64_t fresh) {
        const BlockCacheStatistics now = HostCache::statistics();
        return now.held == before.held + held && now.in_use == before.in_use + in_use &&
               now.fresh == before.fresh + fresh;
    };
    {
        const std::shared_ptr<void> one = HostCache::allocate(100'000), other = HostCache::allocate(100'000);
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(one.get()) % 64 == 0U);
        BOOST_TEST(grown(2 * size, 2 * size, 2));
    }
    BOOST_TEST(grown(2 * size, 0, 2));
    {
        const std::shared_ptr<void> again = HostCache::allocate(99'990);  // of the same class
        BOOST_TEST(grown(2 * size, size, 2));
        HostCache::trim();
        BOOST_TEST(grown(size, size, 2));
    }
    HostCache::trim();
    BOOST_TEST(grown(0, 0, 2));
}

BOOST_AUTO_TEST_CASE(counts_are_right_when_threads_share_the_cache) {
    HostCache::trim();
    const BlockCacheStatistics before = HostCache::statistics();
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t)
        threads.emplace_back([t] {
            for (std::size_t i = 0; i < 2000; ++i) HostCache::allocate(64 * (1 + (i * 7 + t) % 50));
        });
    threads.clear();
    BOOST_TEST(HostCache::statistics().in_use == before.in_use);
    HostCache::trim();
    BOOST_TEST(HostCache::statistics().held == before.held);
}
