// SPDX-License-Identifier: Apache-2.0
// The training order: permutations, repeatable, the same on every machine.
#define BOOST_TEST_MODULE vision_sampler

#include "dinomaly/vision/sampler.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <string>

using namespace dinomaly::vision;
using dinomaly::Error;

using Order = std::vector<std::size_t>;

BOOST_AUTO_TEST_CASE(every_epoch_is_another_permutation) {
    std::map<Order, int> seen;
    for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
        Order order = epoch_order(23, 1, epoch);
        ++seen[order];
        std::ranges::sort(order);
        for (std::size_t i = 0; i < 23; ++i) BOOST_REQUIRE(order[i] == i);
    }
    BOOST_TEST(seen.size() == 20U);
    BOOST_CHECK(epoch_order(23, 1, 5) == epoch_order(23, 1, 5));
    BOOST_CHECK(epoch_order(23, 1, 5) != epoch_order(23, 2, 5));
}

BOOST_AUTO_TEST_CASE(the_order_is_the_same_on_every_machine) {
    BOOST_CHECK(epoch_order(8, 1, 0) == (Order{7, 6, 0, 5, 2, 3, 1, 4}));
    BOOST_CHECK(epoch_order(8, 1, 1) == (Order{4, 6, 1, 3, 0, 7, 2, 5}));
}

BOOST_AUTO_TEST_CASE(all_permutations_are_equally_likely) {
    std::map<Order, int> seen;
    for (std::int64_t epoch = 0; epoch < 24'000; ++epoch) ++seen[epoch_order(4, 3, epoch)];
    BOOST_TEST(seen.size() == 24U);
    for (const auto& [order, times] : seen) {
        BOOST_TEST(times > 850);  // 1000 expected, standard deviation 31
        BOOST_TEST(times < 1150);
    }
}

BOOST_AUTO_TEST_CASE(draws_are_fair_for_bounds_near_the_engines_range) {
    std::mt19937_64 engine(5);
    int lowest_third = 0;
    for (int i = 0; i < 3000; ++i)
        if (detail::draw_below(engine, std::uint64_t{3} << 62) < std::uint64_t{1} << 62) ++lowest_third;
    BOOST_TEST(std::abs(lowest_third - 1000) < 150);  // a plain remainder would give 1500
}

BOOST_AUTO_TEST_CASE(batches_cut_the_epochs_and_drop_the_rest) {
    Sampler sampler(10, 3, 7);
    BOOST_TEST(sampler.batches_per_epoch() == 3);
    const Order second = epoch_order(10, 7, 1);
    BOOST_CHECK(sampler.batch(3) == Order(second.begin(), second.begin() + 3));
    BOOST_CHECK(sampler.batch(5) == Order(second.begin() + 6, second.begin() + 9));
    BOOST_CHECK(Sampler(10, 3, 7).batch(1'000'000) == sampler.batch(1'000'000));
    const Order before = sampler.batch(4);
    sampler.batch(40);
    BOOST_CHECK(sampler.batch(4) == before);
}

BOOST_AUTO_TEST_CASE(too_few_pictures_are_refused) {
    BOOST_CHECK_EXCEPTION(Sampler(7, 8, 1), Error, [](const Error& error) {
        return std::string(error.what()) == "[sampler] 7 training pictures are fewer than a batch of 8";
    });
    BOOST_CHECK_THROW(Sampler(7, 0, 1), Error);
    BOOST_CHECK_THROW(Sampler(7, 7, 1).batch(-1), Error);
    BOOST_TEST(Sampler(7, 7, 1).batch(0).size() == 7U);
}

BOOST_AUTO_TEST_CASE(too_few_pictures_can_be_repeated) {
    Sampler sampler(3, 7, 5, TooFew::repeat);
    Order all;
    for (std::int64_t i = 0; i < 3; ++i) {
        const Order batch = sampler.batch(i);
        BOOST_TEST(batch.size() == 7U);
        all.insert(all.end(), batch.begin(), batch.end());
    }
    for (std::int64_t epoch = 0; epoch < 7; ++epoch)
        BOOST_CHECK(Order(all.begin() + 3 * epoch, all.begin() + 3 * epoch + 3) == epoch_order(3, 5, epoch));
    BOOST_CHECK(Sampler(3, 7, 5, TooFew::repeat).batch(2) == Order(all.begin() + 14, all.end()));
    BOOST_CHECK_THROW(Sampler(0, 7, 5, TooFew::repeat), Error);
}
