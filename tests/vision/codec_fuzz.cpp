// SPDX-License-Identifier: Apache-2.0
// Damaged files, thousands of them: each is either a picture or an Error. The sanitizer builds make this sharp.
#define BOOST_TEST_MODULE vision_codec_fuzz

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "dinomaly/vision/codec.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;

namespace fs = std::filesystem;

namespace {

std::vector<std::vector<std::byte>> seeds() {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(dinomaly::test::source_dir() / "tests" / "vision" / "data"))
        if (entry.path().string().find(".expected.") == std::string::npos) paths.push_back(entry.path());
    std::ranges::sort(paths);
    std::vector<std::vector<std::byte>> files;
    for (const fs::path& path : paths) files.push_back(detail::read_bytes(path));
    return files;
}

/// libpng refuses a chunk whose checksum does not fit, so the checksums are made to fit the damage.
void seal_png(std::vector<std::byte>& file) {
    std::size_t at = 8;
    while (at + 12 <= file.size()) {
        std::uint64_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) length = length << 8 | std::to_integer<std::uint64_t>(file[at + i]);
        if (length > file.size() - at - 12) return;
        std::uint32_t sum = 0xffffffffU;
        for (std::size_t i = at + 4; i < at + 8 + length; ++i) {
            sum ^= std::to_integer<std::uint32_t>(file[i]);
            for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1U) != 0 ? 0xedb88320U : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i)
            file[at + 8 + length + i] = static_cast<std::byte>(~sum >> (24 - 8 * static_cast<int>(i)));
        at += 12 + static_cast<std::size_t>(length);
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(damaged_files_are_pictures_or_errors) {
    std::mt19937_64 engine(7);
    std::size_t decoded = 0;
    std::size_t refused = 0;
    for (const std::vector<std::byte>& seed : seeds()) {
        for (int round = 0; round < 120; ++round) {
            std::vector<std::byte> file = seed;
            for (std::uint64_t flips = 1 + engine() % 4; flips > 0; --flips)
                file[engine() % std::min<std::size_t>(file.size(), round % 2 == 0 ? 64 : file.size())] =
                    static_cast<std::byte>(engine());
            if (round % 5 == 0) file.resize(engine() % (file.size() + 1));
            if (round % 3 != 0 && is_png(file)) seal_png(file);
            try {
                const Image image = decode(file, "fuzz");
                BOOST_REQUIRE_NO_THROW(check_image("fuzz", image));
                ++decoded;
            } catch (const dinomaly::Error&) {
                ++refused;
            }
        }
    }
    BOOST_TEST(decoded > 500U);
    BOOST_TEST(refused > 500U);
}
