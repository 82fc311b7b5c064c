// SPDX-License-Identifier: Apache-2.0
// The command predict: a score for each picture and, where asked for, its heat map. Pictures are arguments, lines of
// standard input, or arrive in a folder.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <iostream>
#include <optional>
#include <sstream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/judge_files.hpp"
#include "dinomaly/object_fusion.hpp"
#include "dinomaly/vision/codec.hpp"
#include "dinomaly/vision/map_blend.hpp"
#include "dinomaly/vision/source.hpp"
#include "engine/memory_plan.hpp"
#include "interruption.hpp"
#include "judging/decide.hpp"
#include "judging/latency.hpp"
#include "judging/object_rule.hpp"
#include "judging/picture_files.hpp"
#include "judging/picture_names.hpp"
#include "judging/picture_source.hpp"
#include "judging/results.hpp"
#include "training/run_folder.hpp"
#include "watching/watch_folder.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

PictureOutput picture_output(const PredictOptions& options) {
    PictureOutput output{.overlays = options.out, .maps = options.maps, .range = options.range};
    output.format = map_formats().at(options.map_format);
    output.min_area = options.min_area;
    return output;
}

// --- a picture's way to its result

/// A picture that is being read while others are judged.
struct Reading {
    /// One sample of its object: which one, and what is seen of it.
    struct Part {
        vision::Sample sample;
        std::vector<vision::Image> pictures;
    };
    struct Done {
        std::vector<Part> parts;
        double milliseconds = 0;
    };
    fs::path path;
    std::future<Done> done;
};

Reading::Done read_object(const fs::path& path, ObjectRule rule, bool with_depths) {
    const Clock::time_point start = Clock::now();
    Reading::Done done;
    vision::SourceReader reader(1);
    for (vision::Sample& sample : object_of(path, rule, with_depths)) {
        std::vector<vision::Image> pictures = reader.read_all(vision::source_of(sample));
        for (vision::Image& picture : pictures) picture = vision::to_rgb(std::move(picture));
        done.parts.push_back({std::move(sample), std::move(pictures)});
    }
    done.milliseconds = milliseconds_since(start);
    return done;
}

/// What is told of a picture that was judged: its raw score always, the verdict where a threshold is known.
nlohmann::ordered_json result_line(const fs::path& path, float score, const Thresholds& thresholds,
                                   const PictureTime& time) {
    nlohmann::ordered_json line{{"path", path.string()}, {"score", score}};
    if (!std::isnan(thresholds.image)) {
        line["threshold"] = thresholds.image;
        line["verdict"] = score >= thresholds.image ? "bad" : "good";
    }
    line["milliseconds"] = std::round(time.total() * 100) / 100;
    return line;
}

/// Judges what a source hands out until it has no more, reading one picture ahead.
class Judge {
public:
    Judge(const PredictOptions& options, const Engine& engine, PictureSource& source,
          const std::vector<fs::path>& known, Results& results)
        : engine_(engine),
          source_(source),
          results_(results),
          names_(known),
          output_(picture_output(options)),
          thresholds_(choose_thresholds(options.model, engine, options.thresholds)),
          rule_(object_rules().at(options.object)) {
        make_output_folders(output_);
    }

    void judge_all() {
        for (std::optional<Reading> ahead;;) {
            if (!ahead) ahead = begin_reading(source_.next(true));
            if (!ahead) return;
            Reading current = std::move(*ahead);
            ahead = begin_reading(source_.next(false));
            if (std::optional<nlohmann::ordered_json> line = judge(current)) {
                source_.announce(current.path, *line);
                results_.add(*line);
                source_.put_away(current.path, *line);
            }
        }
    }

    std::size_t unreadable() const { return unreadable_; }
    /// How many pictures there were and how long they took.
    void print_summary() const {
        std::ostringstream text;
        text << latency_.summary();
        if (unreadable_ > 0) text << "; " << unreadable_ << " could not be read";
        std::cerr << text.str() << std::endl;
    }

private:
    std::optional<Reading> begin_reading(std::optional<fs::path> path) const {
        if (!path) return {};
        auto done =
            std::async(std::launch::async, [path = *path, rule = rule_, with_depths = engine_.config().modalities > 1] {
                return read_object(path, rule, with_depths);
            });
        return Reading{std::move(*path), std::move(done)};
    }

    /// The result of a picture, or of the object that it stands for; nothing when the file is not the one any more that
    /// was to be judged.
    std::optional<nlohmann::ordered_json> judge(Reading& reading) {
        Reading::Done read;
        std::string error;
        try {
            read = reading.done.get();
        } catch (const std::bad_alloc&) {
            error = '[' + reading.path.string() + "] not enough memory to decode it";
        } catch (const Error& problem) {
            error = problem.what();
        }
        if (!source_.is_current(reading.path)) return {};
        if (!error.empty()) {
            ++unreadable_;
            return nlohmann::ordered_json{{"path", reading.path.string()}, {"error", error}};
        }
        const Clock::time_point start = Clock::now();
        std::vector<Judgement> judged;
        for (const Reading::Part& part : read.parts) judged.push_back(judge_pictures(engine_, part.pictures));
        const float score = rule_ == ObjectRule::picture ? judged.front().score : fuse(judged);
        const PictureTime time{read.milliseconds, milliseconds_since(start)};
        latency_.add(time);
        const fs::path path = rule_ == ObjectRule::folder ? reading.path.parent_path() : reading.path;
        nlohmann::ordered_json line = result_line(path, score, thresholds_, time);
        const std::string name = names_.of(path);
        if (rule_ == ObjectRule::picture) {
            line.update(write_outputs(name, read.parts.front().pictures.front(), judged.front()));
            return line;
        }
        line["pictures"] = nlohmann::ordered_json::array();
        for (std::size_t i = 0; i < judged.size(); ++i) {
            const Reading::Part& part = read.parts[i];
            nlohmann::ordered_json each{{"path", part.sample.picture.string() + vision::source_of(part.sample).place()},
                                        {"part", part.sample.part},
                                        {"score", judged[i].score}};
            each.update(write_outputs(name + '-' + part.sample.part, part.pictures.front(), judged[i]));
            line["pictures"].push_back(std::move(each));
        }
        return line;
    }

    /// The score of an object, from the maps and scores of its pictures.
    float fuse(const std::vector<Judgement>& judged) const {
        constexpr int side = 256;
        std::vector<float> scores, maps;
        for (const Judgement& each : judged) {
            scores.push_back(each.score);
            const std::vector<float> map = vision::resize_map(each.map, {each.map_width, each.map_height}, side);
            maps.insert(maps.end(), map.begin(), map.end());
        }
        return fuse_scores(fusion_of(rule_), scores, maps);
    }

    /// The files of one picture, and what is told of it.
    nlohmann::ordered_json write_outputs(std::string name, const vision::Image& picture, const Judgement& judged) {
        std::ranges::replace(name, ' ', '-');
        const vision::PictureSize size{picture.width, picture.height};
        const vision::PictureMap map(judged.map, judged.map_width, judged.map_height, size, engine_.map_sizes(size));
        return write_picture_outputs(output_, name, picture, map, thresholds_.pixel);
    }

    const Engine& engine_;
    PictureSource& source_;
    Results& results_;
    PictureNames names_;
    PictureOutput output_;
    Thresholds thresholds_;
    ObjectRule rule_;
    Latency latency_;
    std::size_t unreadable_ = 0;
};

Engine open_engine(const PredictOptions& options, const Target& target) {
    Engine engine = Engine::open(model_file(options.model), options.size, options.crop, target);
    settle_tile(engine, options.tile.value_or(engine.tile()));
    check_memory(engine,
                 {.trains = false,
                  .crop = engine.sizes().crop,
                  .batch = engine.tile() == vision::PictureSize{} ? 1 : 4,  // windows judged together
                  .element_size = engine.element_size(),
                  .on_gpu = engine.target().gpu.has_value()},
                 options.memory_limit);
    if (std::isnan(options.thresholds.image))
        warn_of_other_fusion(engine, fusion_of(object_rules().at(options.object)));
    return engine;
}

int watch(const PredictOptions& options, const Target& target, Results& results) {
    const Interruption interruption;
    check(options.object != "folder", "--object", "'folder' with --watch: pictures arrive one by one");
    WatchFolder folder(options.watch, interruption);
    const Engine engine = open_engine(options, target);
    results.keep_coming(options.watch.sync);
    std::cerr << folder.description() << "; an interrupt ends it" << std::endl;
    Judge judge(options, engine, folder, {}, results);
    try {
        judge.judge_all();
    } catch (const Error&) {
        judge.print_summary();
        throw;
    }
    judge.print_summary();
    return status_done;
}

}  // namespace

int run_predict(const PredictOptions& options) {
    Results results(options);
    const Target target = choose_target(options.device, options.precision);
    use_threads(options.threads);
    if (!options.watch.folder.empty()) return watch(options, target, results);
    ArgumentSource pictures(options.pictures);
    const Engine engine = open_engine(options, target);
    std::vector<fs::path> known = pictures.known();
    leave_one_of_each_object(known, object_rules().at(options.object), engine.config().modalities > 1);
    pictures.keep(known);
    if (pictures.reads_lines()) results.keep_coming(false);
    Judge judge(options, engine, pictures, pictures.known(), results);
    judge.judge_all();
    results.finish();
    judge.print_summary();
    return judge.unreadable() == 0 ? status_done : status_bad_input;
}

}  // namespace dinomaly::program
