// SPDX-License-Identifier: Apache-2.0
// A pool of threads and the one way work is spread over it: parallel_for(tasks, body).
//
// Tasks are handed out one at a time from a counter, so uneven tasks balance. What each task of a sum adds up is chosen
// by sizes alone, so sums are the same bits on any number of threads. Products are cut by the number of threads
// (gemm.hpp): there the same number of threads gives the same bits.
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
            busy_ = static_cast<int>(workers_.size());
            error_ = nullptr;
            ++job_;
        }
        wake_.notify_all();
        work();
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
        if (error_) std::rethrow_exception(error_);
    }

private:
    static bool& inside_job() {
        thread_local bool inside = false;
        return inside;
    }

    void start(int threads) {
        quit_ = false;
        for (int i = 1; i < threads; ++i)
            workers_.emplace_back([this, seen = job_]() mutable {
                for (;;) {
                    {
                        std::unique_lock lock(mutex_);
                        wake_.wait(lock, [&] { return quit_ || job_ != seen; });
                        if (quit_) return;
                        seen = job_;
                    }
                    work();
                    const std::lock_guard lock(mutex_);
                    if (--busy_ == 0) done_.notify_one();
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
    std::uint64_t job_ = 0;
    int busy_ = 0;
    bool quit_ = false;
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
