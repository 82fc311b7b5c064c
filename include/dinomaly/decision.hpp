// SPDX-License-Identifier: Apache-2.0
// Decision: from which score a picture counts as bad, and from which map value a pixel does, for each class and for
// all; how these thresholds were found; and what it takes to find others. It travels in the model's file
// (ModelInfo::decision). Scores are never changed by it.
//
//     const Decision decision = read_decision(predictor.info());
//     if (score >= decision.of("bottle").thresholds.image) reject();
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dinomaly/anomaly/threshold.hpp"
#include "dinomaly/core/error.hpp"
#include "dinomaly/model_info.hpp"

namespace dinomaly::inline DINOMALY_ABI {

/// From which value on something counts as bad; NaN where that is not known.
struct Thresholds {
    float image = std::numeric_limits<float>::quiet_NaN();  ///< for scores of pictures
    float pixel = std::numeric_limits<float>::quiet_NaN();  ///< for values of maps
};

/// How thresholds were found (anomaly/threshold.hpp).
enum class DecisionRule { good_pictures, best_f1 };

/// The thresholds of one class, and the good pictures known: their scores and the largest values of their maps, each
/// ascending.
struct ClassDecision {
    Thresholds thresholds;
    std::vector<float> good_scores, good_peaks;
    std::size_t bad = 0;  ///< bad pictures that it rests on
};

/// The decision of a model.
struct Decision {
    DecisionRule rule = DecisionRule::good_pictures;
    double false_alarm_rate = 0;  ///< asked for; 0 with best_f1
    std::string source;           ///< which pictures it rests on, in words
    ClassDecision all;            ///< for a picture whose class is not told
    std::map<std::string, ClassDecision> classes;

    bool empty() const { return classes.empty(); }

    /// The decision of a class; of all for "". Throws Error, listing the classes, for one that is not known.
    const ClassDecision& of(const std::string& class_name) const {
        if (class_name.empty()) return all;
        const auto found = classes.find(class_name);
        std::string names;
        for (const auto& [name, unused] : classes) names += (names.empty() ? "" : ", ") + name;
        check(found != classes.end(), "decision", "no class '", class_name, "'; known: ", names);
        return found->second;
    }

    /// The decision of a class; of all for one that is not known.
    const ClassDecision& of_or_all(const std::string& class_name) const {
        const auto found = classes.find(class_name);
        return found == classes.end() ? all : found->second;
    }
};

/// The judged pictures of a class that thresholds are to be found from.
struct JudgedPictures {
    std::string name;
    std::vector<float> good_scores, good_peaks, bad_scores;
    anomaly::ValueHistogram pixels;  ///< of the maps, by the masks
};

/// The thresholds that a good picture of this class reaches with a probability of at most `rate`, its score the one and
/// the largest value of its map the other. Throws when no good picture is known.
inline Thresholds thresholds_at(const ClassDecision& decision, double rate) {
    return {anomaly::threshold_from_good(decision.good_scores, rate).value,
            anomaly::threshold_from_good(decision.good_peaks, rate).value};
}

namespace detail {

inline void merge_sorted(std::vector<float>& all, std::span<const float> more) {
    const auto middle = static_cast<std::ptrdiff_t>(all.size());
    all.insert(all.end(), more.begin(), more.end());
    std::inplace_merge(all.begin(), all.begin() + middle, all.end());
}

/// The good pictures of all classes together.
inline void pool_good_pictures(Decision& decision) {
    for (const auto& [name, each] : decision.classes) {
        merge_sorted(decision.all.good_scores, each.good_scores);
        merge_sorted(decision.all.good_peaks, each.good_peaks);
        decision.all.bad += each.bad;
    }
}

inline Decision known_pictures(std::span<const JudgedPictures> classes, std::string source) {
    check(!classes.empty(), "decision", "no judged pictures to find thresholds from");
    Decision decision;
    decision.source = std::move(source);
    for (const JudgedPictures& judged : classes) {
        ClassDecision& each = decision.classes[judged.name];
        each.good_scores = judged.good_scores;
        each.good_peaks = judged.good_peaks;
        std::ranges::sort(each.good_scores);
        std::ranges::sort(each.good_peaks);
        each.bad = judged.bad_scores.size();
    }
    pool_good_pictures(decision);
    return decision;
}

}  // namespace detail

/// Thresholds from good pictures that were not learnt from, at a rate of false alarms. Throws when a class has none.
inline Decision decide_from_good(std::span<const JudgedPictures> classes, double rate, std::string source) {
    Decision decision = detail::known_pictures(classes, std::move(source));
    decision.rule = DecisionRule::good_pictures;
    decision.false_alarm_rate = rate;
    for (auto& [name, each] : decision.classes) {
        check(!each.good_scores.empty(), "decision", "class '", name, "' has no good pictures to find thresholds from");
        each.thresholds = thresholds_at(each, rate);
    }
    decision.all.thresholds = thresholds_at(decision.all, rate);
    return decision;
}

/// Thresholds at the best F1 of labelled pictures, and of their pixels where there are masks. Throws when a class lacks
/// good or bad pictures.
inline Decision decide_from_labels(std::span<const JudgedPictures> classes, std::string source) {
    Decision decision = detail::known_pictures(classes, std::move(source));
    decision.rule = DecisionRule::best_f1;
    std::vector<float> all_bad;
    anomaly::ValueHistogram all_pixels;
    for (const JudgedPictures& judged : classes) {
        check(!judged.good_scores.empty() && !judged.bad_scores.empty(), "decision", "class '", judged.name, "' has ",
              judged.good_scores.size(), " good and ", judged.bad_scores.size(),
              " bad pictures; the best F1 takes some of both");
        decision.classes[judged.name].thresholds = {anomaly::best_f1_threshold(judged.good_scores, judged.bad_scores),
                                                    judged.pixels.best_f1_threshold()};
        all_bad.insert(all_bad.end(), judged.bad_scores.begin(), judged.bad_scores.end());
        all_pixels += judged.pixels;
    }
    decision.all.thresholds = {anomaly::best_f1_threshold(decision.all.good_scores, all_bad),
                               all_pixels.best_f1_threshold()};
    return decision;
}

/// The rate of false alarms that thresholds from good pictures promise for every class: the one asked for, or what the
/// class with the fewest pictures can promise.
inline double promised_rate(const Decision& decision) {
    double rate = 0;
    for (const auto& [name, each] : decision.classes)
        if (!each.good_scores.empty())
            rate = std::max(rate, anomaly::threshold_from_good(each.good_scores, decision.false_alarm_rate).rate);
    return rate > 0 ? rate : decision.false_alarm_rate;
}

/// The decision of a model's file as JSON; an object without members when there is none.
inline nlohmann::json to_json(const Decision& decision) {
    if (decision.empty()) return nlohmann::json::object();
    const auto thresholds = [](const Thresholds& t) {
        const auto number = [](float value) {
            return std::isnan(value) ? nlohmann::json(nullptr) : nlohmann::json(value);
        };
        return nlohmann::json{{"image", number(t.image)}, {"pixel", number(t.pixel)}};
    };
    nlohmann::json classes = nlohmann::json::object();
    for (const auto& [name, each] : decision.classes) {
        classes[name] = thresholds(each.thresholds);
        classes[name]["bad"] = each.bad;
        classes[name]["good_scores"] = each.good_scores;
        classes[name]["good_peaks"] = each.good_peaks;
    }
    nlohmann::json j{{"rule", decision.rule == DecisionRule::best_f1 ? "best F1" : "good pictures"},
                     {"source", decision.source},
                     {"all", thresholds(decision.all.thresholds)},
                     {"classes", classes}};
    if (decision.rule == DecisionRule::good_pictures) j["false_alarm_rate"] = decision.false_alarm_rate;
    return j;
}

/// The decision that to_json() wrote; an empty one for an object without members. Throws Error, naming the field, for
/// anything else.
inline Decision decision_from_json(const nlohmann::json& j) {
    Decision decision;
    if (j.empty()) return decision;
    const auto thresholds = [](const nlohmann::json& object) {
        const auto number = [&](const char* name) {
            const nlohmann::json& value = object.at(name);
            return value.is_null() ? std::numeric_limits<float>::quiet_NaN() : value.get<float>();
        };
        return Thresholds{number("image"), number("pixel")};
    };
    try {
        const auto rule = j.at("rule").get<std::string>();
        check(rule == "best F1" || rule == "good pictures", "rule", '"', rule,
              "\" found, \"best F1\" or \"good pictures\" expected");
        decision.rule = rule == "best F1" ? DecisionRule::best_f1 : DecisionRule::good_pictures;
        decision.false_alarm_rate = j.value("false_alarm_rate", 0.0);
        j.at("source").get_to(decision.source);
        for (const auto& [name, object] : j.at("classes").items()) {
            ClassDecision& each = decision.classes[name];
            each.thresholds = thresholds(object);
            object.at("bad").get_to(each.bad);
            object.at("good_scores").get_to(each.good_scores);
            object.at("good_peaks").get_to(each.good_peaks);
            check(std::ranges::is_sorted(each.good_scores) && std::ranges::is_sorted(each.good_peaks), name.c_str(),
                  "good_scores and good_peaks, ascending, expected");
        }
        detail::pool_good_pictures(decision);
        decision.all.thresholds = thresholds(j.at("all"));
    } catch (const std::exception& error) {
        fail("decision", "damaged: ", error.what());
    }
    return decision;
}

/// The decision of a model that was read from a file.
inline Decision read_decision(const ModelInfo& info) {
    return decision_from_json(info.decision);
}

}  // namespace dinomaly::inline DINOMALY_ABI
