// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE io_hash
#include "dinomaly/io/hash.hpp"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "dinomaly/io/weights.hpp"
#include "tests/io/archive.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;
using io::DType;

namespace {

std::string hash_of(const std::string& name, DType dtype, const Shape& shape, const std::string& bytes) {
    io::StateDict dict;
    dict.insert("first", DType::u8, Shape{1}, bytes_of("x"));
    dict.insert(name, dtype, shape, bytes_of(bytes));
    return io::hash(dict);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_empty_dict_has_the_published_digest_of_nothing) {
    BOOST_TEST(io::hash(io::StateDict()) == "99aa06d3014798d86001c324468d497f");
}

BOOST_AUTO_TEST_CASE(everything_that_matters_counts) {
    const std::set<std::string> hashes = {hash_of("a", DType::f32, Shape{1}, "1234"),
                                          hash_of("b", DType::f32, Shape{1}, "1234"),
                                          hash_of("a", DType::i32, Shape{1}, "1234"),
                                          hash_of("a", DType::f32, Shape{1, 1}, "1234"),
                                          hash_of("a", DType::f32, Shape{1}, "1235"),
                                          hash_of("a", DType::f16, Shape{2}, "1234"),
                                          hash_of("a", DType::f16, Shape{1, 2}, "1234"),
                                          hash_of("a", DType::f16, Shape{2, 1}, "1234"),
                                          hash_of("a", DType::i64, Shape{1}, std::string(8, 0)),
                                          hash_of("a", DType::i64, Shape{1, 0}, "")};
    BOOST_TEST(hashes.size() == 10U);
}

BOOST_AUTO_TEST_CASE(order_metadata_and_format_do_not) {
    const io::StateDict pth = io::load_state_dict(golden_dir() / "tiny_weights.pth");
    const io::StateDict twin = io::load_state_dict(golden_dir() / "tiny_weights.safetensors");
    BOOST_TEST(pth.begin()->first != twin.begin()->first);
    io::StateDict with_metadata = twin;
    with_metadata.metadata["note"] = "text";
    BOOST_TEST(io::hash(pth) == io::hash(twin));
    BOOST_TEST(io::hash(with_metadata) == io::hash(twin));
}
