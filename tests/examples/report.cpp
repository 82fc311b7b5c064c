// SPDX-License-Identifier: Apache-2.0
// The report page: everything inside, everything escaped, verdicts as the threshold says; and what is made of judged
// classes: which pictures are shown, and how large the page gets.
#define BOOST_TEST_MODULE examples_report
#include "examples/dinomaly/report/report.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "dinomaly/core/error.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/vision/codec.hpp"
#include "examples/dinomaly/report/page/charts.hpp"
#include "examples/dinomaly/report/page/html.hpp"
#include "examples/dinomaly/report/run_report.hpp"
#include "judging/verdicts.hpp"
#include "tests/support.hpp"

using namespace dinomaly;

namespace {

namespace fs = std::filesystem;

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
    return found;
}

ReportView view(const char* label) {
    return {label, "image/jpeg", std::vector<std::byte>(30, std::byte{7}), {4, 3}};
}

ReportExample example(const std::string& name, bool is_bad, double score, Gallery gallery) {
    return {name, is_bad, score, gallery, {view("picture"), view("truth"), view("map"), view("overlay")}};
}

ReportData sample() {
    ReportData data;
    data.title = "A <report>";
    data.notes = {"A \"note\"."};
    data.thresholds_from = "Thresholds <came> from somewhere.";
    data.settings = {{"out", "<dir> & 'more'"}};
    ReportClass& item = data.classes.emplace_back();
    item.report.name = "nut & bolt";
    item.report.image = {0.5, 0.25, 1, 0.7};
    item.report.above_zero = {0.123, 0.2, 0.3, std::nan(""), 0.4};
    item.thresholds.image = 0.7F;
    item.learnt = 12;
    for (const auto& [bad, score] : {std::pair(false, 0.1F), {false, 0.75F}, {true, 0.9F}, {true, 0.6F}, {true, 0.7F}})
        item.report.pictures.push_back({"path", bad, score, score, bad ? "bent" : "good"});
    const std::vector<anomaly::CurvePoint> line{{0, 0}, {0.2, 0.8}, {1, 1}};
    item.report.image_curves = {line, line, {}};
    item.report.pixel_curves = {line, line, line};
    item.examples = {
        example("good/001.png", false, 0.75, Gallery::wrong), example("bent/001.png", true, 0.6, Gallery::wrong),
        example("bent/<2>.png", true, 0.7F, Gallery::close), example("good/000.png", false, 0.1, Gallery::clear)};
    for (int i = 0; i < 4; ++i) data.steps.push_back({i, std::pow(0.5, i), 0.1, 2e-3, 1.5 * i});
    return data;
}

BOOST_AUTO_TEST_CASE(the_page_holds_everything_in_itself) {
    const fs::path path = test::scratch_dir("report") / "report.html";
    write_report(path, sample());
    const std::string html = io::read_text(path);
    BOOST_CHECK(html.starts_with("<!doctype html>"));
    BOOST_CHECK(html.ends_with("</html>\n"));
    BOOST_CHECK_EQUAL(count(html, "src=\"data:image/jpeg;base64,"), 4 * 4);
    BOOST_CHECK_EQUAL(count(html, "src=\"data:image/jpeg;base64,"), count(html, "src="));
    BOOST_CHECK_EQUAL(count(html, "href=\"#class-0\""), count(html, "href="));
    for (std::string_view outside : {"http", "url(", "@import", "<link", "<script src"})
        BOOST_CHECK_MESSAGE(count(html, outside) == 0, outside);
    BOOST_CHECK_EQUAL(count(html, "<svg "), 1 + 3 + 3);  // scores; ROC, PR, PRO; loss, gradient norm, learning rate
    for (std::string_view element :
         {"div",        "span",    "table", "thead",  "tbody",   "tr",     "td",     "th",      "p",   "figure",
          "figcaption", "section", "svg",   "dl",     "dt",      "dd",     "h1",     "h2",      "h3",  "h4",
          "main",       "body",    "head",  "button", "details", "dialog", "script", "caption", "html"}) {
        const std::string name(element);
        const std::size_t opened = count(html, "<" + name + ">") + count(html, "<" + name + " ");
        BOOST_CHECK_MESSAGE(opened > 0 && opened == count(html, "</" + name + ">"), name);
    }
}

BOOST_AUTO_TEST_CASE(texts_are_escaped) {
    const std::string html = report_page(sample());
    BOOST_CHECK_EQUAL(count(html, "<title>A &lt;report&gt;</title>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<h1>A &lt;report&gt;</h1>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<p>A &quot;note&quot;.</p>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<p>Thresholds &lt;came&gt; from somewhere.</p>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<dd>&lt;dir&gt; &amp; &#39;more&#39;</dd>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<td>nut &amp; bolt</td>"), 2);
    BOOST_CHECK_EQUAL(count(html, "bent/<2>"), 0);
    BOOST_CHECK_EQUAL(count(html, "bent/&lt;2&gt;.png</span>"), 1);
    BOOST_CHECK_EQUAL(count(html, "nut & bolt"), 0);
}

BOOST_AUTO_TEST_CASE(plain_words_say_what_came_out) {
    ReportData data = sample();
    BOOST_CHECK_EQUAL(count(report_page(data), "2 of 3 bad parts were found; 1 of 2 good parts was wrongly rejected."),
                      1);
    BOOST_CHECK_EQUAL(count(report_page(data), "The model has seen good parts only, 12 of them."), 1);
    BOOST_CHECK_EQUAL(count(report_page(data), "Most mistakes"), 0);  // of one class that is no news
    data.classes.push_back(data.classes[0]);
    data.classes[1].report.name = "clip";
    data.classes[1].report.pictures.pop_back();
    const std::string two = report_page(data);
    BOOST_CHECK_EQUAL(count(two, "3 of 5 bad parts were found; 2 of 4 good parts were wrongly rejected."), 1);
    BOOST_CHECK_EQUAL(count(two, "Most mistakes were made with nut &amp; bolt: 2 of 3 bad"), 1);
    BOOST_CHECK_EQUAL(count(two, "<tfoot><tr><td>all</td>"), 1);
    BOOST_CHECK_EQUAL(count(two, "<tfoot><tr><td>mean</td>"), 2);

    // Where there was nothing to judge no verdict is claimed.
    ReportData only_good = sample();
    only_good.classes[0].shows_learnt = true;
    only_good.classes[0].thresholds = {};
    const std::string html = report_page(only_good);
    BOOST_CHECK_EQUAL(count(html, "There were no pictures to judge"), 1);
    BOOST_CHECK_EQUAL(count(html, "bad parts found"), 0);
    BOOST_CHECK_EQUAL(count(html, "<table"), 0);
    BOOST_CHECK_EQUAL(count(html, "judged bad"), 0);
}

BOOST_AUTO_TEST_CASE(figures_are_per_cent_and_a_dash_where_there_is_none) {
    const std::string html = report_page(sample());
    const std::string cells =
        "<td data-value=\"0.50000000\">50.0</td><td data-value=\"0.25000000\">25.0</td>"
        "<td data-value=\"1.00000000\">100.0</td><td data-value=\"0.12300000\">12.3</td>"
        "<td data-value=\"0.20000000\">20.0</td><td data-value=\"0.30000000\">30.0</td><td data-value=\"\">-</td>";
    BOOST_CHECK_EQUAL(count(html, "<td>nut &amp; bolt</td>" + cells), 1);
    BOOST_CHECK_EQUAL(page::number(-1.25, 3), "-1.250");
    BOOST_CHECK_EQUAL(page::number(INFINITY, 3), "-");
    BOOST_CHECK_EQUAL(page::number(1e300, 1).size(), 303);
}

BOOST_AUTO_TEST_CASE(verdicts_follow_the_threshold) {
    ReportData data = sample();
    const Verdicts counts = count_verdicts(data.classes[0].report.pictures, data.classes[0].thresholds.image);
    BOOST_CHECK_EQUAL(counts.found, 2);  // 0.9 and 0.7, the threshold itself
    BOOST_CHECK_EQUAL(counts.missed, 1);
    BOOST_CHECK_EQUAL(counts.passed, 1);
    BOOST_CHECK_EQUAL(counts.rejected, 1);
    const std::string html = report_page(data);
    BOOST_CHECK_EQUAL(count(html, ">judged good<"), 1 + 1);  // and the head of a column
    BOOST_CHECK_EQUAL(count(html, ">judged bad<"), 1 + 1);
    BOOST_CHECK_EQUAL(count(html, ">wrongly judged good<"), 1);
    BOOST_CHECK_EQUAL(count(html, ">wrongly judged bad<"), 1);
    BOOST_CHECK_EQUAL(count(html, "<figure class=\"wrong\">"), 2);
    data.classes[0].thresholds = {};
    const std::string without = report_page(data);
    BOOST_CHECK_EQUAL(count(without, "judged bad"), 0);
    BOOST_CHECK_EQUAL(count(without, "class=\"wrong\""), 0);
    BOOST_CHECK_EQUAL(count(without, ">bad part<"), 2);
}

BOOST_AUTO_TEST_CASE(bytes_become_text) {
    const auto encode = [](std::string_view text) { return page::base64(std::as_bytes(std::span(text))); };
    BOOST_CHECK_EQUAL(encode(""), "");
    BOOST_CHECK_EQUAL(encode("f"), "Zg==");
    BOOST_CHECK_EQUAL(encode("fo"), "Zm8=");
    BOOST_CHECK_EQUAL(encode("foo"), "Zm9v");
    BOOST_CHECK_EQUAL(encode("foobar"), "Zm9vYmFy");
    BOOST_CHECK_EQUAL(encode("\xff\xfe\xfd"), "//79");
    const std::vector<std::byte> bytes(3, std::byte{0});
    BOOST_CHECK_EQUAL(page::data_address("image/png", bytes), "data:image/png;base64,AAAA");
}

BOOST_AUTO_TEST_CASE(charts_stand_odd_values) {
    const auto curve_of = [](const std::vector<double>& values) {
        std::vector<double> iterations;
        for (std::size_t i = 0; i < values.size(); ++i) iterations.push_back(static_cast<double>(i + 1));
        return page::value_curve(iterations, values, "Loss");
    };
    BOOST_CHECK(curve_of({}).empty());
    BOOST_CHECK(curve_of({1, std::nan("")}).empty());
    for (const std::vector<double>& values :
         {std::vector<double>{1, 1, 1}, std::vector<double>{-1, 0, 2}, std::vector<double>{1e-300, 1e300},
          std::vector<double>{0, 0}, std::vector<double>(5000, 0.1)}) {
        const std::string curve = curve_of(values);
        BOOST_CHECK_EQUAL(count(curve, "<polyline"), 2);
        BOOST_CHECK_EQUAL(count(curve, "nan") + count(curve, "inf") + count(curve, "\"-\""), 0);
        BOOST_CHECK_LT(curve.size(), 60'000);
    }
    BOOST_CHECK_EQUAL(count(curve_of({0, 0.5, 0.002}), ">0</text>"), 2);  // of both axes, not 0.00000000
    const std::string plain = page::value_curve(std::vector<double>{1, 2}, std::vector<double>{1, 2}, "Rate", false);
    BOOST_CHECK_EQUAL(count(plain, "<polyline"), 1);
    for (const double threshold : {std::nan(""), 0.5, 7.0}) {
        const std::string bars = page::score_histogram(std::vector<double>{0.5}, {}, threshold);
        BOOST_CHECK_EQUAL(count(bars, "<rect"), 1);
        BOOST_CHECK_EQUAL(count(bars, "class=\"threshold\""), std::isnan(threshold) ? 0 : 1);
        BOOST_CHECK_EQUAL(count(bars, "\"-\""), 0);
    }
    BOOST_CHECK(page::curve_chart("ROC", "x", "y", 1, {{"image", {}}}).empty());
}

BOOST_AUTO_TEST_CASE(bars_count_every_score) {
    std::mt19937 random(3);
    std::normal_distribution<double> noise(0.2, 0.05);
    std::vector<double> good(300), bad(200);
    for (double& score : good) score = noise(random);
    for (double& score : bad) score = noise(random) + 0.1;
    const std::string bars = page::score_histogram(good, bad, 0.25);
    std::size_t good_seen = 0, bad_seen = 0;
    for (std::size_t at = bars.find("<title>"); at != bars.npos; at = bars.find("<title>", at + 1)) {
        const std::string words = bars.substr(at + 7, 20);
        (words.find("good") != words.npos ? good_seen : bad_seen) += std::stoul(words);
    }
    BOOST_CHECK_EQUAL(good_seen, 300);
    BOOST_CHECK_EQUAL(bad_seen, 200);
}

// --- from judged classes to the page

/// A class of noisy pictures, as large as asked for; bad ones have a bright square, a mask and a higher score.
struct Judged {
    vision::ClassData data;
    ClassReport report;

    Judged(const fs::path& folder, std::size_t good, std::size_t bad, int side) {
        std::mt19937 random(5);
        vision::Image picture = vision::make_image(side, side, 3), mask = vision::make_image(side, side, 1);
        for (std::uint8_t& value : picture.pixels) value = static_cast<std::uint8_t>(random());
        for (int i = 0; i < side / 4; ++i) std::fill_n(mask.row(i), side / 4, 255);
        vision::write_png(folder / "noise.png", picture);
        vision::write_png(folder / "mask.png", mask);
        data.name = report.name = "noise";
        for (std::size_t i = 0; i < good + bad; ++i) {
            const bool is_bad = i >= good;
            vision::Sample sample{folder / "noise.png", std::nullopt, "noise", is_bad ? "spot" : "good", is_bad};
            if (is_bad) sample.mask = folder / "mask.png";
            data.test.push_back(sample);
            // Good: 0.10, 0.11, ...; bad: 0.15, 0.16, ...: some are on the wrong side of any threshold.
            const float score =
                is_bad ? 0.15F + 0.01F * static_cast<float>(i - good) : 0.1F + 0.01F * static_cast<float>(i);
            report.pictures.push_back({"noise/" + std::to_string(i), is_bad, score, score, sample.defect});
        }
        report.image.f1_threshold = 0.2F;
    }
};

/// A map of one value.
vision::PictureMap even_map(const std::vector<vision::Image>&, vision::PictureSize drawn) {
    return {std::vector<float>(16, 0.2F), 4, 4, drawn, {.size = 56, .crop = 42}};
}

BOOST_AUTO_TEST_CASE(pictures_that_tell_most_are_shown) {
    const fs::path folder = test::scratch_dir("report_choice");
    const Judged judged(folder, 12, 12, 30);
    RunReport run;
    add_class(run, judged.data, judged.report, even_map);
    const ReportClass& shown = run.classes.at(0);
    BOOST_CHECK_EQUAL(shown.thresholds.image, 0.2F);
    std::vector<std::pair<Gallery, double>> found;
    for (const ReportExample& each : shown.examples) {
        found.emplace_back(each.gallery, std::round(each.score * 100) / 100);
        BOOST_REQUIRE_EQUAL(each.views.size(), 4U);
        BOOST_CHECK_EQUAL(each.views[1].label, "truth");
        const vision::Image truth = vision::decode(each.views[1].file, "truth");
        BOOST_CHECK_EQUAL(truth.row(0)[0], each.is_bad ? 255 : 0);
        BOOST_CHECK_EQUAL(truth.row(29)[29], 0);
    }
    std::ranges::sort(found);
    const std::vector<std::pair<Gallery, double>> expected{
        {Gallery::wrong, 0.15}, {Gallery::wrong, 0.16}, {Gallery::wrong, 0.17}, {Gallery::wrong, 0.18},
        {Gallery::wrong, 0.20}, {Gallery::wrong, 0.21}, {Gallery::close, 0.18}, {Gallery::close, 0.19},
        {Gallery::close, 0.20}, {Gallery::close, 0.21}, {Gallery::clear, 0.10}, {Gallery::clear, 0.11},
        {Gallery::clear, 0.25}, {Gallery::clear, 0.26}};
    // 0.19 of a bad part is wrong too.
    BOOST_CHECK_EQUAL(std::ranges::count(shown.examples, Gallery::wrong, &ReportExample::gallery), 7);
    for (const auto& each : expected) BOOST_CHECK_MESSAGE(std::ranges::count(found, each) > 0, each.second);

    Judged other = judged;
    other.report.pictures.pop_back();
    BOOST_CHECK_THROW(add_class(run, other.data, other.report, even_map), Error);
}

BOOST_AUTO_TEST_CASE(objects_are_shown_with_all_their_pictures) {
    const fs::path folder = test::scratch_dir("report_objects");
    Judged judged(folder, 4, 2, 40);
    judged.data.fusion = vision::ScoreFusion::views;
    for (std::size_t i = 0; i < 6; ++i) {
        judged.data.test[i].object = "part " + std::to_string(i / 2);
        judged.data.test[i].part = "view " + std::to_string(i % 2 + 1);
        if (i % 2 == 0)
            judged.report.objects.push_back({"noise/part " + std::to_string(i / 2), i == 4,
                                             0.1F * static_cast<float>(i + 1), 0.3F, i == 4 ? "spot" : "good"});
    }
    judged.report.image.f1_threshold = 0.4;
    RunReport run;
    add_class(run, judged.data, judged.report, even_map);
    const ReportClass& shown = run.classes.at(0);
    BOOST_REQUIRE_EQUAL(shown.examples.size(), 3U);
    for (const ReportExample& each : shown.examples) {
        BOOST_CHECK_EQUAL(each.views.size(), 8U);
        BOOST_CHECK_EQUAL(each.views.at(0).label, "view 1, picture");
        BOOST_CHECK_EQUAL(each.views.at(7).label, "view 2, overlay");
        BOOST_CHECK_EQUAL(each.is_bad, each.name == "part 2");
    }
    BOOST_CHECK_EQUAL(count_verdicts(judged_objects(shown.report), shown.thresholds.image).all(), 3U);
    ReportData data;
    data.classes = run.classes;
    const std::string page = report_page(data);
    BOOST_CHECK(page.find("Each is an object of several pictures, 6 in all") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_decision_of_the_model_goes_before_the_best_f1) {
    const fs::path folder = test::scratch_dir("report_decision");
    const Judged judged(folder, 3, 3, 20);
    RunReport run;
    run.decision.classes["noise"].thresholds = {0.3F, 0.4F};
    run.decision.source = "20 pictures";
    run.decision.false_alarm_rate = 0.05;
    add_class(run, judged.data, judged.report, even_map);
    BOOST_CHECK_EQUAL(run.classes[0].thresholds.image, 0.3F);
    BOOST_CHECK_EQUAL(run.classes[0].style.high, 2 * 0.4F);  // the pixel threshold has the middle colour
    BOOST_CHECK_EQUAL(thresholds_from(run.decision),
                      "The thresholds were found from good pictures alone (20 pictures), so that at most about 5.0 % "
                      "of good parts are rejected.");
    run.decision.classes.clear();
    run.decision.classes["other"] = {};
    run.decision.all.thresholds = {0.6F, 0.7F};
    add_class(run, judged.data, judged.report, even_map);
    BOOST_CHECK_EQUAL(run.classes[1].thresholds.image, 0.6F);
}

BOOST_AUTO_TEST_CASE(fifteen_classes_of_noise_stay_below_15_MB) {
    const fs::path folder = test::scratch_dir("report_size");
    const Judged judged(folder, 10, 10, 900);  // noise is the worst for JPEG
    RunReport run;
    run.expected_classes = 15;
    add_class(run, judged.data, judged.report, even_map);
    while (run.classes.size() < 15) run.classes.push_back(run.classes.front());
    write_run_report(folder / "report.html", run);
    BOOST_CHECK_GE(run.classes[0].examples.size(), 2U);
    BOOST_CHECK_LT(fs::file_size(folder / "report.html"), 15'000'000U);
    BOOST_CHECK_GT(fs::file_size(folder / "report.html"), 6'000'000U);  // there is something in it
}

BOOST_AUTO_TEST_CASE(good_parts_stand_in_where_nothing_is_to_judge) {
    vision::ClassData only_good{"a", {}, {}, {}}, judged{"b", {}, {}, {}};
    for (int i = 0; i < 20; ++i) {
        const vision::Sample sample{std::to_string(i) + ".png", std::nullopt, "a", "good", false};
        only_good.train.push_back(sample);
        judged.train.push_back(sample);
    }
    judged.test = judged.train;
    const std::vector<vision::ClassData> some = some_good_parts({only_good, judged});
    BOOST_REQUIRE_EQUAL(some.size(), 1U);
    BOOST_CHECK_EQUAL(some[0].name, "a");
    BOOST_CHECK_EQUAL(some[0].test.size(), 8U);
    BOOST_CHECK_EQUAL(some[0].test[1].picture, "2.png");
}

BOOST_AUTO_TEST_CASE(logs_are_read_as_far_as_they_are_sound) {
    const fs::path log = test::scratch_dir("report_log") / "log.jsonl";
    BOOST_CHECK(read_steps(log).empty());
    io::write_text(log,
                   "{\"iteration\":0,\"loss\":0.5,\"grad_norm\":null,\"lr\":0.002,\"seconds\":3}\n"
                   "{\"iteration\":1,\"loss\":0.4,\"grad_norm\":1,\"lr\":0.002,\"seconds\":5}\n{\"iterat");
    const std::vector<ReportStep> steps = read_steps(log);
    BOOST_REQUIRE_EQUAL(steps.size(), 2U);
    BOOST_CHECK_EQUAL(steps[1].iteration, 1);
    BOOST_CHECK_EQUAL(steps[1].seconds, 5);
    BOOST_CHECK(std::isnan(steps[0].grad_norm));
}

BOOST_AUTO_TEST_CASE(a_model_describes_itself) {
    const fs::path file = test::scratch_dir("report_model") / "model.safetensors";
    io::StateDict dict;
    dict.insert("x", io::DType::u8, {1}, io::SharedBytes::own({std::byte{1}}));
    dict.metadata["dinomaly"] = R"({"encoder_hash":"abc","trained_hash":"def","size":[448,392],
        "training":{"seed":7,"encoder":"abc","features":{"hits":3},"good_map":{"mean":0.1,"peak":0.3}}})";
    io::write_safetensors(file, dict);
    RunReport run;
    describe_model(run, file);
    std::string all;
    for (const auto& [name, value] : run.settings) all += name + '=' + value + ';';
    for (const char* part :
         {"encoder's hash=abc;", "trained part's hash=def;", "picture size=448, 392;", "seed=7;", "features hits=3;"})
        BOOST_CHECK_MESSAGE(count(all, part) == 1, part << " in " << all);
    BOOST_CHECK(run.decision.empty());
}

}  // namespace
