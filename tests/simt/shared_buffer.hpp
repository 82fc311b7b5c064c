// SPDX-License-Identifier: Apache-2.0
// The dynamic shared memory of a block, between two red zones. The address sanitizer stops a kernel at the first access
// to a zone; without it, reads there give NaN and writes are found when the block ends.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "options.hpp"

namespace simt::detail {

class SharedBuffer {
public:
    explicit SharedBuffer(std::size_t bytes) : bytes_(bytes), memory_(2 * zone_bytes + bytes) {
        fence(0);
        fence(zone_bytes + bytes);
    }
    ~SharedBuffer() { unfence(); }
    SharedBuffer(const SharedBuffer&) = delete;
    SharedBuffer& operator=(const SharedBuffer&) = delete;

    unsigned char* data() { return memory_.data() + zone_bytes; }

    void spoil() { std::fill_n(data(), bytes_, static_cast<unsigned char>(poison)); }

    bool holds(const void* place, std::size_t bytes) {
        const auto* begin = static_cast<const unsigned char*>(place);
        return begin >= data() && begin + bytes <= data() + bytes_;
    }

    /// True while nothing was written before or behind the buffer.
    bool fenced() {
#if defined(__SANITIZE_ADDRESS__)
        return true;  // a write would have ended the program
#else
        return is_fence(0) && is_fence(zone_bytes + bytes_);
#endif
    }

private:
    static constexpr std::size_t zone_bytes = 1024;

    // Bytes of NaN as float and as bfloat16, other than those that spoil().
    static unsigned char fence_byte(std::size_t i) {
        return i % 2 == 0 ? 0xff : 0x7f;
    }

    void fence(std::size_t begin) {
        for (std::size_t i = 0; i < zone_bytes; ++i) memory_[begin + i] = fence_byte(i);
#if defined(__SANITIZE_ADDRESS__)
        __asan_poison_memory_region(memory_.data() + begin, zone_bytes);
#endif
    }
    bool is_fence(std::size_t begin) const {
        for (std::size_t i = 0; i < zone_bytes; ++i)
            if (memory_[begin + i] != fence_byte(i)) return false;
        return true;
    }
    void unfence() {
#if defined(__SANITIZE_ADDRESS__)
        __asan_unpoison_memory_region(memory_.data(), memory_.size());
#endif
    }

    std::size_t bytes_;
    std::vector<unsigned char> memory_;  // aligned to 16 bytes by its allocator, as CUDA promises and no more
};

}  // namespace simt::detail
