// SPDX-License-Identifier: Apache-2.0
// A pool of threads and the one way work is spread over it: parallel_for(tasks, body).
//
// Tasks are handed out one at a time from a counter, so uneven tasks balance. What each task of a sum adds up is chosen
// by sizes alone, so sums are the same bits on any number of threads.
//
// A model is hundreds of short jobs a picture. Threads therefore look for the next job for some microseconds before
// they sleep, and so does the caller for the end of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/native.hpp"

namespace dinomaly::inline DINOMALY_ABI::backend {

/// Threads that wait for a job; the calling thread works too. One job at a time; a job inside a job runs serially.
class ThreadPool {
public:
    explicit ThreadPool(int threads) { start(threads); }
    ~ThreadPool() { stop(); }
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return static_cast<int>(workers_.size()) + 1; }

    /// Changes the number of threads; only between jobs.
    void resize(int threads) {
        check(threads >= 1, "threads", threads, " threads asked for, at least 1 expected");
        if (threads == this->threads()) return;
        stop();
        start(threads);
    }

    /// Calls body(task) once for each task 0 .. tasks-1, in any order, and returns when all are done. The first
    /// exception of a task is rethrown here.
    void run(std::int64_t tasks, const std::function<void(std::int64_t)>& body) {
        if (tasks <= 0) return;
        if (tasks == 1 || workers_.empty() || inside_job()) {
            for (std::int64_t task = 0; task < tasks; ++task) body(task);
            return;
        }
        const std::lock_guard one_job(job_mutex_);
        {
            const std::lock_guard lock(mutex_);
            body_ = &body;
            tasks_ = tasks;
            next_.store(0, std::memory_order_relaxed);
            busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
            error_ = nullptr;
            job_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        work();
        const auto is_done = [this] { return busy_.load(std::memory_order_acquire) == 0; };
        if (!look_for(is_done)) {
            std::unique_lock lock(mutex_);
            done_.wait(lock, is_done);
        }
        if (error_) std::rethrow_exception(error_);
    }

private:
    static bool& inside_job() {
        thread_local bool inside = false;
        return inside;
    }

    /// Waits for the condition without sleeping, for some microseconds; returns whether it came true.
    template <class Condition> static bool look_for(const Condition& condition) {
        for (int i = 0; i < 4000; ++i) {
            if (condition()) return true;
            native::pause();
        }
        return false;
    }

    void start(int threads) {
        quit_ = false;
        for (int i = 1; i < threads; ++i)
            workers_.emplace_back([this, seen = job_.load()]() mutable {
                const auto is_called = [&] {
                    return quit_.load(std::memory_order_relaxed) || job_.load(std::memory_order_acquire) != seen;
                };
                for (;;) {
                    if (!look_for(is_called)) {
                        std::unique_lock lock(mutex_);
                        wake_.wait(lock, is_called);
                    }
                    if (quit_) return;
                    seen = job_.load(std::memory_order_acquire);
                    work();
                    if (busy_.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
                    const std::lock_guard lock(mutex_);
                    done_.notify_one();
                }
            });
    }

    void stop() {
        {
            const std::lock_guard lock(mutex_);
            quit_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
        workers_.clear();
    }

    void work() {
        inside_job() = true;
        for (std::int64_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) {
            try {
                (*body_)(task);
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!error_) error_ = std::current_exception();
            }
        }
        inside_job() = false;
    }

    std::vector<std::thread> workers_;
    std::mutex job_mutex_, mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(std::int64_t)>* body_ = nullptr;
    std::int64_t tasks_ = 0;
    std::atomic<std::int64_t> next_{0};
    std::atomic<std::uint64_t> job_{0};
    std::atomic<int> busy_{0};
    std::atomic<bool> quit_{false};
    std::exception_ptr error_;
};

/// The process's compute threads, one a core until resized.
inline ThreadPool& thread_pool() {
    static ThreadPool pool(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
    return pool;
}

/// Calls body(task) for each task 0 .. tasks-1 on the process's compute threads.
template <class Body> void parallel_for(std::int64_t tasks, const Body& body) {
    if (tasks == 1) return body(std::int64_t{0});
    thread_pool().run(tasks, body);
}

/// Splits 0 .. count-1 into ranges of about `grain` and calls body(first, last) for each.
template <class Body> void parallel_ranges(std::int64_t count, std::int64_t grain, const Body& body) {
    const std::int64_t ranges = std::max<std::int64_t>(1, count / std::max<std::int64_t>(1, grain));
    parallel_for(ranges, [&](std::int64_t i) { body(count * i / ranges, count * (i + 1) / ranges); });
}

}  // namespace dinomaly::inline DINOMALY_ABI::backend
