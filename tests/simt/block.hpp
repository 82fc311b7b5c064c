// SPDX-License-Identifier: Apache-2.0
// The scheduler: runs the blocks of a launch one after the other, a fibre for each thread of a block that has to wait.
//
// Threads wait at meetings: the block's barrier, or a warp's collective operation (shuffle, ballot, matrix load, ...)
// for the lanes of a mask. Both are counted. When no thread can go on and not all have returned, the block is stuck,
// and the error says who waits where. CUDA lets threads return early and leave barriers to the rest; here that is an
// error too.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fibre.hpp"
#include "language.hpp"
#include "options.hpp"
#include "pending_copies.hpp"
#include "shared_buffer.hpp"

namespace simt::detail {

/// A thread of the running block.
struct Thread {
    uint3 index{};
    unsigned number = 0;  // within the block
    std::unique_ptr<Fibre> fibre;
    PendingCopies copies;

    unsigned warp() const { return number / warp_size; }
    unsigned lane() const { return number % warp_size; }
};

/// What the lanes that take part in a collective operation brought, by lane; null for the others.
template <class Operand> using Lanes = std::array<Operand*, warp_size>;

class Block {
public:
    /// All blocks of a launch in turn; `body` is the kernel with its arguments.
    Block(dim3 threads, std::size_t shared_bytes, const std::function<void()>& body)
        : options_(options()), body_(body), shared_(shared_bytes), threads_(threads.x * threads.y * threads.z) {
        for (unsigned i = 0; i < threads_.size(); ++i) {
            threads_[i].number = i;
            threads_[i].index = {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y};
        }
        warps_.resize((threads_.size() + warp_size - 1) / warp_size);
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    /// The block whose kernel is running on this host thread.
    static Block& running() {
        if (!current) fail("a device function was called outside a kernel");
        return *current;
    }

    /// Runs the block blockIdx, `number` in the grid. Throws Error when it hangs, and what the kernel throws.
    void run(std::uint64_t number) {
        shared_.spoil();
        returned_ = 0;
        random_.seed(scrambled(options_.seed + 0x9e3779b97f4a7c15U * number));
        for (Thread& thread : threads_) ready(thread);
        Block* const outer = std::exchange(current, this);
        try {
            options_.schedule == Schedule::rounds ? run_rounds() : run_greedily();
        } catch (...) {
            current = outer;
            throw;
        }
        current = outer;
        if (returned_ != threads_.size()) fail(name(), " is stuck: ", who_waits());
        if (!shared_.fenced()) fail(name(), " wrote outside its shared memory");
    }

    const Options& settings() const { return options_; }
    SharedBuffer& shared() { return shared_; }
    Thread& thread() { return *thread_; }

    /// The running thread waits until all threads of the block came here. Returns how many brought a vote.
    unsigned meet_block(std::string_view at, bool vote = false) {
        Barrier& barrier = find_or_add(
            barriers_, [&](const Barrier& b) { return b.at == at; }, Barrier{at});
        ++barrier.waiting;
        barrier.votes += vote ? 1U : 0U;
        if (barrier.waiting == threads_.size()) {
            votes_ = barrier.votes;
            std::erase_if(barriers_, [&](const Barrier& b) { return b.at == at; });
            for (Thread& each : threads_) ready(each);
        }
        suspend();
        return votes_;
    }

    /// The running thread waits until all lanes of the mask came here with the same mask; the last to come performs the
    /// operation for all, reading and writing what they brought.
    template <class Operand, class Perform>
    void meet_warp(std::string_view at, std::uint32_t mask, Operand& mine, Perform perform) {
        Meeting& meeting = join(at, mask, &mine);
        if (meeting.arrived == meeting.expected) {
            Lanes<Operand> lanes{};
            for (unsigned lane = 0; lane < warp_size; ++lane)
                lanes[lane] = static_cast<Operand*>(meeting.brought[lane]);
            perform(lanes);
            dissolve(meeting);
        }
        suspend();
    }

    /// Lets others go first.
    void yield() {
        ready(*thread_);
        suspend();
    }

    std::string name() const {
        std::ostringstream text;
        text << "block (" << blockIdx.x << ", " << blockIdx.y << ", " << blockIdx.z << ")";
        return text.str();
    }

private:
    struct Barrier {
        std::string_view at;
        unsigned waiting = 0, votes = 0;
    };
    struct Meeting {
        std::string_view at;
        std::uint32_t mask = 0, expected = 0, arrived = 0;
        std::array<void*, warp_size> brought{};
    };
    struct Warp {
        std::vector<Thread*> ready;
        std::vector<Meeting> meetings;
    };

    /// Bits that differ everywhere for seeds that differ little: random_ alone begins alike for them (splitmix64's last
    /// steps).
    static std::uint64_t scrambled(std::uint64_t x) {
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
        return x ^ (x >> 31);
    }

    template <class T, class Match> static T& find_or_add(std::vector<T>& all, Match match, const T& fresh) {
        const auto found = std::find_if(all.begin(), all.end(), match);
        return found != all.end() ? *found : all.emplace_back(fresh);
    }

    static std::uint32_t bit(unsigned lane) { return std::uint32_t{1} << lane; }

    /// The lanes that the warp has: fewer than 32 in the last one of a block of odd size.
    std::uint32_t lanes_of(unsigned warp) const {
        const std::size_t count = std::min<std::size_t>(warp_size, threads_.size() - warp * warp_size);
        return ~std::uint32_t{0} >> (warp_size - count);
    }

    Meeting& join(std::string_view at, std::uint32_t mask, void* mine) {
        Warp& warp = warps_[thread_->warp()];
        if (!(mask & bit(thread_->lane())))
            fail(name(), ": lane ", thread_->lane(), " is not in the mask ", hex(mask), " that it gives to ", at);
        const Meeting fresh{at, mask, mask & lanes_of(thread_->warp()), 0, {}};
        Meeting& meeting = find_or_add(
            warp.meetings, [&](const Meeting& m) { return m.at == at && m.mask == mask; }, fresh);
        meeting.arrived |= bit(thread_->lane());
        meeting.brought[thread_->lane()] = mine;
        return meeting;
    }

    void dissolve(Meeting& meeting) {
        Warp& warp = warps_[thread_->warp()];
        for (unsigned lane = 0; lane < warp_size; ++lane)
            if (meeting.arrived & bit(lane)) ready(threads_[thread_->warp() * warp_size + lane]);
        warp.meetings.erase(warp.meetings.begin() + (&meeting - warp.meetings.data()));
    }

    void ready(Thread& thread) { warps_[thread.warp()].ready.push_back(&thread); }
    void suspend() { thread_->fibre->suspend(); }

    void run_rounds() {
        for (;;) {
            round_.clear();
            for (Warp& warp : warps_) {
                round_.insert(round_.end(), warp.ready.begin(), warp.ready.end());
                warp.ready.clear();
            }
            if (round_.empty()) return;
            std::shuffle(round_.begin(), round_.end(), random_);
            for (Thread* thread : round_) go_on(*thread);
        }
    }

    void run_greedily() {
        std::vector<Warp*> able;
        for (;;) {
            able.clear();
            for (Warp& warp : warps_)
                if (!warp.ready.empty()) able.push_back(&warp);
            if (able.empty()) return;
            Warp& chosen = *able[std::uniform_int_distribution<std::size_t>(0, able.size() - 1)(random_)];
            while (!chosen.ready.empty()) {
                round_.clear();
                std::swap(round_, chosen.ready);
                for (Thread* thread : round_) go_on(*thread);
            }
        }
    }

    /// Runs a thread to its next meeting or its end. Fibres are handed from thread to thread: threads that never wait
    /// all run on one.
    void go_on(Thread& thread) {
        if (!thread.fibre) {
            thread.fibre = take_fibre();
            thread.fibre->start(body_);
        }
        thread_ = &thread;
        threadIdx = thread.index;
        thread.fibre->resume();
        if (!thread.fibre->returned()) return;
        idle_fibres().push_back(std::move(thread.fibre));
        thread.copies.clear();
        ++returned_;
    }

    static std::vector<std::unique_ptr<Fibre>>& idle_fibres() {
        static thread_local std::vector<std::unique_ptr<Fibre>> idle;
        return idle;
    }
    static std::unique_ptr<Fibre> take_fibre() {
        std::vector<std::unique_ptr<Fibre>>& idle = idle_fibres();
        if (idle.empty()) return std::make_unique<Fibre>();
        std::unique_ptr<Fibre> taken = std::move(idle.back());
        idle.pop_back();
        return taken;
    }

    std::string who_waits() const {
        std::ostringstream text;
        for (const Barrier& barrier : barriers_)
            text << barrier.waiting << " of " << threads_.size() << " threads wait at " << barrier.at << ", ";
        for (unsigned warp = 0; warp < warps_.size(); ++warp)
            for (const Meeting& meeting : warps_[warp].meetings)
                text << "lanes " << hex(meeting.arrived) << " of warp " << warp << " wait at " << meeting.at
                     << " for lanes " << hex(meeting.expected) << ", ";
        text << returned_ << " have returned";
        return text.str();
    }

    static std::string hex(std::uint32_t mask) {
        std::ostringstream text;
        text << "0x" << std::hex << mask;
        return text.str();
    }

    inline static constinit thread_local Block* current = nullptr;

    Options options_;
    const std::function<void()>& body_;
    SharedBuffer shared_;
    std::vector<Thread> threads_;
    std::vector<Warp> warps_;
    std::vector<Barrier> barriers_;
    std::vector<Thread*> round_;
    std::minstd_rand random_;
    Thread* thread_ = nullptr;  // the running one
    std::size_t returned_ = 0;
    unsigned votes_ = 0;  // of the last barrier
};

}  // namespace simt::detail
