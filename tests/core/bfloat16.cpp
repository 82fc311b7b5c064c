// SPDX-License-Identifier: Apache-2.0
// bfloat16: rounding to nearest even, one by one and in packets.
#define BOOST_TEST_MODULE bfloat16
#include "dinomaly/core/bfloat16.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "dinomaly/core/packet.hpp"
#include "dinomaly/core/random.hpp"

using namespace dinomaly;

BOOST_AUTO_TEST_CASE(every_bfloat16_survives_the_way_through_float) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        bfloat16 x;
        x.bits = static_cast<std::uint16_t>(bits);
        const float value = x;
        if (std::isnan(value))
            BOOST_REQUIRE(std::isnan(static_cast<float>(bfloat16(value))));
        else
            BOOST_REQUIRE(bfloat16(value).bits == bits);
    }
}

BOOST_AUTO_TEST_CASE(a_float_between_two_goes_to_the_nearer_and_to_the_even_one_in_the_middle) {
    BOOST_TEST(bfloat16(1.00390625F).bits == 0x3f80);                        // 1 + 1/256: a tie, down
    BOOST_TEST(bfloat16(1.01171875F).bits == 0x3f82);                        // 1 + 3/256: a tie, up
    BOOST_TEST(bfloat16(std::nextafter(1.00390625F, 2.0F)).bits == 0x3f81);  // just above the tie
    BOOST_TEST(bfloat16(std::numeric_limits<float>::max()).bits == 0x7f80);  // beyond the largest: infinity
    BOOST_TEST(bfloat16(-std::numeric_limits<float>::infinity()).bits == 0xff80);
    BOOST_TEST(std::isnan(static_cast<float>(bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

BOOST_AUTO_TEST_CASE(packets_round_as_single_values_do) {
    constexpr int width = Packet<float>::width;
    Generator random(3);
    std::vector<float> x(100 * width);
    for (float& value : x) value = static_cast<float>(random.normal() * std::exp(20 * random.normal()));
    x[5] = std::numeric_limits<float>::infinity(), x[6] = 0, x[7] = -0.0F, x[8] = 1.00390625F;
    std::vector<bfloat16> y(x.size());
    std::vector<float> back(x.size());
    for (std::size_t i = 0; i < x.size(); i += width) {
        Packet<float>::load(x.data() + i).store(y.data() + i);
        Packet<float>::load(y.data() + i).store(back.data() + i);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (std::abs(x[i]) >= std::numeric_limits<float>::min()) BOOST_TEST(y[i].bits == bfloat16(x[i]).bits);
        BOOST_TEST(back[i] == static_cast<float>(y[i]));
    }
}

BOOST_AUTO_TEST_CASE(a_part_of_a_packet_touches_nothing_else) {
    constexpr int width = Packet<float>::width;
    for (int n = 0; n <= width; ++n) {
        std::vector<bfloat16> y(static_cast<std::size_t>(width), bfloat16(7.0F));
        Packet<float>(2.0F).store(y.data(), n);
        for (int i = 0; i < width; ++i)
            BOOST_TEST(static_cast<float>(y[static_cast<std::size_t>(i)]) == (i < n ? 2.0F : 7.0F));
        float back[width];
        Packet<float>::load(y.data(), n).store(back);
        for (int i = 0; i < width; ++i) BOOST_TEST(back[i] == (i < n ? 2.0F : 0.0F));
    }
}
