// SPDX-License-Identifier: Apache-2.0
#include "report/run_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <sstream>
#include <string_view>
#include <system_error>

#include "dinomaly/io/file.hpp"
#include "dinomaly/io/safetensors.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/jpeg_writer.hpp"
#include "dinomaly/vision/objects.hpp"
#include "dinomaly/vision/outline.hpp"
#include "dinomaly/vision/resize.hpp"
#include "dinomaly/vision/source.hpp"
#include "report/page/html.hpp"

namespace dinomaly {

namespace {

namespace fs = std::filesystem;

/// Of the page's 15 MB, what pictures may take before they become text, which adds a third.
constexpr std::size_t picture_bytes = 9'500'000;
constexpr std::size_t most_of_a_class = 3'000'000;
constexpr int jpeg_quality = 82;

/// How large pictures are drawn: the more classes, the smaller.
int drawn_side(std::size_t classes) {
    return classes <= 4 ? 560 : classes <= 16 ? 400 : 320;
}

// --- which pictures

/// How many pictures of each gallery are shown at most.
constexpr std::size_t most_wrong = 8, most_close = 4, most_clear = 4;

/// A picture to show, by its place in the report.
struct Choice {
    std::size_t index;
    Gallery gallery;
};

/// One of the first list, one of the second, and so on.
std::vector<std::size_t> alternating(const std::vector<std::size_t>& first, const std::vector<std::size_t>& second) {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) all.push_back(first[i]);
        if (i < second.size()) all.push_back(second[i]);
    }
    return all;
}

/// The pictures to show, those that tell most first; none twice.
std::vector<Choice> choose(const std::vector<PictureResult>& pictures, float threshold) {
    std::vector<std::size_t> rising(pictures.size());
    std::iota(rising.begin(), rising.end(), std::size_t{0});
    std::ranges::stable_sort(rising, {}, [&](std::size_t i) { return pictures[i].score; });
    const std::vector<std::size_t> falling(rising.rbegin(), rising.rend());
    const auto only = [&](const std::vector<std::size_t>& places, bool bad, bool wrong) {
        std::vector<std::size_t> some;
        for (const std::size_t i : places) {
            const bool is_wrong = std::isfinite(threshold) && (pictures[i].score >= threshold) != pictures[i].anomalous;
            if (pictures[i].anomalous == bad && is_wrong == wrong) some.push_back(i);
        }
        return some;
    };
    std::vector<bool> taken(pictures.size());
    const auto take = [&](const std::vector<std::size_t>& places, std::size_t most, Gallery gallery) {
        std::vector<Choice> some;
        for (const std::size_t i : places) {
            if (some.size() == most) break;
            if (taken[i]) continue;
            taken[i] = true;
            some.push_back({i, gallery});
        }
        return some;
    };
    const std::array<std::vector<Choice>, 3> galleries{
        take(alternating(only(rising, true, true), only(falling, false, true)), most_wrong, Gallery::wrong),
        take(alternating(only(rising, true, false), only(falling, false, false)), most_close, Gallery::close),
        take(alternating(only(falling, true, false), only(rising, false, false)), most_clear, Gallery::clear)};
    std::vector<Choice> chosen;
    for (std::size_t i = 0; i < most_wrong; ++i)
        for (const std::vector<Choice>& some : galleries)
            if (i < some.size()) chosen.push_back(some[i]);
    return chosen;
}

// --- how they are drawn

/// The colours that predict gives too: the pixel threshold has the middle one.
vision::OverlayStyle style_of(const RunReport& run, const ReportClass& shown) {
    if (run.style) return *run.style;
    if (shown.thresholds.pixel > 0) return vision::absolute_style(shown.thresholds.pixel);
    float peak = 0;
    for (const PictureResult& picture : shown.report.pictures) peak = std::max(peak, picture.peak);
    return vision::absolute_style(peak > 0 ? peak : 1.0F);
}

ReportView jpeg_view(const char* label, const vision::Image& image) {
    return {label, "image/jpeg", vision::encode_jpeg(image, jpeg_quality), {image.width, image.height}};
}

/// Two colours and straight edges: PNG is the smaller one.
ReportView truth_view(const vision::Sample& sample, int width, int height) {
    vision::Image mask = vision::make_image(width, height, 1);
    if (sample.mask) {
        mask = vision::to_grey(vision::SourceReader(1).read({*sample.mask, sample.window}));
        mask = vision::resize(mask, width, height);
        for (std::uint8_t& value : mask.pixels) value = value > 0 ? 255 : 0;
    }
    return {"truth", "image/png", vision::encode_png(mask), {width, height}};
}

/// The views of one picture; with many others beside it, it is drawn smaller.
std::vector<ReportView> draw(const vision::Sample& sample, const MapOver& map_over, const RunReport& run,
                             const ReportClass& shown, std::size_t beside) {
    std::vector<vision::Image> pictures = vision::SourceReader(1).read_all(vision::source_of(sample));
    for (vision::Image& each : pictures) each = vision::to_rgb(std::move(each));
    vision::Image picture = pictures.front();
    const double side = drawn_side(run.expected_classes) / std::sqrt(static_cast<double>(beside));
    const double scale = std::min(1.0, side / std::max(picture.width, picture.height));
    const auto scaled = [scale](int pixels) {
        return std::max(1, static_cast<int>(std::lround(static_cast<double>(pixels) * scale)));
    };
    const vision::PictureMap map = map_over(pictures, {scaled(picture.width), scaled(picture.height)});
    picture = vision::resize(picture, map.width(), map.height());

    std::vector<ReportView> views{jpeg_view("picture", picture)};
    for (std::size_t i = 1; i < pictures.size(); ++i)
        views.push_back(jpeg_view("depth", vision::resize(pictures[i], map.width(), map.height())));
    if (sample.mask || !sample.anomalous) views.push_back(truth_view(sample, picture.width, picture.height));
    const vision::OverlayStyle alone{.low = shown.style.low, .high = shown.style.high, .opacity = 1};
    const vision::Image dark = vision::make_image(picture.width, picture.height, 3);
    views.push_back(jpeg_view("map", vision::overlay(dark, map, alone)));
    vision::Image overlay = vision::overlay(picture, map, shown.style);
    if (std::isfinite(shown.thresholds.pixel))
        vision::draw_outline(overlay, vision::outline(map, shown.thresholds.pixel));
    views.push_back(jpeg_view("overlay", overlay));
    if (beside > 1)
        for (ReportView& view : views) view.label = (sample.part.empty() ? "" : sample.part + ", ") + view.label;
    return views;
}

std::size_t bytes_of(const std::vector<ReportView>& views) {
    std::size_t bytes = 0;
    for (const ReportView& view : views) bytes += view.file.size();
    return bytes;
}

Thresholds thresholds_of(const RunReport& run, const ClassReport& report) {
    if (run.decision.empty()) return {static_cast<float>(report.image.f1_threshold), report.pixels.best_f1_threshold()};
    return run.decision.of_or_all(report.name).thresholds;
}

/// "95.1 s", "12 min", "3 h 20 min".
std::string duration_text(double seconds) {
    if (seconds < 120) return page::number(seconds, 1) + " s";
    const auto minutes = static_cast<std::int64_t>(std::lround(seconds / 60));
    if (minutes < 60) return std::to_string(minutes) + " min";
    return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

/// A JSON value as a person reads it.
std::string text_of(const nlohmann::json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return value.dump();
    std::string all;
    for (const nlohmann::json& each : value) all += (all.empty() ? "" : ", ") + text_of(each);
    return all;
}

/// The pictures of what was judged: of each object, or each picture by itself.
std::vector<vision::Members> members_of(const vision::ClassData& data, const ClassReport& report) {
    if (!report.objects.empty()) return vision::objects_of(data.test);
    std::vector<vision::Members> members;
    for (std::size_t i = 0; i < data.test.size(); ++i) members.push_back({i});
    return members;
}

using Settings = std::vector<std::pair<std::string, std::string>>;

void add_settings(Settings& settings, const std::string& prefix, const nlohmann::json& object) {
    for (const auto& [name, value] : object.items()) {
        if (value.is_object())
            add_settings(settings, prefix + name + ' ', value);
        else if (const std::string text = text_of(value); !text.empty())
            settings.emplace_back(prefix + name, text);
    }
}

}  // namespace

void add_class(RunReport& run, const vision::ClassData& data, const ClassReport& report, const MapOver& map_over,
               bool shows_learnt) {
    const std::size_t count = report.pictures.size();
    check(count == data.test.size() && count > 0, "report", "class '", report.name, "' has ", count,
          " judged pictures, ", data.test.size(), " in its data");
    ReportClass& shown = run.classes.emplace_back();
    shown.report = report;
    shown.report.maps = {};
    shown.learnt = data.train.size();
    shown.shows_learnt = shows_learnt;
    shown.thresholds = thresholds_of(run, report);
    if (shows_learnt) shown.thresholds.image = std::numeric_limits<float>::quiet_NaN();  // no verdicts on what it knows

    shown.style = style_of(run, shown);
    const std::size_t room = std::min(most_of_a_class, picture_bytes / std::max<std::size_t>(1, run.expected_classes));
    std::size_t used = 0;
    const std::vector<vision::Members> objects = members_of(data, report);
    const std::vector<PictureResult>& judged = judged_objects(report);
    for (const Choice& choice : choose(judged, shown.thresholds.image)) {
        std::vector<ReportView> views;
        for (const std::size_t i : objects[choice.index])
            std::ranges::move(draw(data.test[i], map_over, run, shown, objects[choice.index].size()),
                              std::back_inserter(views));
        used += bytes_of(views);
        if (used > room) break;
        const vision::Sample& sample = data.test[objects[choice.index].front()];
        const std::string name =
            sample.object.empty() ? sample.defect + '/' + sample.picture.filename().string() : sample.object;
        shown.examples.push_back(
            {name, judged[choice.index].anomalous, judged[choice.index].score, choice.gallery, std::move(views)});
    }
}

void write_run_report(const fs::path& html, const RunReport& run) {
    ReportData data;
    data.title = run.title;
    data.notes = run.notes;
    if (!run.decision.empty() || std::ranges::any_of(run.classes, [](const auto& each) { return !each.shows_learnt; }))
        data.thresholds_from = thresholds_from(run.decision);
    data.settings = run.settings;
    for (const auto& [name, each] : run.decision.classes)
        data.settings.emplace_back("thresholds of " + name, "a score of " + page::number(each.thresholds.image, 4) +
                                                                " for a picture, a map value of " +
                                                                page::number(each.thresholds.pixel, 4) +
                                                                " for a pixel");
    data.classes = run.classes;
    data.steps = read_steps(run.log);
    if (!data.steps.empty()) data.settings.emplace_back("training took", duration_text(data.steps.back().seconds));
    write_report(html, data);
}

std::vector<vision::ClassData> some_good_parts(const std::vector<vision::ClassData>& classes) {
    constexpr std::size_t wanted = 8;
    std::vector<vision::ClassData> some;
    for (const vision::ClassData& data : classes) {
        if (!data.test.empty() || data.train.empty()) continue;
        vision::ClassData& shown = some.emplace_back(data);
        shown.test = vision::some_objects(data.train, wanted, wanted);
    }
    return some;
}

void describe_model(RunReport& run, const fs::path& model) {
    Settings& settings = run.settings;
    settings.emplace_back("model", model.string());
    if (model.extension() != ".safetensors") return;
    const io::StateDict dict = io::read_safetensors(model);
    const auto found = dict.metadata.find("dinomaly");
    if (found == dict.metadata.end()) return;
    const nlohmann::json about = nlohmann::json::parse(found->second, nullptr, false);
    if (!about.is_object()) return;
    const auto take = [&](const char* name, const char* shown) {
        if (about.contains(name)) settings.emplace_back(shown, text_of(about[name]));
    };
    take("version", "written by dinomaly");
    take("encoder_hash", "encoder's hash");
    take("trained_hash", "trained part's hash");
    take("classes", "classes");
    take("size", "picture size");
    take("crop", "middle that is used");
    take("tile", "tile");
    if (about.contains("decision")) run.decision = decision_from_json(about["decision"]);
    if (about.contains("training") && about["training"].is_object()) {
        nlohmann::json training = about["training"];
        training.erase("encoder");  // its hash again
        if (training.contains("pictures")) training["names of the training pictures, hash"] = training["pictures"];
        training.erase("pictures");
        add_settings(settings, "", training);
    }
    if (about.contains("model")) add_settings(settings, "model ", about["model"]);
}

std::string thresholds_from(const Decision& decision) {
    if (decision.empty())
        return "The threshold of each class is the one with the best F1 on the very pictures that are judged here, so "
               "verdicts on other parts may be a little worse.";
    const std::string from = decision.source.empty() ? "" : " (" + decision.source + ')';
    if (decision.rule == DecisionRule::best_f1)
        return "The thresholds are those with the best F1 of labelled pictures" + from +
               ". Where these are the pictures judged here, verdicts on other parts may be a little worse.";
    return "The thresholds were found from good pictures alone" + from + ", so that at most about " +
           page::number(100 * promised_rate(decision), 1) + " % of good parts are rejected.";
}

std::vector<ReportStep> read_steps(const fs::path& log) {
    std::vector<ReportStep> steps;
    std::error_code ignored;
    if (!fs::is_regular_file(log, ignored)) return steps;
    std::istringstream lines(io::read_text(log));
    for (std::string line; std::getline(lines, line);) {
        const nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
        if (!entry.is_object()) break;
        const auto number = [&](const char* name) {  // NaN is null in JSON
            const auto found = entry.find(name);
            return found != entry.end() && found->is_number() ? found->get<double>()
                                                              : std::numeric_limits<double>::quiet_NaN();
        };
        steps.push_back({static_cast<std::int64_t>(std::isnan(number("iteration")) ? 0 : number("iteration")),
                         number("loss"), number("grad_norm"), number("lr"), number("seconds")});
    }
    return steps;
}

}  // namespace dinomaly
