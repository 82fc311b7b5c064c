// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE work
#include "dinomaly/work.hpp"

#include <boost/test/unit_test.hpp>

#include "dinomaly/model_file.hpp"
#include "tests/model/small.hpp"

using namespace dinomaly;

// A 28 x 42 picture is 2 x 3 patches, with class token and 2 registers 9 tokens; 16 channels in 2 heads.
BOOST_AUTO_TEST_CASE(a_small_model_by_hand) {
    const Work work = count_work(test::small_config(), 28, 42);
    BOOST_TEST(work.patch_embedding == 6 * 588 * 16);
    BOOST_TEST(work.encoder_linears == 4 * 9 * (16 * 48 + 16 * 16 + 16 * 64 + 64 * 16));
    BOOST_TEST(work.encoder_attention == 4 * 2 * (9 * 8 * 9 + 9 * 9 * 8));
    BOOST_TEST(work.trained_linears == 9 * (16 * 64 + 64 * 16) + 4 * 9 * (16 * 48 + 16 * 16 + 16 * 64 + 64 * 16));
    BOOST_TEST(work.trained_attention == 4 * 2 * (8 * 9 * 8 + 9 * 8 * 8));
    BOOST_TEST(work.first_layer == 9 * 16 * 64);
}

BOOST_AUTO_TEST_CASE(gated_mlps_of_their_own_width) {
    DinomalyConfig config = test::small_config();
    config.encoder.is_gated = true, config.encoder.hidden = 24;
    const Work work = count_work(config, 28, 42), plain = count_work(test::small_config(), 28, 42);
    BOOST_TEST(work.encoder_linears == 4 * 9 * (16 * 48 + 16 * 16 + 3 * 16 * 24));
    BOOST_TEST(work.decoding() == plain.decoding());
}

BOOST_AUTO_TEST_CASE(variants_by_hand) {
    DinomalyConfig config = test::small_config();
    config.neck = 8, config.modalities = 2;
    const Work plain = count_work(test::small_config(), 28, 42), work = count_work(config, 28, 42);
    BOOST_TEST(work.encoding() == 2 * plain.encoding());
    BOOST_TEST(work.trained_linears == 9 * (4 * 12 * 256 + 4 * 256 + 5 * 16 * 8));
    BOOST_TEST(work.first_layer == 9 * 16 * 8);
    config.softmax_decoder = true;
    BOOST_TEST(count_work(config, 28, 42).trained_attention == 4 * 2 * 16 * 9 * 9);
    config = test::small_config();
    config.patches_only = true;
    BOOST_TEST(count_work(config, 28, 42).trained_linears * 9 == plain.trained_linears * 6);
    BOOST_TEST(count_work(config, 28, 42).encoding() == plain.encoding());
}

// Parts of a step: everything forward once; what is trained backward twice, but for the gradient of the features.
BOOST_AUTO_TEST_CASE(a_step_of_vit_s_by_hand) {
    const Work work = count_work(published_config("small"), 392, 392);
    constexpr std::int64_t patches = 177'020'928, encoder = 13'961'134'080, softmax = 4'780'961'280;
    constexpr std::int64_t trained = 12'099'649'536, linear = 310'247'424, first = 465'371'136;
    BOOST_TEST(work.judging() == patches + encoder + softmax + trained + linear);
    BOOST_TEST(work.learning(true) == 3 * (trained + linear) - first);
    BOOST_TEST(work.learning(false) == work.learning(true) + patches + encoder + softmax);
}

// The paper's figures, which leave the attention's products out.
BOOST_AUTO_TEST_CASE(the_papers_figures) {
    const auto linears = [](const char* name) {
        const Work work = count_work(published_config(name), 392, 392);
        return static_cast<double>(work.patch_embedding + work.encoder_linears + work.trained_linears);
    };
    BOOST_TEST(linears("small") == 26.3e9, boost::test_tools::tolerance(0.004));
    BOOST_TEST(linears("base") == 104.7e9, boost::test_tools::tolerance(0.004));
    BOOST_TEST(linears("large") == 275.3e9, boost::test_tools::tolerance(0.004));
    BOOST_CHECK_THROW(published_config("huge"), Error);
}
