// SPDX-License-Identifier: Apache-2.0
#include "console.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

#include "engine/engine.hpp"

namespace dinomaly::program {

namespace {

/// "1:02:03", or "2:03" below an hour.
std::string clock_text(double seconds) {
    const auto all = static_cast<std::int64_t>(std::llround(seconds));
    char text[40];
    if (all >= 3600)
        std::snprintf(text, sizeof text, "%lld:%02d:%02d", static_cast<long long>(all / 3600),
                      static_cast<int>(all / 60 % 60), static_cast<int>(all % 60));
    else
        std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(all / 60), static_cast<int>(all % 60));
    return text;
}

std::string fixed(double value, int digits) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(digits) << value;
    return text.str();
}

}  // namespace

// --- progress

Progress::Progress(std::string title, std::string unit, std::int64_t total, std::int64_t done)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      first_(done),
      is_terminal_(::isatty(STDOUT_FILENO) != 0),
      start_(Clock::now()),
      shown_(start_) {}

Progress::~Progress() {
    pause();
}

void Progress::pause() {
    if (is_line_open_) std::cout << std::endl;
    is_line_open_ = false;
}

void Progress::update(std::int64_t done, const std::string& note) {
    using namespace std::chrono_literals;
    const Clock::time_point now = Clock::now();
    const bool is_last = done == total_;
    if (!is_last && now - shown_ < (is_terminal_ ? 100ms : 10s)) return;
    shown_ = now;
    if (is_terminal_) {
        std::cout << '\r' << line(done, note) << "\x1b[K" << std::flush;
        is_line_open_ = true;
        if (is_last) pause();
    } else {
        std::cout << line(done, note) << std::endl;
    }
}

std::string Progress::line(std::int64_t done, const std::string& note) const {
    const double seconds = std::chrono::duration<double>(shown_ - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
    std::ostringstream text;
    text << title_ << ' ';
    if (is_terminal_) {
        constexpr std::int64_t width = 24;
        const std::int64_t filled = total_ > 0 ? width * done / total_ : width;
        text << '[' << std::string(static_cast<std::size_t>(filled), '#')
             << std::string(static_cast<std::size_t>(width - filled), '.') << "] ";
    }
    text << done << '/' << total_ << ' ' << unit_;
    if (!note.empty()) text << ", " << note;
    if (rate > 0) {
        text << ", " << (rate >= 1 ? fixed(rate, 1) + " a second" : fixed(1 / rate, 1) + " s each");
        if (done < total_) text << ", " << clock_text(static_cast<double>(total_ - done) / rate) << " left";
    }
    return text.str();
}

// --- figures

std::string size_text(vision::PictureSize size) {
    std::ostringstream text;
    if (size.width == size.height)
        text << size.width;
    else
        text << size;
    return text.str();
}

std::string percent(double value) {
    return std::isnan(value) ? "-" : fixed(100 * value, 2);
}

void print_table(const std::vector<ClassReport>& reports) {
    std::vector<ClassReport> rows = reports;
    if (rows.size() > 1) rows.push_back(mean_report(reports));
    std::size_t name_width = 5;
    for (const ClassReport& row : rows) name_width = std::max(name_width, row.name.size());
    const auto cells = [](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) std::cout << std::setw(8) << text;
    };
    const auto pixel_cells = [&](const anomaly::PixelMetrics& m) {
        cells({percent(m.auroc), percent(m.ap), percent(m.f1_max), percent(m.aupro)});
    };
    const std::string gap(name_width, ' ');
    std::cout << gap << "  picture, %               pixel, %, mask > 0               pixel, %, mask > 0.5\n"
              << std::left << std::setw(static_cast<int>(name_width)) << "class" << std::right;
    cells({"AUROC", "AP", "F1"});
    for (int rule = 0; rule < 2; ++rule) cells({"AUROC", "AP", "F1", "AUPRO"});
    std::cout << '\n';
    for (const ClassReport& row : rows) {
        std::cout << std::left << std::setw(static_cast<int>(name_width)) << row.name << std::right;
        cells({percent(row.image.auroc), percent(row.image.ap), percent(row.image.f1_max)});
        pixel_cells(row.above_zero);
        pixel_cells(row.above_half);
        std::cout << '\n';
    }
    std::cout << std::flush;
}

void warn(const std::string& text) {
    std::cerr << "warning: " << text << std::endl;
}

void settle_tile(Engine& engine, vision::PictureSize tile) {
    engine.set_tile(tile);
    const vision::PictureSize size = engine.sizes().size;
    if (tile != vision::PictureSize{} && (tile.width < size.width || tile.height < size.height))
        warn("--tile " + size_text(tile) + " is smaller than --size " + size_text(size) +
             ": tiles are enlarged, which takes time and shows nothing more");
}

std::string tile_text(vision::PictureSize tile) {
    if (tile == vision::PictureSize{}) return "";
    std::ostringstream text;
    text << ", tiles of " << tile;
    return text.str();
}

void check_modalities(const Engine& engine, const vision::Sample& sample) {
    const auto given = static_cast<std::int64_t>(vision::source_of(sample).pictures());
    check(given == engine.config().modalities, sample.picture.c_str(),
          given == 1 ? "a picture" : "a picture with depths", " found, but the model was trained on pictures ",
          engine.config().modalities == 1 ? "alone" : "with depths");
}

std::vector<ClassReport> evaluate_all(const Engine& engine, const std::vector<vision::ClassData>& classes,
                                      const std::filesystem::path& root, EvaluateOptions options) {
    std::vector<ClassReport> reports;
    for (const vision::ClassData& data : classes) {
        if (data.test.empty()) continue;
        check_modalities(engine, data.test.front());
        Progress progress("judging " + data.name, "pictures", static_cast<std::int64_t>(data.test.size()));
        options.progress = [&](std::size_t done) { progress.update(static_cast<std::int64_t>(done)); };
        reports.push_back(evaluate_class(engine, data, root, options));
    }
    return reports;
}

void check_writable(const std::filesystem::path& path) {
    if (path.empty()) return;
    std::error_code ignored;
    check(!std::filesystem::is_directory(path, ignored), path.c_str(), "cannot be written: it is a directory");
    const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
    check(std::filesystem::is_directory(folder, ignored), path.c_str(), "cannot be written: there is no directory ",
          folder.string());
    check(::access(folder.c_str(), W_OK) == 0, path.c_str(), "cannot be written: no permission to write in ",
          folder.string());
}

}  // namespace dinomaly::program
