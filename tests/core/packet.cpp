// SPDX-License-Identifier: Apache-2.0
// Packet: memory access with and without a tail, arithmetic, comparisons, reductions. Buffers are allocated to the
// exact size, so that the address sanitizer sees any read or write beyond n.
#define BOOST_TEST_MODULE packet

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <numeric>
#include <vector>

#include "dinomaly/core/math.hpp"
#include "dinomaly/core/packet.hpp"

using dinomaly::Packet;
using Types = boost::mpl::list<float, double>;

namespace {

/// 1, 2, 3, ...
template <class T> std::vector<T> counting(int n) {
    std::vector<T> values(static_cast<std::size_t>(n));
    std::iota(values.begin(), values.end(), T(1));
    return values;
}

template <class T> std::vector<T> elements(Packet<T> x) {
    std::vector<T> values(Packet<T>::width);
    x.store(values.data());
    return values;
}

/// 1 in the lanes where the mask holds, else 0.
template <class T> std::vector<T> truth(typename Packet<T>::Mask mask) {
    return elements(dinomaly::math::select(mask, Packet<T>(1), Packet<T>(0)));
}

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(loads_at_any_alignment, T, Types) {
    constexpr int width = Packet<T>::width;
    const auto values = counting<T>(2 * width);
    for (int offset = 0; offset <= width; ++offset) {
        const auto loaded = elements(Packet<T>::load(values.data() + offset));
        for (int i = 0; i < width; ++i) BOOST_TEST(loaded[static_cast<std::size_t>(i)] == T(1 + offset + i));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(partial_load_fills_with_zero, T, Types) {
    constexpr int width = Packet<T>::width;
    for (int n = 0; n <= width; ++n) {
        const auto values = counting<T>(n);
        const auto loaded = elements(Packet<T>::load(values.data(), n));
        for (int i = 0; i < width; ++i) BOOST_TEST(loaded[static_cast<std::size_t>(i)] == (i < n ? T(1 + i) : T(0)));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(partial_store_leaves_the_rest, T, Types) {
    constexpr int width = Packet<T>::width;
    for (int n = 0; n <= width; ++n) {
        std::vector<T> exact(static_cast<std::size_t>(n));
        Packet<T>(7).store(exact.data(), n);
        BOOST_TEST(exact == std::vector<T>(static_cast<std::size_t>(n), T(7)), boost::test_tools::per_element());

        auto values = counting<T>(width);
        Packet<T>(-1).store(values.data(), n);
        for (int i = 0; i < width; ++i) BOOST_TEST(values[static_cast<std::size_t>(i)] == (i < n ? T(-1) : T(1 + i)));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(streams, T, Types) {
    constexpr int width = Packet<T>::width;
    alignas(64) T target[width] = {};
    const auto values = counting<T>(width);
    Packet<T>::load(values.data()).stream(target);
    for (int i = 0; i < width; ++i) BOOST_TEST(target[i] == T(1 + i));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(arithmetic_is_by_lane, T, Types) {
    constexpr int width = Packet<T>::width;
    const auto x = Packet<T>::load(counting<T>(width).data());
    Packet<T> y = (x * Packet<T>(3) + T(1)) / Packet<T>(2) - -x;
    y += x;
    y -= T(0.5);
    y *= x;
    y /= Packet<T>(4);
    const auto result = elements(y);
    for (int i = 0; i < width; ++i) {
        const T a = T(1 + i);
        BOOST_TEST(result[static_cast<std::size_t>(i)] == ((a * 3 + 1) / 2 + a + a - T(0.5)) * a / 4);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(constants_keep_their_precision, T, Types) {
    BOOST_TEST(elements(Packet<T>(0.1))[0] == T(0.1));
    BOOST_TEST(elements(Packet<T>(3))[0] == T(3));
    BOOST_TEST(std::signbit(elements(Packet<T>(T(-0.0)))[0]));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(comparisons_and_masks, T, Types) {
    constexpr int width = Packet<T>::width;
    const T nan = std::numeric_limits<T>::quiet_NaN();
    auto values = counting<T>(width);
    values[1] = nan;
    const auto x = Packet<T>::load(values.data());
    const Packet<T> bound = 1;
    using Expected = std::vector<T>;
    const auto head = [](const std::vector<T>& all) { return Expected{all[0], all[1]}; };
    BOOST_TEST(head(truth<T>(x < bound)) == (Expected{0, 0}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x <= bound)) == (Expected{1, 0}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x > bound)) == (Expected{0, 0}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x >= bound)) == (Expected{1, 0}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x == bound)) == (Expected{1, 0}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x != bound)) == (Expected{0, 1}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(!(x == bound))) == (Expected{0, 1}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x == bound || x != x)) == (Expected{1, 1}), boost::test_tools::per_element());
    BOOST_TEST(head(truth<T>(x == bound && x != x)) == (Expected{0, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(reductions_see_every_lane, T, Types) {
    constexpr int width = Packet<T>::width;
    for (int peak = 0; peak < width; ++peak) {
        std::vector<T> values(width, T(1));
        values[static_cast<std::size_t>(peak)] = T(100);
        const auto x = Packet<T>::load(values.data());
        BOOST_TEST(x.max() == T(100));
        BOOST_TEST((-x).min() == T(-100));
        BOOST_TEST(x.sum() == T(99 + width));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(keep_first_replaces_the_tail, T, Types) {
    constexpr int width = Packet<T>::width;
    const auto x = Packet<T>::load(counting<T>(width).data());
    for (int n = 0; n <= width; ++n) {
        const auto kept = elements(dinomaly::keep_first(x, n, T(-5)));
        for (int i = 0; i < width; ++i) BOOST_TEST(kept[static_cast<std::size_t>(i)] == (i < n ? T(1 + i) : T(-5)));
    }
}
