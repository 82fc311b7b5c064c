// SPDX-License-Identifier: Apache-2.0
// The decision of a model: which pictures it is found from, after training or later, and which thresholds a command
// uses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "dinomaly/decision.hpp"
#include "dinomaly/evaluate.hpp"
#include "engine/engine.hpp"
#include "judging/verdicts.hpp"

namespace dinomaly::program {

/// Which pictures thresholds are found from.
enum class DecideFrom {
    any,     ///< labelled pictures where each class has good and bad ones, else good pictures
    good,    ///< good pictures alone
    labels,  ///< labelled pictures, at the best F1
};

struct DecideOptions {
    DecideFrom from = DecideFrom::any;
    double false_alarm_rate = 0.01;
};

/// Whether a class has good and bad test pictures, or objects.
bool has_both_kinds(const vision::ClassData& data);

/// Moves `part` (0..1) of each class's training pictures, drawn from seed, into the test pictures of classes of their
/// own, which are returned: some at least where there are four or more; objects are kept together. Throws when none
/// would be left to learn from.
std::vector<vision::ClassData> hold_out(std::vector<vision::ClassData>& classes, double part, std::uint64_t seed);

/// What a decision is found from: the judged pictures of all classes.
std::vector<JudgedPictures> judged_pictures_of(const std::vector<ClassReport>& reports);

/// The decision on standard output: the rule, what it rests on, a line a class; and a warning where good pictures are
/// too few for the rate asked for.
void print_decision(const Decision& decision);

/// The verdicts by the thresholds of each class; by those of all for a class that the decision does not know. None for
/// an empty decision.
Verdicts count_verdicts(const Decision& decision, const std::vector<ClassReport>& reports);

/// A line on standard output; none where nothing was counted.
void print_verdicts(const Verdicts& verdicts);

/// Thresholds as the user wants them: NaN and 0 are not given.
struct ThresholdOptions {
    double image = std::numeric_limits<double>::quiet_NaN();
    double pixel = std::numeric_limits<double>::quiet_NaN();
    double false_alarm_rate = 0;
    std::string class_name;  ///< empty: thresholds for all classes together
};

/// The thresholds that hold: those given, then those of the rate given, then the model's; NaN where none is known.
/// Throws when the model lacks what a rate or a class asks for.
Thresholds choose_thresholds(const std::filesystem::path& model, const Engine& engine, const ThresholdOptions& options);

}  // namespace dinomaly::program
