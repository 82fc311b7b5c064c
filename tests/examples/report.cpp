// SPDX-License-Identifier: Apache-2.0
// The report page: everything inside, everything escaped, verdicts as the threshold says.
#define BOOST_TEST_MODULE examples_report
#include "examples/dinomaly/report.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "dinomaly/core/error.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/png.hpp"
#include "examples/dinomaly/page/charts.hpp"
#include "examples/dinomaly/page/html.hpp"
#include "tests/support.hpp"

using namespace dinomaly;

namespace {

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
    return found;
}

vision::Image plain_image(int channels, std::uint8_t value) {
    vision::Image image = vision::make_image(4, 3, channels);
    image.pixels.assign(image.pixels.size(), value);
    return image;
}

ReportExample example(const std::string& name, bool is_bad, double score) {
    return {"nut & bolt", name, is_bad, score, plain_image(3, 10), plain_image(1, 255), plain_image(3, 200)};
}

ReportData sample() {
    ReportData data;
    data.title = "A <report>";
    data.summary = {"First \"paragraph\".", "Second."};
    data.settings = {{"out", "<dir> & 'more'"}};
    data.classes = {{"nut & bolt", {0.5, 0.25, 1, 0.123, 0.2, 0.3, std::nan("")}, 0.7, {0.1, 0.75}, {0.9, 0.6}}};
    data.mean = data.classes[0].figures;
    data.losses = {1, 0.5, 0.25, 0.125};
    data.examples = {example("good/000.png", false, 0.1), example("bent/000.png", true, 0.9),
                     example("bent/001.png", true, 0.6), example("bent/<2>.png", true, 0.7)};
    return data;
}

BOOST_AUTO_TEST_CASE(the_page_holds_everything_in_itself) {
    const std::filesystem::path path = test::scratch_dir("report") / "report.html";
    write_report(path, sample());
    const std::string html = io::read_text(path);
    BOOST_CHECK(html.starts_with("<!doctype html>"));
    BOOST_CHECK(html.ends_with("</html>\n"));
    BOOST_CHECK_EQUAL(count(html, "<img "), 4 * 3);
    BOOST_CHECK_EQUAL(count(html, "src=\"data:image/png;base64,"), count(html, "src="));
    for (std::string_view outside : {"http", "href", "url(", "@import", "<script", "<link"})
        BOOST_CHECK_MESSAGE(count(html, outside) == 0, outside);
    BOOST_CHECK_EQUAL(count(html, "<svg "), 2);  // the loss and one class
    for (std::string_view element :
         {"div", "span", "table", "tr", "td", "th", "p",    "figure", "figcaption", "section", "svg",
          "dl",  "dt",   "dd",    "h1", "h2", "h3", "main", "body",   "head",       "html"}) {
        const std::string name(element);
        const std::size_t opened = count(html, "<" + name + ">") + count(html, "<" + name + " ");
        BOOST_CHECK_MESSAGE(opened > 0 && opened == count(html, "</" + name + ">"), name);
    }
}

BOOST_AUTO_TEST_CASE(texts_are_escaped) {
    const std::string html = report_page(sample());
    BOOST_CHECK_EQUAL(count(html, "<title>A &lt;report&gt;</title>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<h1>A &lt;report&gt;</h1>"), 1);
    BOOST_CHECK_EQUAL(count(html, "First &quot;paragraph&quot;."), 1);
    BOOST_CHECK_EQUAL(count(html, "<dd>&lt;dir&gt; &amp; &#39;more&#39;</dd>"), 1);
    BOOST_CHECK_EQUAL(count(html, "<td>nut &amp; bolt</td>"), 1);
    BOOST_CHECK_EQUAL(count(html, "bent/<2>"), 0);
    BOOST_CHECK_EQUAL(count(html, "bent/&lt;2&gt;.png</span>"), 1);
    BOOST_CHECK_EQUAL(count(html, "nut & bolt"), 0);
}

BOOST_AUTO_TEST_CASE(figures_are_per_cent_and_a_dash_where_there_is_none) {
    const std::string html = report_page(sample());
    const std::string cells =
        "<td>50.0</td><td>25.0</td><td>100.0</td><td>12.3</td><td>20.0</td><td>30.0</td><td>-</td>";
    BOOST_CHECK_EQUAL(count(html, "<td>nut &amp; bolt</td>" + cells), 1);
    BOOST_CHECK_EQUAL(count(html, "<td>mean</td>" + cells), 1);
    BOOST_CHECK_EQUAL(page::number(-1.25, 3), "-1.250");
    BOOST_CHECK_EQUAL(page::number(INFINITY, 3), "-");
    BOOST_CHECK_EQUAL(page::number(1e300, 1).size(), 303);
}

BOOST_AUTO_TEST_CASE(verdicts_follow_the_threshold) {
    const std::string html = report_page(sample());
    BOOST_CHECK_EQUAL(count(html, ">judged good<"), 1);
    BOOST_CHECK_EQUAL(count(html, ">judged bad<"), 2);  // 0.9 and 0.7, the threshold itself
    BOOST_CHECK_EQUAL(count(html, ">wrongly judged good<"), 1);
    BOOST_CHECK_EQUAL(count(html, "<figure class=\"wrong\">"), 1);

    ReportData without = sample();
    without.classes[0].threshold = std::nan("");
    const std::string page = report_page(without);
    BOOST_CHECK_EQUAL(count(page, "judged good<") + count(page, "judged bad<"), 0);
    BOOST_CHECK_EQUAL(count(page, ">bad<"), 3);
    BOOST_CHECK_EQUAL(count(page, ">threshold "), 0);
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_left_out) {
    ReportData data = sample();
    data.losses.clear();
    data.settings.clear();
    data.examples[0].mask = {};
    const std::string html = report_page(data);
    BOOST_CHECK_EQUAL(count(html, "Training loss"), 0);
    BOOST_CHECK_EQUAL(count(html, "<dl"), 0);
    BOOST_CHECK_EQUAL(count(html, "<i>no mask</i>"), 1);
    BOOST_CHECK(report_page(ReportData{}).ends_with("</html>\n"));
}

BOOST_AUTO_TEST_CASE(an_example_of_no_class_is_an_error) {
    ReportData data = sample();
    data.examples[0].class_name = "screw";
    BOOST_CHECK_THROW(report_page(data), Error);
}

BOOST_AUTO_TEST_CASE(pictures_can_be_read_back) {
    const auto encode = [](std::string_view text) { return page::base64(std::as_bytes(std::span(text))); };
    BOOST_CHECK_EQUAL(encode(""), "");
    BOOST_CHECK_EQUAL(encode("f"), "Zg==");
    BOOST_CHECK_EQUAL(encode("fo"), "Zm8=");
    BOOST_CHECK_EQUAL(encode("foo"), "Zm9v");
    BOOST_CHECK_EQUAL(encode("foobar"), "Zm9vYmFy");
    BOOST_CHECK_EQUAL(encode("\xff\xfe\xfd"), "//79");
    const vision::Image image = plain_image(3, 77);
    BOOST_CHECK_EQUAL(count(page::picture(image, "a"), page::base64(vision::encode_png(image))), 1);
}

BOOST_AUTO_TEST_CASE(charts_stand_odd_values) {
    BOOST_CHECK(page::loss_curve({}).empty());
    BOOST_CHECK(page::loss_curve(std::vector<double>{1, std::nan("")}).empty());
    for (const std::vector<double>& losses : {std::vector<double>{1, 1, 1}, std::vector<double>{-1, 0, 2},
                                              std::vector<double>{1e-300, 1e300}, std::vector<double>(5000, 0.1)}) {
        const std::string curve = page::loss_curve(losses);
        BOOST_CHECK_EQUAL(count(curve, "<polyline"), 2);
        BOOST_CHECK_EQUAL(count(curve, "nan") + count(curve, "inf") + count(curve, "\"-\""), 0);
        BOOST_CHECK_LT(curve.size(), 60'000);
    }
    const std::string line = page::score_line(std::vector<double>{0.5}, {}, std::nan(""));
    BOOST_CHECK_EQUAL(count(line, "<circle"), 1);
    BOOST_CHECK_EQUAL(count(line, "\"-\""), 0);
}

}  // namespace
