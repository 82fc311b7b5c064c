// SPDX-License-Identifier: Apache-2.0
// The command predict: a score for each picture and, where asked for, its heat map. Pictures are arguments, lines of
// standard input, or arrive in a folder.
#include <chrono>
#include <cmath>
#include <future>
#include <iostream>
#include <optional>
#include <sstream>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/vision/codec.hpp"
#include "engine/memory_plan.hpp"
#include "interruption.hpp"
#include "judging/decide.hpp"
#include "judging/latency.hpp"
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
    struct Done {
        vision::Image picture;
        double milliseconds = 0;
    };
    fs::path path;
    std::future<Done> done;
};

std::optional<Reading> begin_reading(std::optional<fs::path> path) {
    if (!path) return {};
    auto done = std::async(std::launch::async, [path = *path] {
        const Clock::time_point start = Clock::now();
        vision::Image picture = vision::read_rgb(path);
        return Reading::Done{std::move(picture), milliseconds_since(start)};
    });
    return Reading{std::move(*path), std::move(done)};
}

/// What is told of a picture that was judged: its raw score always, the verdict where a threshold is known.
nlohmann::ordered_json result_line(const fs::path& path, const Judgement& judged, const Thresholds& thresholds,
                                   const PictureTime& time) {
    nlohmann::ordered_json line{{"path", path.string()}, {"score", judged.score}};
    if (!std::isnan(thresholds.image)) {
        line["threshold"] = thresholds.image;
        line["verdict"] = judged.score >= thresholds.image ? "bad" : "good";
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
          thresholds_(choose_thresholds(options.model, engine, options.thresholds)) {
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
    /// The result of a picture; nothing when the file is not the one any more that was to be judged.
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
        const Judgement judged = engine_.judge(read.picture);
        const PictureTime time{read.milliseconds, milliseconds_since(start)};
        latency_.add(time);
        nlohmann::ordered_json line = result_line(reading.path, judged, thresholds_, time);
        const vision::PictureMap map(judged.map, judged.map_width, judged.map_height,
                                     {read.picture.width, read.picture.height},
                                     engine_.map_sizes({read.picture.width, read.picture.height}));
        line.update(write_picture_outputs(output_, names_.of(reading.path), read.picture, map, thresholds_.pixel));
        return line;
    }

    const Engine& engine_;
    PictureSource& source_;
    Results& results_;
    PictureNames names_;
    PictureOutput output_;
    Thresholds thresholds_;
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
                  .batch_at_once = engine.target().gpu.has_value()},
                 options.memory_limit);
    return engine;
}

int watch(const PredictOptions& options, const Target& target, Results& results) {
    const Interruption interruption;
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
    if (pictures.reads_lines()) results.keep_coming(false);
    Judge judge(options, engine, pictures, pictures.known(), results);
    judge.judge_all();
    results.finish();
    judge.print_summary();
    return judge.unreadable() == 0 ? status_done : status_bad_input;
}

}  // namespace dinomaly::program
