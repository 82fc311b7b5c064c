// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE parallel
#include "dinomaly/backend/cpu/parallel.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace dinomaly::backend;

BOOST_AUTO_TEST_CASE(every_task_runs_once) {
    for (int threads : {1, 2, 5}) {
        ThreadPool pool(threads);
        BOOST_TEST(pool.threads() == threads);
        for (std::int64_t tasks : {0, 1, 2, 7, 1000}) {
            std::vector<int> runs(static_cast<std::size_t>(tasks));
            pool.run(tasks, [&](std::int64_t task) { ++runs[static_cast<std::size_t>(task)]; });
            BOOST_TEST(std::ranges::count(runs, 1) == tasks);
        }
    }
}

BOOST_AUTO_TEST_CASE(many_short_jobs_follow_each_other) {
    ThreadPool pool(3);
    std::vector<std::int64_t> sums(2000);
    for (std::size_t job = 0; job < sums.size(); ++job) {
        std::vector<std::int64_t> parts(4);
        pool.run(4, [&](std::int64_t task) { parts[static_cast<std::size_t>(task)] = task + 1; });
        sums[job] = std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
    }
    BOOST_TEST(std::ranges::count(sums, 10) == 2000);
}

BOOST_AUTO_TEST_CASE(a_job_inside_a_job_runs_serially) {
    ThreadPool pool(2);
    std::vector<int> runs(12);
    pool.run(3, [&](std::int64_t outer) {
        pool.run(4, [&](std::int64_t inner) { ++runs[static_cast<std::size_t>(4 * outer + inner)]; });
    });
    BOOST_TEST(std::ranges::count(runs, 1) == 12);
}

BOOST_AUTO_TEST_CASE(jobs_of_several_threads_wait_for_each_other) {
    ThreadPool pool(2);
    std::vector<std::int64_t> totals(4);
    std::vector<std::jthread> callers;
    for (std::size_t caller = 0; caller < totals.size(); ++caller)
        callers.emplace_back([&, caller] {
            for (int repeat = 0; repeat < 50; ++repeat) {
                std::vector<std::int64_t> parts(8);
                pool.run(8, [&](std::int64_t task) { parts[static_cast<std::size_t>(task)] = task; });
                totals[caller] += std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
            }
        });
    callers.clear();
    for (std::int64_t total : totals) BOOST_TEST(total == 50 * 28);
}

BOOST_AUTO_TEST_CASE(an_exception_reaches_the_caller_and_the_pool_goes_on) {
    ThreadPool pool(3);
    for (int repeat = 0; repeat < 20; ++repeat)
        BOOST_CHECK_THROW(pool.run(50,
                                   [](std::int64_t task) {
                                       if (task % 7 == 3) throw std::runtime_error("task");
                                   }),
                          std::runtime_error);
    int runs = 0;
    pool.run(1, [&](std::int64_t) { ++runs; });
    BOOST_TEST(runs == 1);
}

BOOST_AUTO_TEST_CASE(the_pool_can_be_resized) {
    ThreadPool pool(1);
    for (int threads : {4, 2, 1, 3}) {
        pool.resize(threads);
        BOOST_TEST(pool.threads() == threads);
        std::vector<int> runs(20);
        pool.run(20, [&](std::int64_t task) { ++runs[static_cast<std::size_t>(task)]; });
        BOOST_TEST(std::ranges::count(runs, 1) == 20);
    }
    BOOST_CHECK_THROW(pool.resize(0), dinomaly::Error);
}

BOOST_AUTO_TEST_CASE(ranges_cover_everything_once) {
    for (std::int64_t count : {0, 1, 99, 100, 1001}) {
        std::vector<int> runs(static_cast<std::size_t>(count));
        parallel_ranges(count, 100, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) ++runs[static_cast<std::size_t>(i)];
        });
        BOOST_TEST(std::ranges::count(runs, 1) == count);
    }
}
