// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_safetensors
#include "dinomaly/io/safetensors.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/io/archive.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using io::DType;

namespace {

/// A file with this header and `size` bytes of data.
std::string file(const std::string& header, std::size_t size) {
    return raw(std::uint64_t{header.size()}) + header + std::string(size, '\1');
}

io::StateDict parse(const std::string& content) {
    return io::parse_safetensors(bytes_of(content), "f");
}

bool header_is_refused(const std::string& header, std::size_t size, std::string_view part) {
    return is_refused([&] { parse(file(header, size)); }, part);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_type_survives_writing_and_reading) {
    const std::filesystem::path path = scratch_dir("safetensors") / "all";
    io::StateDict dict;
    dict.metadata = {{"title", "gr\xc3\xbc\xc3\x9f \"quoted\"\n"}, {"empty", ""}};
    for (const io::DTypeInfo& info : io::dtypes) {
        const std::string content(6 * info.size, static_cast<char>(info.size + 'a'));
        dict.insert("tensor." + std::string(info.name), info.dtype, Shape{2, 1, 3}, bytes_of(content));
    }
    dict.insert("scalar", DType::f32, Shape{}, bytes_of(raw(2.5F)));
    dict.insert("empty", DType::f64, Shape{0, 4}, {});
    io::write_safetensors(path, dict);

    const io::StateDict back = io::read_safetensors(path);
    BOOST_TEST(back.size() == dict.size());
    BOOST_TEST((back.metadata == dict.metadata));
    for (const auto& [name, tensor] : dict) {
        BOOST_CHECK(back.at(name).dtype == tensor.dtype);
        BOOST_TEST(back.at(name).shape == tensor.shape);
        BOOST_TEST(back.at(name).bytes.text() == tensor.bytes.text());
    }
    BOOST_TEST(back.as<float>("scalar").at(0) == 2.5F);
}

BOOST_AUTO_TEST_CASE(files_are_deterministic_aligned_and_padded) {
    const std::filesystem::path directory = scratch_dir("safetensors");
    io::StateDict dict;
    dict.insert("odd", DType::u8, Shape{3}, bytes_of("abc"));
    dict.insert("wide", DType::f64, Shape{1}, bytes_of(raw(1.0)));
    dict.insert("float", DType::f32, Shape{1}, bytes_of(raw(1.0F)));
    io::write_safetensors(directory / "a", dict);
    io::write_safetensors(directory / "b", dict);
    const std::string text = io::read_text(directory / "a");
    BOOST_TEST(text == io::read_text(directory / "b"));
    BOOST_TEST(static_cast<unsigned char>(text[0]) % 8 == 0);

    const io::StateDict back = io::read_safetensors(directory / "a");
    BOOST_TEST(back.begin()->first == "wide");
    for (const auto& [name, tensor] : back) {
        const auto address = reinterpret_cast<std::uintptr_t>(tensor.bytes.view.data());
        BOOST_TEST(address % io::dtype_size(tensor.dtype) == 0U);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_leaves_no_file) {
    const std::filesystem::path directory = scratch_dir("safetensors");
    io::StateDict not_text, reserved;
    not_text.insert("\xff", DType::u8, Shape{1}, bytes_of("a"));
    reserved.insert("__metadata__", DType::u8, Shape{1}, bytes_of("a"));
    BOOST_CHECK(is_refused([&] { io::write_safetensors(directory / "a", not_text); }, "UTF-8"));
    BOOST_CHECK(is_refused([&] { io::write_safetensors(directory / "a", reserved); }, "__metadata__"));
    BOOST_CHECK(is_refused([&] { io::write_safetensors(directory / "no" / "a", io::StateDict()); }, "no directory"));
    BOOST_TEST(std::filesystem::is_empty(directory));
}

BOOST_AUTO_TEST_CASE(order_in_the_header_does_not_matter) {
    const io::StateDict dict = parse(file(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                                          R"("a":{"data_offsets":[0,1],"shape":[],"dtype":"I8"}}   )",
                                          3));
    BOOST_TEST(dict.begin()->first == "a");
    BOOST_TEST(dict.at("b").shape == Shape({2}));
    BOOST_TEST(parse(file("{}", 0)).empty());
}

BOOST_AUTO_TEST_CASE(wrong_header_lengths) {
    const std::string good = file(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2);
    BOOST_TEST(parse(good).size() == 1U);
    for (const std::uint64_t length : {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{100'000'001}}) {
        std::string bad = good;
        patch(bad, 0, length);
        BOOST_CHECK(is_refused([&] { parse(bad); }, "above the limit of 100000000"));
    }
    for (const std::uint64_t length : {std::uint64_t{good.size() - 7}, std::uint64_t{100'000'000}}) {
        std::string bad = good;
        patch(bad, 0, length);
        BOOST_CHECK(is_refused([&] { parse(bad); }, "[f] is cut short"));
    }
    for (const std::uint64_t length : {0, 1, 20}) {
        std::string bad = good;
        patch(bad, 0, length);
        BOOST_CHECK(is_refused([&] { parse(bad); }, "header is not"));
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        BOOST_CHECK_THROW(parse(good.substr(0, size)), Error);
    }
    BOOST_CHECK(is_refused([&] { parse(good + "x"); }, "tensors end at byte 2 of the data, which has 3"));
}

BOOST_AUTO_TEST_CASE(wrong_json) {
    BOOST_CHECK(header_is_refused("[]", 0, "not a JSON object"));
    BOOST_CHECK(header_is_refused(" {}", 0, "not a JSON object"));
    BOOST_CHECK(header_is_refused(std::string("{}\0}", 4), 0, "not a JSON object"));
    BOOST_CHECK(header_is_refused("{", 0, "not valid JSON"));
    BOOST_CHECK(header_is_refused("{\"\xff\":1}", 0, "not valid JSON"));
    BOOST_CHECK(header_is_refused("{}{}", 0, "not valid JSON"));
    BOOST_CHECK(header_is_refused("{\"a\":" + std::string(1'000'000, '['), 0, "nested deeper"));
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    BOOST_CHECK(header_is_refused(objects, 0, "nested deeper"));
    const std::string tensor = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
    BOOST_CHECK(header_is_refused("{" + tensor + "," + tensor + "}", 1, "two entries \"a\""));
    BOOST_CHECK(header_is_refused(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
                                  "two entries \"dtype\""));
    BOOST_CHECK(header_is_refused(R"({"__metadata__":{"a":1}})", 0, "is not a text"));
    BOOST_CHECK(header_is_refused(R"({"__metadata__":[]})", 0, "is not an object"));
}

BOOST_AUTO_TEST_CASE(wrong_fields) {
    const auto refused = [](const std::string& dtype, const std::string& shape, const std::string& offsets,
                            std::string_view part) {
        const std::string fields = "\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets;
        return header_is_refused("{\"a\":{" + fields + "}}", 4, part);
    };
    BOOST_CHECK(refused(R"("F8_E4M3")", "[4]", "[0,4]", "unknown dtype \"F8_E4M3\", expected one of F64"));
    BOOST_CHECK(refused("7", "[4]", "[0,4]", "unknown dtype 7"));
    BOOST_CHECK(refused(R"("U8")", "4", "[0,4]", "shape is not a list"));
    BOOST_CHECK(refused(R"("U8")", "[-4]", "[0,4]", "shape holds -4"));
    BOOST_CHECK(refused(R"("U8")", "[4.0]", "[0,4]", "shape holds 4.0"));
    BOOST_CHECK(refused(R"("U8")", "[99999999999999999999]", "[0,4]", "shape holds"));
    BOOST_CHECK(refused(R"("U8")", "[9223372036854775808]", "[0,4]", "out of range"));
    BOOST_CHECK(refused(R"("U8")", "[1,1,1,1,1,1,4]", "[0,4]", "[f: a] rank 7 is above the limit of 6"));
    BOOST_CHECK(refused(R"("F32")", "[4294967296,4294967296]", "[0,4]", "does not fit"));
    BOOST_CHECK(refused(R"("F32")", "[2]", "[0,4]", "shape [2] of F32 does not fit data_offsets [0,4]"));
    BOOST_CHECK(refused(R"("U8")", "[4]", "[0,5]", "not a range inside the 4 bytes"));
    BOOST_CHECK(refused(R"("U8")", "[4]", "[4,0]", "not a range"));
    BOOST_CHECK(refused(R"("U8")", "[4]", "[0]", "not a range"));
    BOOST_CHECK(refused(R"("U8")", "[4]", "[18446744073709551612,18446744073709551615]", "not a range"));
    BOOST_CHECK(refused(R"("U8")", "[4]", "[0,4],\"more\":1", "exactly dtype, shape and data_offsets"));
    BOOST_CHECK(header_is_refused(R"({"a":{"dtype":"U8","shape":[0]}})", 0, "exactly dtype"));
    BOOST_CHECK(header_is_refused(R"({"a":null})", 0, "exactly dtype"));
}

BOOST_AUTO_TEST_CASE(overlaps_and_holes) {
    const auto refused = [](const std::string& first, const std::string& second, std::string_view part) {
        const auto tensor = [](const std::string& offsets) {
            return R"({"dtype":"U8","shape":[2],"data_offsets":)" + offsets + "}";
        };
        return header_is_refused("{\"a\":" + tensor(first) + ",\"b\":" + tensor(second) + "}", 5, part);
    };
    BOOST_CHECK(refused("[0,2]", "[1,3]", "\"b\" begins at byte 1 of the data, expected 2"));
    BOOST_CHECK(refused("[0,2]", "[0,2]", "begins at byte 0 of the data, expected 2"));
    BOOST_CHECK(refused("[0,2]", "[3,5]", "begins at byte 3 of the data, expected 2"));
    BOOST_CHECK(refused("[3,5]", "[1,3]", "begins at byte 1 of the data, expected 0"));
    BOOST_CHECK(refused("[0,2]", "[2,4]", "end at byte 4 of the data, which has 5"));
}
