// SPDX-License-Identifier: Apache-2.0
#include "judging/decide.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <set>
#include <sstream>

#include "console.hpp"
#include "dinomaly/vision/objects.hpp"
#include "dinomaly/vision/sampler.hpp"

namespace dinomaly::program {

namespace {

/// How many of n training pictures to hold out: the part asked for, but a few at least, so that it says something.
std::size_t held_out_count(std::size_t n, double part) {
    constexpr std::size_t few = 5, share = 4;
    if (part <= 0 || n < 2) return 0;
    const auto asked = static_cast<std::size_t>(std::lround(part * static_cast<double>(n)));
    return std::max(asked, std::clamp<std::size_t>(n / share, 1, few));
}

/// "0.0123", or "-" for what is not known.
std::string threshold_text(float value) {
    if (std::isnan(value)) return "-";
    std::ostringstream text;
    text << std::fixed << std::setprecision(4) << value;
    return text.str();
}

void print_line(const std::string& name, int width, const ClassDecision& decision) {
    std::cout << "  " << std::left << std::setw(width) << name << std::right << std::setw(10)
              << threshold_text(decision.thresholds.image) << std::setw(10) << threshold_text(decision.thresholds.pixel)
              << std::setw(7) << decision.good_scores.size() << std::setw(7) << decision.bad << '\n';
}

/// A threshold of the good pictures known cannot promise less than one false alarm in n + 1.
void warn_of_few_pictures(const Decision& decision) {
    for (const auto& [name, each] : decision.classes) {
        const auto n = static_cast<double>(each.good_scores.size());
        if (1 / (n + 1) <= decision.false_alarm_rate) continue;
        std::ostringstream text;
        text << "class '" << name << "': " << n << " good pictures cannot promise a false-alarm rate of "
             << decision.false_alarm_rate << ", only " << std::setprecision(2) << 1 / (n + 1)
             << "; the threshold is above the largest of them. It takes "
             << std::ceil(1 / decision.false_alarm_rate - 1 - 1e-9) << " (--hold-out, or calibrate with more)";
        warn(text.str());
    }
}

}  // namespace

bool has_both_kinds(const vision::ClassData& data) {
    const vision::ObjectCounts counts = vision::count_objects(data.test);
    return counts.good > 0 && counts.bad > 0;
}

std::vector<vision::ClassData> hold_out(std::vector<vision::ClassData>& classes, double part, std::uint64_t seed) {
    std::vector<vision::ClassData> held;
    for (vision::ClassData& data : classes) {
        const std::vector<vision::Members> objects = vision::objects_of(data.train);
        const std::size_t n = objects.size(), count = held_out_count(n, part);
        if (count == 0) continue;
        check(count < n, "--hold-out", part, " of the ", n, " training pictures of class '", data.name,
              "' leaves none to learn from");
        const std::vector<std::size_t> order = vision::epoch_order(n, seed, 0);
        std::set<std::size_t> taken;
        for (const std::size_t i : order)  // lists may have bad pictures to learn from
            if (taken.size() < count && !vision::is_bad_object(data.train, objects[i])) taken.insert(i);
        if (taken.empty()) continue;
        vision::ClassData& out = held.emplace_back();
        out.name = data.name;
        out.fusion = data.fusion;
        std::vector<vision::Sample> left;
        for (std::size_t i = 0; i < n; ++i)
            for (const std::size_t member : objects[i])
                (taken.contains(i) ? out.test : left).push_back(std::move(data.train[member]));
        data.train = std::move(left);
    }
    return held;
}

std::vector<JudgedPictures> judged_pictures_of(const std::vector<ClassReport>& reports) {
    std::vector<JudgedPictures> judged;
    for (const ClassReport& report : reports) judged.push_back(judged_pictures(report));
    return judged;
}

void print_decision(const Decision& decision) {
    std::cout << "thresholds, from which on a picture or a pixel counts as bad; ";
    if (decision.rule == DecisionRule::best_f1)
        std::cout << "at the best F1 of " << decision.source << ":\n";
    else
        std::cout << "reached by at most " << std::setprecision(3) << promised_rate(decision) * 100
                  << " % of good pictures, found from " << decision.source << ":\n";
    std::size_t longest = std::string("all classes").size();
    for (const auto& [name, each] : decision.classes) longest = std::max(longest, name.size());
    const auto width = static_cast<int>(longest);
    std::cout << "  " << std::left << std::setw(width) << "" << std::right << std::setw(10) << "picture"
              << std::setw(10) << "pixel" << std::setw(7) << "good" << std::setw(7) << "bad" << '\n';
    for (const auto& [name, each] : decision.classes) print_line(name, width, each);
    if (decision.classes.size() > 1) print_line("all classes", width, decision.all);
    std::cout << std::flush;
    if (decision.rule == DecisionRule::good_pictures) warn_of_few_pictures(decision);
}

Verdicts count_verdicts(const Decision& decision, const std::vector<ClassReport>& reports) {
    Verdicts verdicts;
    if (decision.empty()) return verdicts;
    for (const ClassReport& report : reports)
        verdicts += dinomaly::count_verdicts(judged_objects(report), decision.of_or_all(report.name).thresholds.image);
    return verdicts;
}

void print_verdicts(const Verdicts& verdicts) {
    if (verdicts.all() == 0) return;
    std::cout << "at the model's thresholds " << verdicts.found << " of " << verdicts.bad()
              << " bad pictures are found, " << verdicts.rejected << " of " << verdicts.good()
              << " good ones are rejected" << std::endl;
}

Thresholds choose_thresholds(const std::filesystem::path& model, const Engine& engine,
                             const ThresholdOptions& options) {
    Thresholds chosen;
    const Decision decision = decision_from_json(engine.decision());
    const bool needs_decision = options.false_alarm_rate > 0 || !options.class_name.empty();
    check(!needs_decision || !decision.empty(), model.c_str(),
          "has no thresholds, which --class and --false-alarm-rate start from; 'dinomaly calibrate' finds them");
    if (!decision.empty()) {
        const ClassDecision& each = decision.of(options.class_name);
        check(options.false_alarm_rate <= 0 || !each.good_scores.empty(), model.c_str(),
              "knows no good pictures, which --false-alarm-rate starts from; 'dinomaly calibrate' finds them");
        chosen = options.false_alarm_rate > 0 ? thresholds_at(each, options.false_alarm_rate) : each.thresholds;
    }
    if (!std::isnan(options.image)) chosen.image = static_cast<float>(options.image);
    if (!std::isnan(options.pixel)) chosen.pixel = static_cast<float>(options.pixel);
    return chosen;
}

}  // namespace dinomaly::program
