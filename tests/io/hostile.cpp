// SPDX-License-Identifier: Apache-2.0
// Thousands of damaged files: each either loads or is refused with an Error, whatever a sanitizer build may see. The
// damage comes from a generator with a fixed seed, so that a failure can be repeated.
#define BOOST_TEST_MODULE io_hostile
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "dinomaly/io/hash.hpp"
#include "dinomaly/io/weights.hpp"
#include "tests/io/archive.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::test;

namespace {

struct Outcome {
    int loaded = 0, refused = 0;
};

/// Loads the file and touches every byte of its tensors; anything but an Error fails the test.
void load(const std::string& content, Outcome& outcome) {
    try {
        io::hash(io::parse_state_dict(bytes_of(content), "f"));
        ++outcome.loaded;
    } catch (const Error&) {
        ++outcome.refused;
    }
}

/// A checkpoint with all that a reader may meet: views, parameters, nested dicts, objects, a deflated storage.
std::string small_pth() {
    using namespace pickled;
    const std::string parameter = call(global("torch._utils", "_rebuild_parameter"), tensor() + "\x88N");
    const std::string weights =
        dict(text("a") + tensor() + text("b") + tensor({.offset = 1, .sizes = {2, 2}, .strides = {1, 2}}) + text("c") +
             parameter + text("d") +
             tensor({.key = "1", .storage = "HalfStorage", .count = 400, .sizes = {400}, .strides = {1}}));
    const std::string object = call(global("argparse", "Namespace"), "") + dict(text("lr") + "K\1") + "b";
    const std::string value = dict(text("model") + weights + text("args") + object + text("epoch") + "K\3");
    return zip({{"m/data.pkl", document(value), true},
                {"m/byteorder", "little"},
                {"m/data/0", float_storage()},
                {"m/data/1", std::string(800, 'x'), true, true}},
               "comment");
}

std::string small_safetensors() {
    return io::read_text([] {
        const auto path = scratch_dir("hostile") / "small";
        io::StateDict dict;
        dict.metadata["key"] = "text";
        dict.insert("a.weight", io::DType::f32, Shape{2, 3}, bytes_of(float_storage()));
        dict.insert("a.bias", io::DType::bf16, Shape{3}, bytes_of("123456"));
        dict.insert("steps", io::DType::i64, Shape{}, bytes_of("12345678"));
        io::write_safetensors(path, dict);
        return path;
    }());
}

/// One to four changes: a flipped bit, a byte or a number that is often special, bytes removed, repeated or inserted.
std::string damaged(std::string content, std::mt19937& random, std::size_t first, std::size_t last) {
    const auto below = [&random](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
    };
    static constexpr std::uint64_t special[] = {0,
                                                1,
                                                0x7f,
                                                0x80,
                                                0xff,
                                                0xffff,
                                                0x7fffffff,
                                                0x80000000,
                                                0xffffffff,
                                                std::uint64_t{1} << 62,
                                                std::uint64_t{1} << 63,
                                                ~std::uint64_t{0}};
    for (std::size_t change = below(4) + 1; change > 0; --change) {
        const std::size_t at = first + below(std::min(last, content.size()) - first);
        switch (below(6)) {
            case 0: content[at] = static_cast<char>(content[at] ^ (1 << below(8))); break;
            case 1: content[at] = static_cast<char>(below(256)); break;
            case 2:
            case 3: {
                const std::string number =
                    raw(special[below(std::size(special))]).substr(0, std::size_t{1} << below(4));
                content.replace(at, std::min(number.size(), content.size() - at), number, 0, content.size() - at);
                break;
            }
            case 4: content.erase(at, std::min(below(16) + 1, content.size() - at - 1)); break;
            default: content.insert(at, content.substr(first + below(content.size() - first), below(16))); break;
        }
    }
    return content;
}

Outcome damage_and_load(const std::string& content, int count, std::size_t first, std::size_t last) {
    std::mt19937 random(20240501);
    Outcome outcome;
    for (int i = 0; i < count; ++i) load(damaged(content, random, first, last), outcome);
    BOOST_TEST_MESSAGE(outcome.loaded << " loaded, " << outcome.refused << " refused");
    return outcome;
}

}  // namespace

BOOST_AUTO_TEST_CASE(small_files_cut_short_everywhere) {
    for (const std::string& content : {small_pth(), small_safetensors()}) {
        Outcome whole, outcome;
        load(content, whole);
        BOOST_TEST(whole.loaded == 1);
        for (std::size_t size = 0; size < content.size(); ++size) load(content.substr(0, size), outcome);
        BOOST_TEST(outcome.loaded == 0);
    }
}

BOOST_AUTO_TEST_CASE(the_golden_files_cut_short) {
    for (const std::string_view name : {"tiny_weights.pth", "tiny_weights.safetensors"}) {
        const std::string content = io::read_text(golden_dir() / name);
        Outcome outcome;
        for (std::size_t step = 0; step < 100; ++step) load(content.substr(0, content.size() * step / 100), outcome);
        for (std::size_t cut = 1; cut <= 64; ++cut) load(content.substr(0, content.size() - cut), outcome);
        BOOST_TEST(outcome.loaded == 0);
    }
}

BOOST_AUTO_TEST_CASE(damaged_archives) {
    const std::string content = small_pth();
    const Outcome outcome = damage_and_load(content, 6000, 0, content.size());
    BOOST_TEST(outcome.refused > 3000);
}

BOOST_AUTO_TEST_CASE(damaged_pickles_in_sound_archives) {
    std::mt19937 random(20240502);
    const std::string content = small_pth();
    const io::ZipArchive archive(bytes_of(content), "f");
    const std::string pickle(archive.read(*archive.find("m/data.pkl")).text());
    const std::string halves(archive.read(*archive.find("m/data/1")).text());
    Outcome outcome;
    for (int i = 0; i < 6000; ++i) {
        load(zip({{"m/data.pkl", damaged(pickle, random, 2, pickle.size())},
                  {"m/data/0", float_storage()},
                  {"m/data/1", halves}}),
             outcome);
    }
    BOOST_TEST_MESSAGE(outcome.loaded << " loaded, " << outcome.refused << " refused");
    BOOST_TEST(outcome.refused > 2000);
    BOOST_TEST(outcome.loaded > 100);
}

BOOST_AUTO_TEST_CASE(damaged_safetensors) {
    const std::string content = small_safetensors();
    const Outcome header = damage_and_load(content, 6000, 8, content.size());
    const Outcome length = damage_and_load(content, 1000, 0, 8);
    BOOST_TEST(header.refused > 3000);
    BOOST_TEST(header.loaded > 10);
    BOOST_TEST(length.refused > 900);
}
