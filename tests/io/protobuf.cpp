// SPDX-License-Identifier: Apache-2.0
// Protocol buffers as they lie in a file: bytes of messages whose encoding is published or was worked out by hand, and
// ONNX files of a few nodes.
#define BOOST_TEST_MODULE protobuf
#include "dinomaly/io/protobuf.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dinomaly/io/onnx.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using io::protobuf::Message;

namespace {

std::string hex(const Message& message) {
    std::string out;
    message.write([&](std::span<const std::byte> bytes) {
        for (const std::byte byte : bytes) {
            const char* digits = "0123456789abcdef";
            out += digits[std::to_integer<unsigned>(byte) >> 4U];
            out += digits[std::to_integer<unsigned>(byte) & 15U];
        }
    });
    BOOST_TEST(out.size() == 2 * message.size());
    return out;
}

Message number(int field, std::int64_t value) {
    return Message().number(field, value);
}

io::SharedBytes bytes(std::size_t count) {
    return io::SharedBytes::own(std::vector<std::byte>(count, std::byte{0xab}));
}

/// y = 2 x + t, where t has `count` values.
io::onnx::Graph small_graph(std::int64_t count) {
    using enum io::onnx::Element;
    io::onnx::Graph graph("small");
    const auto x = graph.input("x", float32, {"batch", count});
    const auto twice = graph.node("Mul", {x, graph.constant(2.0F)});
    const auto t = graph.constant("t", {count}, std::vector<float>(static_cast<std::size_t>(count), 0.5F));
    graph.output(graph.node("Add", {twice, t}, {}, "y"), float32, {"batch", count});
    return graph;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

bool says(const Error& error, const std::string& words) {
    BOOST_TEST_MESSAGE(error.what());
    return holds(error.what(), words);
}

}  // namespace

// The examples of the encoding's published description.
BOOST_AUTO_TEST_CASE(published_examples) {
    BOOST_TEST(hex(number(1, 150)) == "089601");
    BOOST_TEST(hex(Message().text(2, "testing")) == "120774657374696e67");
    BOOST_TEST(hex(Message().message(3, number(1, 150))) == "1a03089601");
    BOOST_TEST(hex(number(1, -2)) == "08feffffffffffffffff01");
}

BOOST_AUTO_TEST_CASE(numbers_at_the_edges_of_their_bytes) {
    BOOST_TEST(hex(number(1, 0)) == "0800");
    BOOST_TEST(hex(number(1, 127)) == "087f");
    BOOST_TEST(hex(number(1, 128)) == "088001");
    BOOST_TEST(hex(number(1, 16384)) == "08808001");
    BOOST_TEST(hex(number(15, 1)) == "7801");
    BOOST_TEST(hex(number(16, 1)) == "800101");  // the key takes two bytes from here on
    BOOST_TEST(hex(number(1, INT64_MAX)) == "08ffffffffffffffff7f");
    BOOST_CHECK_EXCEPTION(number(0, 1), Error, [](const Error& e) { return says(e, "field 0, a number above zero"); });
}

BOOST_AUTO_TEST_CASE(floats_and_empty_parts) {
    BOOST_TEST(hex(Message().real(2, 1.0F)) == "150000803f");
    BOOST_TEST(hex(Message().real(2, -0.0F)) == "1500000080");
    BOOST_TEST(hex(Message()).empty());
    BOOST_TEST(hex(Message().text(1, "").message(2, Message())) == "0a001200");
}

BOOST_AUTO_TEST_CASE(payloads_are_made_as_they_are_written) {
    int made = 0;
    Message inner;
    inner.number(1, 5).payload(9, 3, [&made] { return ++made, bytes(3); }).number(2, 7);
    Message outer;
    outer.text(1, "a").message(2, inner).message(2, inner).number(3, 1);
    BOOST_TEST(outer.size() == 27U);
    BOOST_TEST(made == 0);
    const std::string once =
        "12090805"
        "4a03ababab"
        "1007";
    BOOST_TEST(hex(outer) == "0a0161" + once + once + "1801");
    BOOST_TEST(made == 2);
    const Message wrong = Message().payload(1, 4, [] { return bytes(3); });
    BOOST_CHECK_EXCEPTION(wrong.write([](auto) {}), Error,
                          [](const Error& e) { return says(e, "a payload of 3 bytes, 4 expected"); });
}

BOOST_AUTO_TEST_CASE(an_onnx_file) {
    const std::filesystem::path file = scratch_dir("onnx") / "small.onnx";
    BOOST_TEST(!io::onnx::write(file, small_graph(3), {.opset = 17, .metadata = {{"key", "what it says"}}}));
    const std::string text = io::read_text(file);
    BOOST_TEST(
        text.starts_with("\x08\x08\x12\x08"
                         "dinomaly"));  // ir_version 8, producer_name
    BOOST_TEST(holds(text, "\x0a\x03key\x12\x0cwhat it says"));
    BOOST_TEST(text.ends_with("\x72\x13\x0a\x03key\x12\x0cwhat it says"));
    BOOST_TEST(holds(text, std::string("\x42\x04\x0a\x00\x10\x11", 6)));  // opset_import: domain "", version 17
    BOOST_TEST(holds(text, "\x22\x03Mul"));
    // t: dims 3, float, its name, 12 bytes
    BOOST_TEST(holds(text, std::string("\x08\x03\x10\x01\x42\x01t\x4a\x0c\x00\x00\x00\x3f", 13)));
    BOOST_TEST(!std::filesystem::exists(io::onnx::data_file(file)));
}

// Weights above the limit of a protobuf message, here made small.
BOOST_AUTO_TEST_CASE(weights_above_the_limit_lie_in_a_second_file) {
    const std::filesystem::path folder = scratch_dir("external");
    const std::int64_t count = 1000;  // 4000 bytes, and 4 of the factor
    BOOST_TEST(!io::onnx::write(folder / "fits.onnx", small_graph(count), {.external_above = 4004}));
    BOOST_TEST(!std::filesystem::exists(folder / "fits.onnx.data"));
    BOOST_TEST(std::filesystem::file_size(folder / "fits.onnx") > 4000U);
    BOOST_TEST(io::onnx::write(folder / "large.onnx", small_graph(count), {.external_above = 4003}));
    BOOST_TEST(std::filesystem::file_size(folder / "large.onnx.data") == 4000U);
    const std::string text = io::read_text(folder / "large.onnx");
    BOOST_TEST(text.size() < 1000U);
    for (const char* part : {"location\x12\x0flarge.onnx.data",
                             "offset\x12\x01"
                             "0",
                             "length\x12\x04"
                             "4000"})
        BOOST_TEST(holds(text, part), part);
    const std::string data = io::read_text(folder / "large.onnx.data");
    BOOST_TEST(data.substr(3996) == std::string("\x00\x00\x00\x3f", 4));
}

BOOST_AUTO_TEST_CASE(each_weight_of_the_second_file_begins_a_page) {
    io::onnx::Graph graph = small_graph(300);
    const auto more = graph.constant("more", {500}, std::vector<float>(500, 1.0F));
    const std::filesystem::path file = scratch_dir("pages") / "two.onnx";
    BOOST_TEST(io::onnx::write(file, graph, {.external_above = 0}));
    const std::string data = io::read_text(io::onnx::data_file(file));
    BOOST_TEST(data.size() == 4096U + 2000U);
    BOOST_TEST(data.substr(4096, 4) == std::string("\x00\x00\x80\x3f", 4));
    BOOST_TEST(data.substr(1200, 2896) == std::string(2896, '\0'));
    BOOST_TEST(more.name == "more");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written) {
    const std::filesystem::path folder = scratch_dir("refused");
    for (const std::int64_t opset : {16, 23})
        BOOST_CHECK_EXCEPTION(
            io::onnx::write(folder / "x.onnx", small_graph(3), {.opset = opset}), Error, [&](const Error& e) {
                return says(e, "opset " + std::to_string(opset) + ", a number from 17 to 22 expected");
            });
    BOOST_CHECK_EXCEPTION(io::onnx::write(folder / "no" / "x.onnx", small_graph(3), {}), Error,
                          [](const Error& e) { return says(e, "there is no directory"); });
    io::onnx::Graph wrong = small_graph(3);
    BOOST_CHECK_EXCEPTION(wrong.constant("t", {2}, std::vector<float>(3)), Error,
                          [](const Error& e) { return says(e, "[t] 3 values for shape [2]"); });
    wrong.constant("short", {600}, [] { return bytes(4); });
    BOOST_CHECK_THROW(io::onnx::write(folder / "x.onnx", wrong, {}), Error);
    BOOST_CHECK_EXCEPTION(io::onnx::write(folder / "x.onnx", wrong, {.external_above = 0}), Error,
                          [](const Error& e) { return says(e, "short has 4 bytes, 2400 expected"); });
    BOOST_TEST(std::filesystem::is_empty(folder));
}
