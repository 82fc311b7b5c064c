// SPDX-License-Identifier: Apache-2.0
// Queues: what was handed to a stream, in order. Under Streams::late it stays there until something waits for it, which
// then does the work; marks are the places that can be waited for.
//
// One lock is over all queues, also while work is done. It may be taken again by that work, which may wait for another
// queue; as a mark is older than what waits for it, two queues never wait for each other.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "options.hpp"

namespace simt::detail {

class Queue {
    using Lock = std::lock_guard<std::recursive_mutex>;

public:
    class Mark {
    public:
        /// Does the work up to here, unless that is done.
        void reach() {
            const Lock lock(all().mutex);
            while (!reached_) queue_.next();
        }
        bool reached() const {
            const Lock lock(all().mutex);
            return reached_;
        }
        /// When it was reached.
        std::chrono::steady_clock::time_point time() const { return time_; }

    private:
        friend class Queue;
        explicit Mark(Queue& queue) : queue_(queue) {}

        Queue& queue_;  // gone only once the mark is reached
        bool reached_ = false;
        std::chrono::steady_clock::time_point time_;
    };

    Queue() {
        const Lock lock(all().mutex);
        all().queues.insert(this);
    }
    ~Queue() {
        const Lock lock(all().mutex);
        all().queues.erase(this);
    }
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    void push(std::function<void()> work) {
        const Lock lock(all().mutex);
        waiting_.push_back(std::move(work));
        if (options().streams == Streams::at_once) finish();
    }
    /// Marks the place behind all that was pushed.
    std::shared_ptr<Mark> mark() {
        const std::shared_ptr<Mark> made(new Mark(*this));
        push([made] {
            made->reached_ = true;
            made->time_ = std::chrono::steady_clock::now();
        });
        return made;
    }
    /// Does all work.
    void finish() {
        const Lock lock(all().mutex);
        while (!waiting_.empty()) next();
    }
    /// Does the work of all queues.
    static void finish_all() {
        const Lock lock(all().mutex);
        for (Queue* const queue : all().queues) queue->finish();
    }

private:
    struct All {
        std::recursive_mutex mutex;
        std::set<Queue*> queues;
    };
    static All& all() {
        static All& all = *new All;  // outlives what is waited for as the program ends
        return all;
    }

    void next() {
        const std::function<void()> work = std::move(waiting_.front());
        waiting_.pop_front();  // before it runs: what fails is not tried again
        work();
    }

    std::deque<std::function<void()>> waiting_;
};

}  // namespace simt::detail
