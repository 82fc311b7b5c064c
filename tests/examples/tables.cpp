// SPDX-License-Identifier: Apache-2.0
// The figures as CSV and as Markdown, with the paper's beside them where the classes are those of a benchmark.
#define BOOST_TEST_MODULE examples_tables
#include "examples/dinomaly/report/tables.hpp"

#include <boost/test/unit_test.hpp>
#include <sstream>

using namespace dinomaly;

namespace {

ClassReport report(const std::string& name, double figure) {
    ClassReport out;
    out.name = name;
    out.image = {figure, figure + 0.01, figure + 0.02, 0.25};
    out.above_zero = {figure + 0.03, figure + 0.04, figure + 0.05, figure + 0.06, figure + 0.07};
    out.above_half = {0.5, 0.25, 0.125, anomaly::undefined_metric, 0};
    out.pictures = {{"a", false, 0.1F, 0.1F, "good"}, {"b", true, 0.2F, 0.2F, "cut"}, {"c", true, 0.3F, 0.3F, "cut"}};
    return out;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

BOOST_AUTO_TEST_CASE(csv_has_all_figures) {
    const auto lines = lines_of(csv_table({report("nut", 0.5), report("a \"b\", c", 0.25)}));
    BOOST_REQUIRE_EQUAL(lines.size(), 4U);
    BOOST_CHECK_EQUAL(lines[0],
                      "class,good,bad,image_auroc,image_ap,image_f1_max,image_f1_threshold,pixel_gt0_auroc,"
                      "pixel_gt0_ap,pixel_gt0_f1_max,pixel_gt0_aupro,pixel_gt0_aupro_exact,pixel_gt0.5_auroc,"
                      "pixel_gt0.5_ap,pixel_gt0.5_f1_max,pixel_gt0.5_aupro,pixel_gt0.5_aupro_exact\r");
    BOOST_CHECK_EQUAL(lines[1],
                      "nut,1,2,0.5,0.51,0.52,0.25,0.53,0.54,0.55,0.56,0.5700000000000001,0.5,0.25,0.125,,0\r");
    BOOST_CHECK(lines[2].starts_with("\"a \"\"b\"\", c\",1,2,0.25,"));
    BOOST_CHECK(lines[3].starts_with("mean,2,4,0.375,"));
    BOOST_CHECK_EQUAL(lines[3].substr(lines[3].size() - 3), ",0\r");
}

BOOST_AUTO_TEST_CASE(markdown_in_the_papers_order) {
    const auto lines = lines_of(markdown_table({report("nut|bolt", 0.5)}, "base"));
    BOOST_REQUIRE_EQUAL(lines.size(), 4U);
    BOOST_CHECK_EQUAL(lines[0], "| class | I-AUROC | I-AP | I-F1 | P-AUROC | P-AP | P-F1 | P-AUPRO |");
    BOOST_CHECK_EQUAL(lines[2], "| nut\\|bolt | 50.00 | 51.00 | 52.00 | 53.00 | 54.00 | 55.00 | 56.00 |");
    BOOST_CHECK(lines[3].starts_with("| **mean** | 50.00 |"));
}

BOOST_AUTO_TEST_CASE(published_figures_stand_beside_those_of_a_whole_benchmark) {
    std::vector<ClassReport> visa;
    for (const char* name : {"pipe_fryum", "candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1",
                             "macaroni2", "pcb1", "pcb2", "pcb3", "pcb4"})
        visa.push_back(report(name, 0.9));
    const std::string table = markdown_table(visa, "base");
    BOOST_CHECK(table.find("| published, VisA, ViT-B/14 | 98.70 | 98.90 | 96.20 | 98.70 | 53.20 | 55.70 | 94.50 |") !=
                table.npos);
    BOOST_CHECK(table.find("| ours less published | -8.70 | -7.90 | -4.20 | -5.70 | +40.80 | +39.30 | +1.50 |") !=
                table.npos);
    BOOST_CHECK(markdown_table(visa, "small").find("published") == table.npos);
    visa.pop_back();
    BOOST_CHECK(markdown_table(visa, "base").find("published") == table.npos);

    std::vector<ClassReport> mvtec;
    for (const char* name : {"bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill",
                             "screw", "tile", "toothbrush", "transistor", "wood", "zipper"})
        mvtec.push_back(report(name, 0.9));
    const std::string small = markdown_table(mvtec, "small");
    BOOST_CHECK(small.find("| published, MVTec-AD, ViT-S/14 | 99.26 | - | - | - | 68.29 | - | 94.36 |") != small.npos);
    BOOST_CHECK(small.find("| ours less published | -9.26 | - | - | - | +25.71 | - | +1.64 |") != small.npos);
    BOOST_CHECK(markdown_table(mvtec, "width 64").find("published") == small.npos);
}

}  // namespace
