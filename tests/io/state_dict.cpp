// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_state_dict
#include "dinomaly/io/state_dict.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/io/archive.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using io::DType;

BOOST_AUTO_TEST_CASE(element_types_have_names_and_sizes) {
    for (const io::DTypeInfo& info : io::dtypes) {
        BOOST_CHECK(io::find_dtype(info.name) == info.dtype);
        BOOST_TEST(io::dtype_name(info.dtype) == info.name);
    }
    BOOST_TEST(io::dtype_size(DType::f64) == 8U);
    BOOST_TEST(io::dtype_size(DType::bf16) == 2U);
    BOOST_TEST(io::dtype_size(DType::boolean) == 1U);
    BOOST_CHECK(!io::find_dtype("F8_E4M3"));
    BOOST_CHECK(io::is_floating(DType::bf16) && !io::is_floating(DType::i64));
}

BOOST_AUTO_TEST_CASE(byte_counts_do_not_overflow) {
    constexpr std::int64_t big = std::int64_t{1} << 62;
    BOOST_CHECK(io::byte_count(Shape{2, 3}, DType::f32) == 24U);
    BOOST_CHECK(io::byte_count(Shape{}, DType::f64) == 8U);
    BOOST_CHECK(io::byte_count(Shape{0, 5}, DType::f64) == 0U);
    BOOST_CHECK(io::byte_count(Shape{big}, DType::u8) == std::size_t{1} << 62);
    BOOST_CHECK(!io::byte_count(Shape{big}, DType::f32));
    BOOST_CHECK(!io::byte_count(Shape{big, 0, big}, DType::u8));
}

BOOST_AUTO_TEST_CASE(floating_types_convert_at_any_alignment) {
    const auto check_values = [](DType dtype, const std::string& bytes, const std::vector<double>& expected) {
        const io::SharedBytes odd = bytes_of('x' + bytes).slice(1, bytes.size());
        io::StateDict dict;
        dict.insert("w", dtype, Shape{static_cast<std::int64_t>(expected.size())}, odd);
        BOOST_TEST(dict.as<double>("w") == expected, boost::test_tools::per_element());
        const std::vector<float> floats(expected.begin(), expected.end());
        BOOST_TEST(dict.as<float>("w") == floats, boost::test_tools::per_element());
    };
    check_values(DType::f64, raw(0.1) + raw(-3.0), {0.1, -3.0});
    check_values(DType::f32, raw(0.5F) + raw(1e30F), {0.5, static_cast<double>(1e30F)});
    check_values(DType::f16, raw(std::uint16_t{0x3e00}) + raw(std::uint16_t{0x0001}), {1.5, 0x1p-24});
    check_values(DType::bf16, raw(std::uint16_t{0x3fc0}) + raw(std::uint16_t{0xff80}), {1.5, -HUGE_VAL});
}

BOOST_AUTO_TEST_CASE(integers_are_not_weights) {
    io::StateDict dict("w.pth");
    dict.insert("steps", DType::i64, Shape{1}, bytes_of(raw(std::int64_t{3})));
    BOOST_CHECK(is_refused([&] { dict.as<float>("steps"); }, "[w.pth: steps] holds I64, expected F64, F32"));
    BOOST_CHECK(is_refused([&] { dict.as<float>("absent"); }, "[w.pth] has no tensor \"absent\""));
    BOOST_TEST(dict.find("absent") == nullptr);
}

BOOST_AUTO_TEST_CASE(insertion_checks_name_and_size) {
    io::StateDict dict("w.pth");
    dict.insert("a", DType::f32, Shape{1}, bytes_of("1234"));
    BOOST_CHECK(is_refused([&] { dict.insert("a", DType::f32, Shape{1}, bytes_of("1234")); }, "two tensors \"a\""));
    BOOST_CHECK(is_refused([&] { dict.insert("b", DType::f32, Shape{2}, bytes_of("1234")); }, "[2] cannot have 4"));
    std::vector<float> three(3);
    BOOST_CHECK(is_refused([&] { dict.at("a").copy_to<float>(three, "a"); }, "has shape [1], not 3 elements"));
    BOOST_TEST(dict.size() == 1U);
}

BOOST_AUTO_TEST_CASE(order_is_insertion_order_and_parts_outlive_the_whole) {
    io::StateDict part;
    {
        io::StateDict whole;
        whole.metadata["kind"] = "test";
        for (const std::string name : {"model.z", "epoch", "model.a", "models"}) {
            whole.insert(name, DType::u8, Shape{static_cast<std::int64_t>(name.size())}, bytes_of(name));
        }
        part = whole.under("model.");
    }
    BOOST_REQUIRE(part.size() == 2U);
    BOOST_TEST(part.begin()->first == "z");
    BOOST_TEST((part.begin() + 1)->first == "a");
    BOOST_TEST(part.at("a").bytes.text() == "model.a");
    BOOST_TEST(part.metadata.at("kind") == "test");
    BOOST_TEST(part.under("nothing.").empty());
}
