// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_pickle
#include "dinomaly/io/pickle.hpp"

#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/io/archive.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
namespace pickle = dinomaly::io::pickle;

namespace {

pickle::Document parse(const std::string& opcodes) {
    const std::string document = pickled::document(opcodes);
    return pickle::parse(std::as_bytes(std::span(document)), "f");
}

/// The value that the opcodes push, which must be a T.
template <class T> T value(const std::string& opcodes) {
    const pickle::Document document = parse(opcodes);
    BOOST_REQUIRE(document.get<T>(document.root) != nullptr);
    return *document.get<T>(document.root);
}

bool refused(const std::string& opcodes, std::string_view part) {
    return is_refused([&] { parse(opcodes); }, part);
}

}  // namespace

BOOST_AUTO_TEST_CASE(plain_values) {
    BOOST_TEST(value<bool>("\x88"));
    BOOST_TEST(!value<bool>("\x89"));
    value<pickle::None>("N");
    BOOST_TEST(value<std::int64_t>("K\xff") == 255);
    BOOST_TEST(value<std::int64_t>("M\x01\x02") == 513);
    BOOST_TEST(value<std::int64_t>("J\xfe\xff\xff\xff") == -2);
    BOOST_TEST(value<std::int64_t>(std::string("\x8a\0", 2)) == 0);
    BOOST_TEST(value<std::int64_t>("\x8a\x01\x80") == -128);
    BOOST_TEST(value<std::int64_t>(std::string("\x8a\x02\x80\0", 4)) == 128);
    BOOST_TEST(value<std::int64_t>(std::string("\x8b\x01\0\0\0\xff", 6)) == -1);
    BOOST_TEST(value<pickle::Bytes>("\x8a\x09" + std::string(9, 'x')).data.size() == 9U);
    BOOST_TEST(value<double>(std::string("G\xbf\xf8\0\0\0\0\0\0", 9)) == -1.5);
    BOOST_TEST(value<std::string>(pickled::text("name")) == "name");
    BOOST_TEST(value<std::string>("\x8c\x04name") == "name");
    BOOST_TEST(value<std::string>("\x8d" + raw(std::uint64_t{4}) + "name") == "name");
    BOOST_TEST(value<pickle::Bytes>("C\x02hi").data == "hi");
    BOOST_TEST(value<pickle::Bytes>("\x96" + raw(std::uint64_t{2}) + "hi").data == "hi");
}

BOOST_AUTO_TEST_CASE(containers) {
    BOOST_TEST(value<pickle::Tuple>(")").items.empty());
    BOOST_TEST(value<pickle::Tuple>("NNN\x87").items.size() == 3U);
    BOOST_TEST(value<pickle::Tuple>("(NNt").items.size() == 2U);
    BOOST_TEST(value<pickle::List>("]Na(NNe").items.size() == 3U);
    BOOST_TEST(value<pickle::List>("\x8f(NN\x90").items.size() == 2U);
    BOOST_TEST(value<pickle::Dict>("}NNs(NNNNu").items.size() == 3U);
    BOOST_TEST(value<pickle::Dict>("(NNd").items.size() == 1U);
    BOOST_TEST(
        value<pickle::Dict>(pickled::call(pickled::global("collections", "OrderedDict"), "") + "NNs").items.size() ==
        1U);
    BOOST_TEST(value<pickle::Tuple>("(N(N1t").items.size() == 1U);  // POP_MARK drops the inner N
    BOOST_TEST(value<pickle::Tuple>("N2\x86").items.size() == 2U);
}

BOOST_AUTO_TEST_CASE(memo) {
    BOOST_TEST(value<std::int64_t>("K\x05q\x03"
                                   "0h\x03") == 5);
    const std::string key = raw(std::uint32_t{257});
    BOOST_TEST(value<std::int64_t>("K\x05"
                                   "0K\x06r" +
                                   key + "0j" + key) == 6);
    BOOST_TEST(value<std::int64_t>("K\x05\x94"
                                   "0K\x06\x94"
                                   "0h" +
                                   raw(std::uint8_t{0})) == 5);
    BOOST_CHECK(refused("h\x01", "recalls value 1, which was not stored"));
}

BOOST_AUTO_TEST_CASE(calls_are_recorded_and_never_made) {
    const std::string hostile = pickled::call(pickled::global("os", "system"), pickled::text("exit 3"));
    const pickle::Document document = parse(hostile + "}b");  // BUILD: the state is dropped
    const auto* const call = document.get<pickle::Call>(document.root);
    BOOST_REQUIRE(call != nullptr);
    BOOST_TEST(document.get<pickle::Global>(call->callee)->name == "os.system");
    BOOST_TEST(value<pickle::Global>(pickled::text("builtins") + pickled::text("eval") + "\x93").name ==
               "builtins.eval");
    value<pickle::Call>(pickled::global("m", "C") + ")\x81(NNu(Ne");  // items of an unknown object are dropped
    value<pickle::Call>(pickled::global("m", "C") + ")}\x92");
    value<pickle::Call>(pickled::global("collections", "OrderedDict") + "N\x85R");
    value<pickle::Persistent>("NQ");
}

BOOST_AUTO_TEST_CASE(wrong_programs) {
    BOOST_CHECK(refused("", "empty stack"));
    BOOST_CHECK(refused("0", "empty stack"));
    BOOST_CHECK(refused("N\x86", "takes 2 values from a stack of 1"));
    BOOST_CHECK(refused("N(\x85", "takes 1 values from a stack of 0"));
    BOOST_CHECK(refused("N(R", "takes 2 values"));
    BOOST_CHECK(refused("Nt", "not opened"));
    BOOST_CHECK(refused("}(Nu", "key without a value"));
    BOOST_CHECK(refused("](NNu", "not a dict"));
    BOOST_CHECK(refused("}Na", "not a list"));
    BOOST_CHECK(refused("NN\x93", "not a text"));
    BOOST_CHECK(refused("Nb", "empty stack"));
    BOOST_CHECK(refused("cos\nsystem", "a line without an end"));
    BOOST_CHECK(refused("X" + raw(std::uint32_t{0xffffffff}), "4294967295 bytes expected"));
    BOOST_CHECK(refused("\x8d" + raw(~std::uint64_t{0}), "18446744073709551615 bytes expected"));
    BOOST_CHECK(refused("\x82\x01", "unknown opcode 130"));
    BOOST_CHECK(refused("\x80\x06", "protocol 6, expected 2 to 5"));
    BOOST_CHECK(is_refused([] { pickle::parse(std::as_bytes(std::span("I1\n.", 4)), "f"); }, "protocol 2 or later"));
    BOOST_CHECK(is_refused([] { pickle::parse({}, "f"); }, "cut short"));
}

BOOST_AUTO_TEST_CASE(deep_and_cyclic_values_cost_no_recursion) {
    std::string deep(1'000'000, ']');
    deep += std::string(999'999, 'a');
    BOOST_TEST(value<pickle::List>(deep).items.size() == 1U);
    std::string tuples = "N";
    for (int i = 0; i < 1'000'000; ++i) tuples += '\x85';
    BOOST_TEST(value<pickle::Tuple>(tuples).items.size() == 1U);

    const pickle::Document cyclic = parse(std::string("]q\0h\0a", 6));
    BOOST_TEST(cyclic.get<pickle::List>(cyclic.root)->items[0] == cyclic.root);
    std::string doubling = "N";  // 2^100 leaves when written out
    for (int i = 0; i < 100; ++i) doubling += "2\x86";
    BOOST_TEST(parse(doubling).values.size() == 101U);
}

BOOST_AUTO_TEST_CASE(the_number_of_operations_is_limited) {
    BOOST_CHECK(refused(std::string(pickle::max_operations, 'N'), "too many operations"));
}
