// SPDX-License-Identifier: Apache-2.0
// The drawn parts: repeatable, different from each other, and masked exactly where a fault changed them.
#define BOOST_TEST_MODULE examples_demo_parts
#include "examples/dinomaly/demo/demo_parts.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "dinomaly/core/error.hpp"
#include "dinomaly/vision/codec.hpp"
#include "tests/support.hpp"

using namespace dinomaly;
using namespace dinomaly::demo;
namespace fs = std::filesystem;

namespace {

/// The content of every file below a folder, by relative path.
std::map<std::string, std::string> all_files(const fs::path& root) {
    std::map<std::string, std::string> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        std::ifstream in(entry.path(), std::ios::binary);
        files[fs::relative(entry.path(), root).string()] = {std::istreambuf_iterator<char>(in), {}};
    }
    return files;
}

BOOST_AUTO_TEST_CASE(a_fault_is_masked_where_it_changed_the_part) {
    for (std::string_view kind : demo_kinds()) {
        const DemoPart good = draw_demo_part(kind, 5, "");
        BOOST_CHECK(good.mask == vision::make_image(good.picture.width, good.picture.height, 1));
        for (std::string_view fault : demo_faults(kind)) {
            BOOST_TEST_CONTEXT(kind << " " << fault) {
                const DemoPart bad = draw_demo_part(kind, 5, fault);
                BOOST_REQUIRE_EQUAL(bad.picture.pixels.size(), 3 * bad.mask.pixels.size());
                int marked = 0;
                int unmarked_changes = 0;
                for (std::size_t i = 0; i < bad.mask.pixels.size(); ++i) {
                    int change = 0;
                    for (std::size_t c = 3 * i; c < 3 * i + 3; ++c)
                        change = std::max(change, std::abs(bad.picture.pixels[c] - good.picture.pixels[c]));
                    const bool is_marked = bad.mask.pixels[i] == 255;
                    BOOST_REQUIRE(is_marked || bad.mask.pixels[i] == 0);
                    if (is_marked) BOOST_REQUIRE_GE(change, 14);
                    if (!is_marked && change >= 14) ++unmarked_changes;
                    marked += is_marked ? 1 : 0;
                }
                BOOST_CHECK_GE(marked, 40);
                BOOST_CHECK_LT(marked, 192 * 192 / 20);
                BOOST_CHECK_LE(unmarked_changes, marked / 10 + 10);  // specks
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(no_two_parts_are_the_same) {
    for (std::string_view kind : demo_kinds()) {
        const DemoPart first = draw_demo_part(kind, 1, "");
        BOOST_CHECK(draw_demo_part(kind, 1, "").picture == first.picture);
        BOOST_CHECK(draw_demo_part(kind, 2, "").picture != first.picture);
    }
}

BOOST_AUTO_TEST_CASE(a_seed_gives_the_same_files) {
    const fs::path dir = test::scratch_dir("demo_parts");
    const DemoCounts counts{.train = 1, .good = 1, .bad = 5};
    draw_demo_parts(dir / "a", 3, counts);
    draw_demo_parts(dir / "b", 3, counts);
    draw_demo_parts(dir / "c", 4, {.train = 1, .good = 1, .bad = 1});
    const auto files = all_files(dir / "a");
    BOOST_CHECK_EQUAL(files.size(), demo_kinds().size() * (1 + 1 + 5 + 5));
    BOOST_CHECK(files == all_files(dir / "b"));
    for (const auto& [path, content] : all_files(dir / "c"))
        if (!path.ends_with("_mask.png")) BOOST_CHECK_MESSAGE(files.at(path) != content, path);

    BOOST_CHECK(files.contains("flange/train/good/000.png"));
    BOOST_CHECK(files.contains("fabric/test/good/000.png"));
    BOOST_CHECK(files.contains("circuit/test/bridge/001.png"));
    BOOST_CHECK(files.contains("circuit/ground_truth/bridge/001_mask.png"));
    const vision::Image picture = vision::read_picture(dir / "a/blister/test/missing/000.png");
    const vision::Image mask = vision::read_picture(dir / "a/blister/ground_truth/missing/000_mask.png");
    BOOST_CHECK_EQUAL(picture.channels, 3);
    BOOST_CHECK_EQUAL(mask.channels, 1);
    BOOST_CHECK_EQUAL(picture.width, mask.width);
}

BOOST_AUTO_TEST_CASE(a_smaller_set_replaces_a_larger_one) {
    const fs::path dir = test::scratch_dir("demo_parts_again");
    draw_demo_parts(dir, 1, {.train = 3, .good = 0, .bad = 0});
    draw_demo_parts(dir, 1, {.train = 1, .good = 0, .bad = 0});
    BOOST_CHECK_EQUAL(all_files(dir).size(), demo_kinds().size());
}

BOOST_AUTO_TEST_CASE(bad_input_is_an_error) {
    BOOST_CHECK_THROW(draw_demo_part("teapot", 1, ""), Error);
    BOOST_CHECK_THROW(draw_demo_part("flange", 1, "teapot"), Error);
    const fs::path dir = test::scratch_dir("demo_parts_bad");
    BOOST_CHECK_THROW(draw_demo_parts(dir, 1, {.train = -1}), Error);
    std::ofstream(dir / "file") << "not a folder";
    BOOST_CHECK_THROW(draw_demo_parts(dir / "file", 1, {.train = 1}), Error);
}

}  // namespace
