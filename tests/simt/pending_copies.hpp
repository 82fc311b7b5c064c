// SPDX-License-Identifier: Apache-2.0
// A thread's asynchronous copies that are still to be made, in groups.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

namespace simt::detail {

/// 16 bytes to shared memory; zeros when there is no source.
struct Copy {
    static constexpr std::size_t bytes = 16;
    void* to;
    const void* from;

    void perform() const {
        if (from)
            std::memcpy(to, from, bytes);
        else
            std::memset(to, 0, bytes);
    }
};

class PendingCopies {
public:
    void add(const Copy& copy) { copies_.push_back(copy); }
    void commit() { group_ends_.push_back(copies_.size()); }

    /// Makes the copies of the oldest groups until `groups` are left.
    void perform_until(std::size_t groups) {
        if (group_ends_.size() <= groups) return;
        const std::size_t done = group_ends_.size() - groups, count = group_ends_[done - 1];
        for (std::size_t i = 0; i < count; ++i) copies_[i].perform();
        copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(count));
        group_ends_.erase(group_ends_.begin(), group_ends_.begin() + static_cast<std::ptrdiff_t>(done));
        for (std::size_t& end : group_ends_) end -= count;
    }

    void clear() {
        copies_.clear();
        group_ends_.clear();
    }

private:
    std::vector<Copy> copies_;
    std::vector<std::size_t> group_ends_;  // counted in copies
};

}  // namespace simt::detail
