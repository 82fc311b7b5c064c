// SPDX-License-Identifier: Apache-2.0
// A stable sort by 32-bit keys in O(n), in parallel.
//
// Least significant digit first. Only the bits that differ between the smallest and the largest key are looked at, in
// as few passes of at most 8 bits as they need: 256 write positions stay in the first cache and its page table, which
// is worth more than the pass that wider digits save. A pass counts the digits of each chunk, turns the counts into
// positions and moves the chunks; a stable order is one order, so the number of threads does not show in it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "dinomaly/backend/cpu/parallel.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::inline DINOMALY_ABI::anomaly::detail {

/// n values that begin as anything, so that the thread which first writes a page is the one that waits for it.
template <class T> class Block {
public:
    explicit Block(std::size_t size) : values_(std::make_unique_for_overwrite<T[]>(size)), size_(size) {}

    std::size_t size() const { return size_; }
    T* data() { return values_.get(); }
    const T* data() const { return values_.get(); }
    T& operator[](std::size_t i) { return values_[i]; }
    const T& operator[](std::size_t i) const { return values_[i]; }
    std::span<const T> span() const { return {data(), size_}; }

private:
    std::unique_ptr<T[]> values_;
    std::size_t size_;
};

/// Entries cut into chunks for the threads: at most 64, and none so short that handing it out costs more than its work.
struct Chunks {
    std::size_t entries;
    std::size_t length;

    explicit Chunks(std::size_t count) : entries(count), length(std::max(std::size_t{1} << 14, (count + 63) / 64)) {}

    std::size_t count() const { return (entries + length - 1) / length; }
    /// Calls body(chunk, first, end) for each chunk on the compute threads.
    template <class Body> void for_each(const Body& body) const {
        backend::parallel_for(static_cast<std::int64_t>(count()), [&](std::int64_t i) {
            const auto chunk = static_cast<std::size_t>(i);
            body(chunk, chunk * length, std::min(entries, (chunk + 1) * length));
        });
    }
};

/// The bits in which keys differ: all keys less `lowest` have at most `bits` bits.
struct KeyRange {
    std::uint32_t lowest = 0;
    int bits = 0;
};

template <class Entry, class Key> KeyRange key_range(std::span<const Entry> entries, const Key& key_of) {
    const Chunks chunks(entries.size());
    std::vector<std::pair<std::uint32_t, std::uint32_t>> bounds(chunks.count());
    chunks.for_each([&](std::size_t chunk, std::size_t first, std::size_t end) {
        std::uint32_t low = std::numeric_limits<std::uint32_t>::max(), high = 0;
        for (std::size_t i = first; i < end; ++i) {
            const std::uint32_t key = key_of(entries[i]);
            low = std::min(low, key);
            high = std::max(high, key);
        }
        bounds[chunk] = {low, high};
    });
    if (bounds.empty()) return {};
    const std::uint32_t low = std::ranges::min(bounds).first;
    const std::uint32_t high = std::ranges::max(bounds, {}, &std::pair<std::uint32_t, std::uint32_t>::second).second;
    return {low, static_cast<int>(std::bit_width(high - low))};
}

/// Moves all entries to where their digit belongs; digit(entry) < digits.
template <class Entry, class Digit>
void sort_pass(std::span<const Entry> from, Entry* to, std::size_t digits, const Digit& digit) {
    const Chunks chunks(from.size());
    std::vector<std::uint32_t> next(chunks.count() * digits);  // [chunk, digit], first counts, then positions
    chunks.for_each([&](std::size_t chunk, std::size_t first, std::size_t end) {
        std::uint32_t* counts = next.data() + chunk * digits;
        for (std::size_t i = first; i < end; ++i) ++counts[digit(from[i])];
    });
    std::uint32_t position = 0;
    for (std::size_t d = 0; d < digits; ++d)
        for (std::size_t chunk = 0; chunk < chunks.count(); ++chunk)
            position += std::exchange(next[chunk * digits + d], position);
    chunks.for_each([&](std::size_t chunk, std::size_t first, std::size_t end) {
        std::uint32_t* positions = next.data() + chunk * digits;
        for (std::size_t i = first; i < end; ++i) to[positions[digit(from[i])]++] = from[i];
    });
}

/// The entries by rising key_of(entry), equal ones in their order; at most 2^32 - 1 entries.
template <class Entry, class Key> Block<Entry> radix_sorted(std::span<const Entry> entries, const Key& key_of) {
    constexpr int most_bits = 8;
    const KeyRange range = key_range(entries, key_of);
    const int passes = std::max(1, (range.bits + most_bits - 1) / most_bits);
    const int digit_bits = (range.bits + passes - 1) / passes;
    const std::uint32_t mask = (1U << digit_bits) - 1;

    Block<Entry> sorted(entries.size()), spare(passes > 1 ? entries.size() : 0);
    std::span<const Entry> from = entries;
    for (int pass = 0; pass < passes; ++pass) {
        if (pass > 0) std::swap(sorted, spare);
        const int shift = pass * digit_bits;
        sort_pass(from, sorted.data(), std::size_t{mask} + 1,
                  [&](const Entry& entry) { return ((key_of(entry) - range.lowest) >> shift) & mask; });
        from = sorted.span();
    }
    return sorted;
}

}  // namespace dinomaly::inline DINOMALY_ABI::anomaly::detail
