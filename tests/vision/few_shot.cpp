// SPDX-License-Identifier: Apache-2.0
// Few-shot: the pictures that Python draws, and what augmentation makes of a picture, beside Pillow's results.
#define BOOST_TEST_MODULE vision_few_shot

#include "dinomaly/vision/few_shot.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>
#include <vector>

#include "dinomaly/vision/augment.hpp"
#include "dinomaly/vision/loader.hpp"
#include "tests/errors.hpp"
#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::test::error_of;
using dinomaly::test::expect_error;
using dinomaly::test::scratch_dir;

namespace fs = std::filesystem;

using Numbers = std::vector<std::size_t>;

namespace {

/// Classes with pictures 0000.png, 0001.png, .. to learn from, the last one listed first.
std::vector<ClassData> make_classes(const std::vector<std::pair<std::string, std::size_t>>& counts) {
    std::vector<ClassData> classes;
    for (const auto& [name, count] : counts) {
        ClassData& data = classes.emplace_back();
        data.name = name;
        for (std::size_t i = count; i-- > 0;) {
            const std::string number = std::to_string(i);
            data.train.push_back({fs::path(name) / (std::string(4 - number.size(), '0') + number + ".png"),
                                  std::nullopt, name, "good", false});
        }
    }
    return classes;
}

Numbers numbers_of(const ClassData& data) {
    Numbers numbers;
    for (const Sample& sample : data.train) numbers.push_back(std::stoul(sample.picture.stem().string()));
    return numbers;
}

/// A picture without any symmetry.
Image odd_picture(int side) {
    Image image = make_image(side, side, 3);
    std::size_t at = 0;
    for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x)
            for (int c = 0; c < 3; ++c)
                image.pixels[at++] = static_cast<std::uint8_t>(x * x * 7 + y * y * 13 + x * y * 3 + c * 50);
    return image;
}

std::uint32_t checksum(const Image& image) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i) sum += static_cast<std::uint32_t>(i + 1) * image.pixels[i];
    return sum;
}

}  // namespace

BOOST_AUTO_TEST_CASE(samples_are_those_of_python) {
    // python3 -c "import random; random.seed(SEED); print(random.sample(range(N), K))"
    const auto drawn = [](std::uint64_t seed, std::size_t n, std::size_t k) { return PythonRandom(seed).sample(n, k); };
    BOOST_CHECK(drawn(0, 10, 3) == (Numbers{6, 9, 0}));
    BOOST_CHECK(drawn(7, 21, 5) == (Numbers{10, 4, 12, 1, 2}));
    BOOST_CHECK(drawn(7, 22, 5) == (Numbers{10, 4, 12, 20, 1}));  // one more than Python draws from a list of all
    BOOST_CHECK(drawn(9, 85, 6) == (Numbers{59, 78, 47, 34, 17, 23}));
    BOOST_CHECK(drawn((std::uint64_t{1} << 40) + 5, 86, 6) == (Numbers{64, 66, 34, 84, 3, 67}));
    BOOST_CHECK(drawn(~std::uint64_t{0}, 86, 6) == (Numbers{2, 31, 43, 79, 27, 58}));
    BOOST_CHECK(drawn(std::uint64_t{1} << 32, 1000, 8) == (Numbers{115, 359, 427, 957, 17, 23, 626, 897}));
    BOOST_CHECK(drawn(123456789, 100, 20) ==
                (Numbers{82, 56, 69, 90, 77, 50, 38, 88, 59, 68, 44, 51, 26, 86, 76, 3, 34, 78, 23, 94}));
    BOOST_CHECK(drawn(42, 5000, 30) ==
                (Numbers{912,  204,  2253, 2006, 1828, 1143, 839,  4467, 712,  4837, 3456, 260,  244, 767,  1791,
                         1905, 4139, 4931, 217,  4597, 1628, 4464, 3436, 1805, 3679, 4827, 2278, 53,  1307, 3462}));
    BOOST_CHECK(drawn(3, 5, 5) == (Numbers{1, 4, 3, 2, 0}));
    BOOST_CHECK(drawn(3, 5, 0).empty());
    BOOST_TEST(error_of([&] { drawn(1, 3, 4); }) == "[random] 4 of 3 cannot be drawn");
}

BOOST_AUTO_TEST_CASE(bits_are_those_of_python) {
    // [random.getrandbits(k) for k in (1, 8, 32, 33, 64, 31)]
    const std::map<std::uint64_t, std::array<std::uint64_t, 6>> known{
        {0, {1, 98, 3255389356, 3823568514, 4776171008201404212, 2073320061}},
        {1, {0, 145, 3639700191, 7740669488, 4705193143269049553, 253228484}},
        {(std::uint64_t{1} << 32) + 1, {0, 128, 2200792185, 3616180723, 1690870680231046484, 576249836}}};
    for (const auto& [seed, expected] : known) {
        PythonRandom random(seed);
        std::size_t i = 0;
        for (const int count : {1, 8, 32, 33, 64, 31}) BOOST_TEST(random.bits(count) == expected[i++]);
    }
    BOOST_CHECK_THROW(PythonRandom(1).bits(65), dinomaly::Error);
    BOOST_CHECK_THROW(PythonRandom(1).below(0), dinomaly::Error);
}

BOOST_AUTO_TEST_CASE(shots_of_mvtec_are_those_of_the_authors) {
    std::vector<std::pair<std::string, std::size_t>> counts;
    for (const PublishedClass& known : mvtec_classes) counts.emplace_back(known.name, known.train);
    std::vector<ClassData> classes = make_classes(counts);  // sorted by name: the authors draw in another order
    choose_shots(classes, drawing_order(classes, DataSetKind::mvtec), 4, 1);
    const std::map<std::string, Numbers> expected{
        {"carpet", {68, 32, 130, 60}},     {"grid", {253, 230, 241, 194}},    {"leather", {201, 53, 24, 124}},
        {"tile", {7, 228, 213, 99}},       {"wood", {110, 155, 195, 196}},    {"bottle", {0, 178, 114, 68}},
        {"cable", {184, 205, 58, 151}},    {"capsule", {26, 81, 7, 5}},       {"hazelnut", {13, 332, 277, 4}},
        {"metal_nut", {97, 175, 55, 108}}, {"pill", {14, 113, 224, 253}},     {"screw", {283, 119, 176, 118}},
        {"toothbrush", {43, 14, 48, 29}},  {"transistor", {74, 5, 106, 142}}, {"zipper", {236, 164, 25, 47}}};
    for (const ClassData& data : classes) BOOST_CHECK_MESSAGE(numbers_of(data) == expected.at(data.name), data.name);
}

BOOST_AUTO_TEST_CASE(other_data_sets_are_drawn_from_in_their_order) {
    std::vector<ClassData> classes = make_classes({{"zip", 9}, {"carpet", 9}});
    BOOST_CHECK(drawing_order(classes, DataSetKind::folder) == (Numbers{0, 1}));
    BOOST_CHECK(drawing_order(classes, DataSetKind::mvtec) == (Numbers{1, 0}));
    std::vector<ClassData> copy = classes;
    choose_shots(copy, {0, 1}, 2, 5);
    PythonRandom random(5);
    BOOST_CHECK(numbers_of(copy[0]) == random.sample(9, 2));
    BOOST_CHECK(numbers_of(copy[1]) == random.sample(9, 2));
    expect_error(
        [&] {
            choose_shots(classes, {0, 1}, 10, 5);
        },
        {"class 'zip' has 9 pictures to learn from, fewer than the 10 asked for"});
    BOOST_CHECK_THROW(choose_shots(classes, {0, 1}, 0, 5), dinomaly::Error);
}

BOOST_AUTO_TEST_CASE(parts_turns_and_mirrors_are_those_of_pillow) {
    // im.crop(box).resize((s, s), BILINEAR), and of that ROTATE_90, _180, _270, FLIP_LEFT_RIGHT, FLIP_TOP_BOTTOM
    struct Case {
        Window part;
        int crop;
        std::array<std::uint32_t, 6> sums;
    };
    const std::vector<Case> cases{
        {{3, 5, 57, 55}, 56, {1297156320, 1311684594, 1311955119, 1297426845, 1297415559, 1311695880}},
        {{8, 0, 54, 58}, 56, {1323647463, 1310817480, 1309449138, 1322279121, 1323438330, 1309658271}},
        {{0, 0, 64, 64}, 64, {997072896, 979630080, 991550208, 1008993024, 996612864, 992010240}},
        {{1, 2, 56, 56}, 56, {1321308144, 1347979392, 1311362880, 1284691632, 1322434752, 1310236272}}};
    for (const Case& c : cases) {
        const Preprocess sizes{.size = 64, .crop = c.crop, .patch = 1};
        const auto sum = [&](int turns, bool x, bool y) {
            return checksum(augment(odd_picture(64), {c.part, turns, x, y}, sizes));
        };
        for (int turns = 0; turns < 4; ++turns)
            BOOST_TEST(sum(turns, false, false) == c.sums[static_cast<std::size_t>(turns)]);
        BOOST_TEST(sum(0, true, false) == c.sums[4]);
        BOOST_TEST(sum(0, false, true) == c.sums[5]);
        BOOST_TEST(sum(2, true, true) == c.sums[0]);
    }
    expect_error(
        [] {
            augment(odd_picture(63), {{0, 0, 9, 9}, 0, false, false}, {.size = 64, .crop = 56});
        },
        {"augment] a picture of 63x63, 64x64 expected"});
}

BOOST_AUTO_TEST_CASE(oblong_pictures_turn_too) {
    Image image = make_image(3, 2, 1);
    image.pixels = {1, 2, 3, 4, 5, 6};
    const Image left = turn_and_mirror(image, {{}, 1, false, false});
    BOOST_CHECK(left.width == 2 && left.height == 3);
    BOOST_CHECK(left.pixels == (std::vector<std::uint8_t>{3, 6, 2, 5, 1, 4}));
    BOOST_CHECK(turn_and_mirror(image, {{}, 3, true, false}).pixels == (std::vector<std::uint8_t>{1, 4, 2, 5, 3, 6}));
}

BOOST_AUTO_TEST_CASE(draws_lie_in_the_picture_and_are_even) {
    const Preprocess sizes{};
    std::array<int, 4> turns{};
    int mirrored_x = 0, mirrored_y = 0, wide = 0;
    double left = 0;
    constexpr int count = 4000;
    for (std::uint64_t draw = 0; draw < count; ++draw) {
        const Augmentation way = draw_augmentation(1, draw, sizes);
        const Window& part = way.part;
        BOOST_REQUIRE(part.left >= 0 && part.top >= 0);
        BOOST_REQUIRE(part.left + part.width <= 448 && part.top + part.height <= 448);
        const double ratio = static_cast<double>(part.width) / part.height;
        BOOST_REQUIRE(ratio > 0.945 && ratio < 1.055);
        BOOST_REQUIRE(std::abs(part.width * part.height - 392 * 392) < 400);  // sides are rounded
        ++turns[static_cast<std::size_t>(way.quarter_turns)];
        mirrored_x += way.mirrored_x, mirrored_y += way.mirrored_y, wide += part.width > part.height;
        left += static_cast<double>(part.left) / (448 - part.width);
    }
    for (const int times : turns) BOOST_TEST(std::abs(times - 1000) < 130);
    for (const int times : {mirrored_x, mirrored_y, wide}) BOOST_TEST(std::abs(times - 2000) < 160);
    BOOST_TEST(std::abs(left / count - 0.5) < 0.02);
    const Augmentation one = draw_augmentation(1, 7, sizes), same = draw_augmentation(1, 7, sizes),
                       other = draw_augmentation(2, 7, sizes);
    BOOST_TEST((one.part.left == same.part.left && one.part.top == same.part.top && one.part.width == same.part.width));
    BOOST_TEST((one.part.left != other.part.left || one.part.top != other.part.top));
}

BOOST_AUTO_TEST_CASE(a_part_that_never_fits_is_the_middle) {
    const Preprocess whole{.size = 280, .crop = 280};  // fits with a ratio of 1 alone
    int of_all = 0;
    for (std::uint64_t draw = 0; draw < 100; ++draw) {
        const Augmentation way = draw_augmentation(1, draw, whole);
        BOOST_TEST((way.part.left == 0 && way.part.top == 0));
        of_all += way.part.width == 280 && way.part.height == 280;
    }
    BOOST_TEST(of_all == 100);
    const Preprocess oblong{.size = {448, 224}, .crop = {392, 196}};
    for (std::uint64_t draw = 0; draw < 100; ++draw)
        BOOST_TEST(draw_augmentation(1, draw, oblong).quarter_turns % 2 == 0);
    const Window middle = detail::middle_part({.size = {100, 70}, .crop = {70, 70}, .patch = 7});
    BOOST_TEST((middle.left == 13 && middle.top == 0 && middle.width == 74 && middle.height == 70));
}

BOOST_AUTO_TEST_CASE(a_loader_augments_by_the_number_of_the_draw) {
    const fs::path folder = scratch_dir("draws");
    std::vector<Source> pictures;
    for (int i = 0; i < 2; ++i) {
        pictures.push_back({folder / (std::to_string(i) + ".png"), std::nullopt});
        write_png(pictures.back().path, odd_picture(40 + 9 * i));
    }
    const Preprocess sizes{.size = 32, .crop = 28};
    const Draws draws{3, {0, 1, 1, 0, 1, 1}};
    const std::vector<Numbers> order{{0, 1, 2}, {3, 4, 5}};
    std::vector<float> first;
    for (const int threads : {1, 3})
        for (const std::size_t cache : {0U, 1U << 20}) {
            Loader loader(pictures, order, sizes, {.threads = threads, .cache_bytes = cache}, draws);
            std::vector<float> pixels;
            while (const auto batch = loader.next())
                pixels.insert(pixels.end(), batch->pixels.begin(), batch->pixels.end());
            for (std::size_t d = 0; d < 6; ++d) {
                const Image resized = resize(read_rgb(pictures[draws.pictures[d]].path), 32, 32);
                std::vector<float> expected(sizes.count());
                normalize(augment(resized, draw_augmentation(3, d, sizes), sizes), expected);
                BOOST_TEST(std::equal(expected.begin(), expected.end(),
                                      pixels.begin() + static_cast<std::ptrdiff_t>(d * expected.size())));
            }
            if (first.empty()) first = pixels;
            BOOST_CHECK(first == pixels);
        }
    // A run that goes on from its second batch sees what it would have seen.
    Loader rest(pictures, {order[1]}, sizes, {}, draws);
    BOOST_CHECK(std::equal(first.begin() + static_cast<std::ptrdiff_t>(first.size() / 2), first.end(),
                           rest.next()->pixels.begin()));
    expect_error([&] { Loader(pictures, {{6}}, sizes, {}, draws); }, {"batch 0 asks for draw 6 of 6"});
    expect_error([&] { Loader(pictures, {{0}}, sizes, {}, Draws{1, {2}}); }, {"a draw of picture 2 of 2"});
}
