// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_weights
#include "dinomaly/io/weights.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/io/archive.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using io::DType;

namespace {

io::RawTensor doubles(const std::vector<double>& values) {
    std::string bytes;
    for (const double value : values) bytes += raw(value);
    return {DType::f64, Shape{static_cast<std::int64_t>(values.size())}, bytes_of(bytes)};
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_are_known_by_content) {
    const std::filesystem::path directory = scratch_dir("weights");
    io::write_text(directory / "a.safetensors", pth(pickled::dict(pickled::text("w") + pickled::tensor())));
    BOOST_TEST(io::load_state_dict(directory / "a.safetensors").at("w").shape == Shape({2, 3}));
    io::write_safetensors(directory / "a.pth", io::load_state_dict(directory / "a.safetensors"));
    BOOST_TEST(io::load_state_dict(directory / "a.pth").as<float>("w").at(5) == 5.0F);

    for (const std::string& other : {std::string(), std::string("PNG"), std::string(1000, 'x'), std::string("{}")}) {
        io::write_text(directory / "b.pth", other);
        BOOST_CHECK(is_refused([&] { io::load_state_dict(directory / "b.pth"); },
                               "b.pth] is neither a safetensors file nor a PyTorch checkpoint"));
    }
    io::write_text(directory / "b.pth", "\x80\x02\x8a\x0a and so on");
    BOOST_CHECK(is_refused([&] { io::load_state_dict(directory / "b.pth"); }, "before 1.6"));
    BOOST_CHECK(is_refused([&] { io::load_state_dict(directory / "c.pth"); }, "No such file"));
}

BOOST_AUTO_TEST_CASE(casting_rounds_once_to_nearest_even) {
    const io::RawTensor tensor = doubles({0.1, -1.5, 1 + 0x1p-8, 1 + 0x1p-11 + 0x1p-40, HUGE_VAL, 0x1p-25});
    const auto cast_to = [&](DType dtype) { return io::cast(tensor, dtype).as<double>(); };
    BOOST_TEST((cast_to(DType::f64) == tensor.as<double>()));
    const double tenth = static_cast<double>(0.1F);
    BOOST_TEST((cast_to(DType::f32) == std::vector{tenth, -1.5, 1 + 0x1p-8, 1 + 0x1p-11, HUGE_VAL, 0x1p-25}));
    BOOST_TEST((cast_to(DType::f16) == std::vector{0x1.998p-4, -1.5, 1 + 0x1p-8, 1 + 0x1p-10, HUGE_VAL, 0.0}));
    BOOST_TEST((cast_to(DType::bf16) == std::vector{0x1.9ap-4, -1.5, 1.0, 1.0, HUGE_VAL, 0x1p-25}));
}

BOOST_AUTO_TEST_CASE(values_that_do_not_fit_are_refused) {
    BOOST_CHECK(is_refused(
        [] {
            io::cast(doubles({1, 65520}), DType::f16, "w");
        },
        "[w] holds 65520, which is too large"));
    BOOST_CHECK(is_refused([] { io::cast(doubles({1e39}), DType::f32); }, "too large for F32"));
    BOOST_CHECK(is_refused([] { io::cast(doubles({-3.4e38 * 1.01}), DType::bf16); }, "too large for BF16"));
    BOOST_CHECK(is_refused([] { io::cast(doubles({1}), DType::i8); }, "cannot be converted to I8"));
}

BOOST_AUTO_TEST_CASE(conversion_keeps_names_integers_and_metadata) {
    const std::filesystem::path path = scratch_dir("weights") / "w";
    io::StateDict dict;
    dict.metadata["classes"] = "bottle";
    dict.insert("w", doubles({1.5, 2.5}));
    dict.insert("n", DType::i64, Shape{1}, bytes_of(raw(std::int64_t{7})));
    io::write_safetensors(path, dict);
    io::convert(path, path, DType::bf16);  // in place

    const io::StateDict back = io::load_state_dict(path);
    BOOST_TEST(back.size() == 2U);
    BOOST_CHECK(back.at("w").dtype == DType::bf16);
    BOOST_TEST((back.as<double>("w") == std::vector{1.5, 2.5}));
    BOOST_CHECK(back.at("n").dtype == DType::i64);
    BOOST_TEST(back.at("n").bytes.text() == raw(std::int64_t{7}));
    BOOST_TEST(back.metadata.at("classes") == "bottle");
}

BOOST_AUTO_TEST_CASE(a_failed_conversion_leaves_no_file) {
    const std::filesystem::path directory = scratch_dir("weights");
    io::StateDict dict;
    dict.insert("w", doubles({1e6}));
    io::write_safetensors(directory / "in", dict);
    BOOST_CHECK(
        is_refused([&] { io::convert(directory / "in", directory / "out", DType::f16); }, "in: w] holds 1e+06"));
    BOOST_TEST(!std::filesystem::exists(directory / "out"));
}
