// SPDX-License-Identifier: Apache-2.0
// Batches arrive in order and complete, whatever the threads do; errors arrive too; nothing hangs at an early end.
#define BOOST_TEST_MODULE vision_loader

#include "dinomaly/vision/loader.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support.hpp"

using namespace dinomaly::vision;
using dinomaly::Error;

namespace fs = std::filesystem;

namespace {

const Preprocess sizes{.size = 16, .crop = 14};

/// Twelve pictures, each of one grey level of its own.
std::vector<fs::path> draw_pictures(const std::string& folder) {
    const fs::path root = dinomaly::test::scratch_dir(folder);
    std::vector<fs::path> paths;
    for (int i = 0; i < 12; ++i) {
        Image image = make_image(20 + 3 * i, 17, i % 2 == 0 ? 1 : 3);
        image.pixels.assign(image.pixels.size(), static_cast<std::uint8_t>(20 * i));
        paths.push_back(root / (std::to_string(i) + ".png"));
        write_png(paths.back(), image);
    }
    return paths;
}

std::vector<std::vector<std::size_t>> make_order(std::size_t batches, std::size_t batch_size) {
    std::vector<std::vector<std::size_t>> order(batches);
    for (std::size_t b = 0; b < batches; ++b)
        for (std::size_t i = 0; i < batch_size; ++i) order[b].push_back((7 * b + 5 * i) % 12);
    return order;
}

/// Whether a batch holds the grey levels of the pictures that it names.
bool is_right(const Batch& batch) {
    if (batch.pixels.size() != batch.indices.size() * sizes.count()) return false;
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        const float level = static_cast<float>(20 * batch.indices[i]) / 255.0F;
        for (std::size_t c = 0; c < 3; ++c) {
            const float expected = (level - pixel_mean[c]) / pixel_deviation[c];
            const auto begin = batch.pixels.begin() + static_cast<std::ptrdiff_t>(i * sizes.count() + c * 196);
            if (!std::all_of(begin, begin + 196, [&](float value) { return value == expected; })) return false;
        }
    }
    return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(batches_come_in_order_for_any_threads_and_limits) {
    const std::vector<fs::path> pictures = draw_pictures("order");
    const auto order = make_order(30, 5);
    for (int threads : {1, 2, 4})
        for (std::size_t ahead : {1U, 3U})
            for (std::size_t cache : {0U, 3000U, 1U << 20}) {
                Loader loader(pictures, order, sizes, {threads, ahead, cache});
                for (const auto& indices : order) {
                    const std::optional<Batch> batch = loader.next();
                    BOOST_REQUIRE(batch.has_value());
                    BOOST_REQUIRE(batch->indices == indices);
                    BOOST_REQUIRE(is_right(*batch));
                }
                BOOST_TEST(!loader.next().has_value());
                BOOST_TEST(!loader.next().has_value());
            }
}

BOOST_AUTO_TEST_CASE(batches_may_differ_in_size) {
    Loader loader(draw_pictures("sizes"), {{1}, {2, 3, 4}, {5, 5}}, sizes, {.threads = 3});
    for (std::size_t expected : {1U, 3U, 2U}) {
        const std::optional<Batch> batch = loader.next();
        BOOST_REQUIRE(batch.has_value());
        BOOST_TEST(batch->indices.size() == expected);
        BOOST_TEST(is_right(*batch));
    }
}

BOOST_AUTO_TEST_CASE(windows_of_pictures_are_pictures) {
    const fs::path root = dinomaly::test::scratch_dir("windows");
    Image image = make_image(90, 50, 3);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 13 % 256);
    write_png(root / "large.png", image);
    write_png(root / "small.png", cut(image, {0, 0, 30, 30}));
    const Preprocess oblong{.size = {32, 16}, .crop = {28, 14}};
    std::vector<Source> sources = sources_of(root / "large.png", oblong, 40);
    const Tiling tiling({90, 50}, oblong, 40);
    BOOST_TEST(sources.size() == tiling.count());
    BOOST_TEST(tiling.count() > 4U);
    const std::vector<Source> small = sources_of(root / "small.png", oblong, 40);
    BOOST_TEST(small.size() == 1U);
    sources.push_back(small.front());
    std::vector<std::vector<std::size_t>> order;
    for (std::size_t i = 0; i < sources.size(); ++i) order.push_back({i, (5 * i + 1) % sources.size()});
    for (const int threads : {1, 3})
        for (const std::size_t cache : {0U, 1U << 20}) {
            Loader loader(sources, order, oblong, {.threads = threads, .cache_bytes = cache});
            while (const auto batch = loader.next())
                for (std::size_t i = 0; i < 2; ++i) {
                    const std::size_t index = batch->indices[i];
                    const Image part =
                        index < tiling.count() ? cut(image, tiling.window(index)) : cut(image, {0, 0, 30, 30});
                    const std::vector<float> expected = to_input(part, oblong);
                    BOOST_REQUIRE(std::equal(expected.begin(), expected.end(),
                                             batch->pixels.begin() + static_cast<std::ptrdiff_t>(i * oblong.count())));
                }
        }
    std::ofstream(root / "large.png", std::ios::binary) << "no picture";
    Loader bad(sources, order, oblong, {.threads = 3});
    BOOST_CHECK_THROW(bad.next(), Error);
}

BOOST_AUTO_TEST_CASE(kept_pictures_are_not_read_again) {
    const std::vector<fs::path> pictures = draw_pictures("kept");
    Loader loader(pictures, {{0, 1, 2}, {2, 1, 0}, {0, 1, 2}}, sizes, {.threads = 1, .batches_ahead = 1});
    for (int i = 0; i < 2; ++i) BOOST_TEST(loader.next().has_value());
    for (const fs::path& picture : pictures) fs::remove(picture);
    const std::optional<Batch> third = loader.next();
    BOOST_REQUIRE(third.has_value());
    BOOST_TEST(is_right(*third));

    const std::vector<fs::path> others = draw_pictures("not_kept");
    Loader forgetful(others, {{0}, {0}, {0}, {0}}, sizes, {.threads = 1, .batches_ahead = 1, .cache_bytes = 0});
    BOOST_TEST(forgetful.next().has_value());
    fs::remove(others[0]);
    BOOST_CHECK_THROW(while (forgetful.next()){}, Error);
}

BOOST_AUTO_TEST_CASE(no_more_batches_are_read_ahead_than_allowed) {
    const std::vector<fs::path> pictures = draw_pictures("ahead");
    Loader loader(pictures, {{0}, {1}, {2}}, sizes, {.threads = 2, .batches_ahead = 2});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    fs::remove(pictures[2]);  // not yet read, for the batch before it has not left
    for (int i = 0; i < 2; ++i) BOOST_TEST(is_right(loader.next().value()));
    BOOST_CHECK_THROW(loader.next(), Error);
}

BOOST_AUTO_TEST_CASE(a_bad_picture_throws_in_its_turn_and_names_itself) {
    const std::vector<fs::path> pictures = draw_pictures("bad");
    std::ofstream(pictures[4], std::ios::binary) << "no picture";
    for (int threads : {1, 3}) {
        Loader loader(pictures, {{0, 1}, {2, 3}, {4, 5}, {6, 7}}, sizes, {.threads = threads, .batches_ahead = 4});
        BOOST_TEST(is_right(loader.next().value()));
        BOOST_TEST(is_right(loader.next().value()));
        for (int again = 0; again < 2; ++again)
            BOOST_CHECK_EXCEPTION(loader.next(), Error, [](const Error& error) {
                return std::string(error.what()).find("4.png] not a picture") != std::string::npos;
            });
    }
}

BOOST_AUTO_TEST_CASE(an_early_end_is_quick_and_clean) {
    const std::vector<fs::path> pictures = draw_pictures("early");
    const auto order = make_order(20'000, 8);
    const auto begin = std::chrono::steady_clock::now();
    for (int round = 0; round < 20; ++round) {
        Loader loader(pictures, order, sizes, {.threads = 1 + round % 4, .batches_ahead = 3});
        for (int i = 0; i < round % 3; ++i) BOOST_TEST(loader.next().has_value());
    }
    BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(30)));
}

BOOST_AUTO_TEST_CASE(impossible_requests_are_refused) {
    const std::vector<fs::path> pictures = draw_pictures("refused");
    BOOST_CHECK_THROW(Loader(pictures, {{12}}, sizes), Error);
    BOOST_CHECK_THROW(Loader(pictures, {{}}, sizes), Error);
    BOOST_CHECK_THROW(Loader(pictures, {{0}}, sizes, {.threads = 0}), Error);
    BOOST_CHECK_THROW(Loader(pictures, {{0}}, sizes, {.batches_ahead = 0}), Error);
    BOOST_CHECK_THROW(Loader(pictures, {{0}}, {.size = 14, .crop = 28}), Error);
    BOOST_TEST(!Loader(pictures, {}, sizes).next().has_value());
}
