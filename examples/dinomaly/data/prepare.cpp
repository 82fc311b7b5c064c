// SPDX-License-Identifier: Apache-2.0
// The command prepare: VisA as it is shipped, with its split file, into the folders that are trained on.
#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "commands.hpp"
#include "console.hpp"
#include "dinomaly/io/file.hpp"
#include "dinomaly/vision/codec.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;

constexpr const char* temporary = ".tmp-";  // in the names of files that are not finished

// --- the split file

/// A line of a table and where it stands.
struct Row {
    std::size_t line = 0;
    std::vector<std::string> cells;
};

/// The rows of comma-separated values: lines end with LF or CRLF, cells may stand in quotes ("" is one quote). Empty
/// lines and a byte order mark are skipped.
std::vector<Row> read_csv(const fs::path& file) {
    const std::string whole = io::read_text(file);
    std::string_view text = whole;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    std::vector<Row> rows;
    Row row{1, {""}};
    std::size_t line = 1;
    bool quoted = false;
    const auto finish = [&] {
        if (row.cells.size() > 1 || !row.cells[0].empty()) rows.push_back(row);
        row = {line, {""}};
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\n') ++line;
        if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
            row.cells.back() += '"';
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == ',') {
            row.cells.emplace_back();
        } else if (!quoted && c == '\n') {
            finish();
        } else if (quoted || c != '\r') {
            row.cells.back() += c;
        }
    }
    check(!quoted, file.c_str(), "line ", row.line, " opens a quote that is never closed");
    finish();
    return rows;
}

/// A picture of the split: where it is, where it goes, and its mask where it is a bad one.
struct Item {
    std::size_t line = 0;
    fs::path picture, picture_to;  ///< from the data's root; from the folder 1cls
    fs::path mask, mask_to;
};

/// Reads one row. `at` says in which cell each of object, split, label, image and mask is.
Item read_item(const fs::path& file, const Row& row, const std::array<std::size_t, 5>& at) {
    const auto cell = [&](std::size_t i) { return at[i] < row.cells.size() ? row.cells[at[i]] : std::string(); };
    const std::string object = cell(0), split = cell(1), label = cell(2), image = cell(3), mask = cell(4);
    const std::string place = file.string() + ":" + std::to_string(row.line);
    check(!object.empty() && object != "." && object != ".." && object.find('/') == std::string::npos, place.c_str(),
          "the object '", object, "' is no name of a class");
    check(split == "train" || split == "test", place.c_str(), "the split '", split, "', train or test expected");
    check(label == "normal" || label == "anomaly", place.c_str(), "the label '", label,
          "', normal or anomaly expected");
    check(!image.empty(), place.c_str(), "no image");
    const bool bad = label == "anomaly";
    check(split == "test" || !bad, place.c_str(),
          "a bad picture to train on; the split of one class, 1cls.csv, expected");
    check(!bad || !mask.empty(), place.c_str(), "a bad picture without a mask");
    Item item{row.line, image, fs::path(object) / split / (bad ? "bad" : "good") / fs::path(image).filename(), {}, {}};
    if (bad) {
        item.mask = mask;
        item.mask_to = fs::path(object) / "ground_truth" / "bad" / fs::path(mask).filename().replace_extension(".png");
    }
    return item;
}

/// Reads the split. Throws, naming the line, where a column is missing or a value is none of those expected.
std::vector<Item> read_split(const fs::path& file) {
    const std::vector<Row> rows = read_csv(file);
    check(rows.size() > 1, file.c_str(), "no rows below a header, object,split,label,image,mask expected");
    constexpr std::array columns{"object", "split", "label", "image", "mask"};
    std::array<std::size_t, 5> at{};
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const auto found = std::ranges::find(rows[0].cells, columns[i]);
        check(found != rows[0].cells.end(), file.c_str(), "no column '", columns[i],
              "' in its first line, object,split,label,image,mask expected");
        at[i] = static_cast<std::size_t>(found - rows[0].cells.begin());
    }
    std::vector<Item> items;
    std::map<fs::path, std::size_t> lines;
    for (std::size_t i = 1; i < rows.size(); ++i) {
        items.push_back(read_item(file, rows[i], at));
        const auto [first, is_new] = lines.emplace(items.back().picture_to, rows[i].line);
        check(is_new, file.c_str(), "lines ", first->second, " and ", rows[i].line, " would both become ",
              items.back().picture_to.string());
    }
    return items;
}

/// Throws unless all files of the split exist.
void check_sources(const PrepareVisaOptions& options, const std::vector<Item>& items) {
    std::size_t missing = 0, total = 0;
    std::string first;
    for (const Item& item : items)
        for (const fs::path& path : {item.picture, item.mask}) {
            std::error_code ignored;
            if (path.empty()) continue;
            ++total;
            if (fs::is_regular_file(options.data / path, ignored)) continue;
            if (missing++ == 0) first = (options.data / path).string() + " (line " + std::to_string(item.line) + ')';
        }
    check(missing == 0, options.split.c_str(), missing, " of ", total, " listed files are missing, the first: ", first);
}

// --- the folder to write

/// Removes what a killed run left half done, and throws where the folder holds anything that this split does not make.
void clear_folder(const fs::path& folder, const std::vector<Item>& items) {
    std::set<fs::path> expected;
    for (const Item& item : items) {
        expected.insert(item.picture_to);
        if (!item.mask_to.empty()) expected.insert(item.mask_to);
    }
    std::error_code problem;
    if (!fs::exists(folder, problem)) return;
    check(fs::is_directory(folder, problem), folder.c_str(), "is not a folder");
    std::vector<fs::path> unfinished;
    for (fs::recursive_directory_iterator entry(folder, problem), end; !problem && entry != end;
         entry.increment(problem)) {
        if (entry->is_directory(problem)) continue;
        const fs::path name = entry->path().lexically_relative(folder);
        const std::string text = name.string();
        if (expected.contains(name)) continue;
        check(expected.contains(text.substr(0, text.rfind(temporary))), entry->path().c_str(),
              "is not of this split; an empty or new folder, or one that this split began, expected");
        unfinished.push_back(entry->path());
    }
    check(!problem, folder.c_str(), "the folder cannot be read: ", problem.message());
    for (const fs::path& path : unfinished) fs::remove(path, problem);
}

void make_folder(const fs::path& folder) {
    std::error_code problem;
    fs::create_directories(folder, problem);
    check(!problem, folder.c_str(), "cannot be made: ", problem.message());
}

/// Copies or links a file; it appears whole or not at all. A copy of the same length that is there already is left
/// alone.
void copy_picture(const fs::path& from, const fs::path& to, bool link) {
    std::error_code problem;
    if (fs::exists(to, problem) && fs::file_size(to, problem) == fs::file_size(from, problem)) return;
    const fs::path unfinished = to.string() + temporary + "copy";
    fs::remove(unfinished, problem);
    if (link) fs::create_hard_link(from, unfinished, problem);
    if (!link || problem) {
        problem.clear();
        fs::copy_file(from, unfinished, problem);
    }
    if (!problem) fs::rename(unfinished, to, problem);
    check(!problem, to.c_str(), "cannot be written: ", problem.message());
}

/// Writes a mask of 0 and 255: a pixel counts that is not black.
void write_mask(const fs::path& from, const fs::path& to) {
    std::error_code ignored;
    if (fs::exists(to, ignored)) return;
    const vision::Image picture = vision::read_picture(from);
    vision::Image mask = vision::make_image(picture.width, picture.height, 1);
    const auto channels = static_cast<std::size_t>(picture.channels);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i)
        if (picture.pixels[i] != 0) mask.pixels[i / channels] = 255;
    vision::write_png(to, mask);
}

}  // namespace

int run_prepare_visa(const PrepareVisaOptions& options) {
    std::error_code ignored;
    check(fs::is_directory(options.data, ignored), options.data.c_str(), "no such folder");
    const std::vector<Item> items = read_split(options.split);
    check_sources(options, items);
    const fs::path folder = options.out / "1cls";
    clear_folder(folder, items);

    std::set<fs::path> folders;
    for (const Item& item : items) {
        folders.insert((folder / item.picture_to).parent_path());
        if (!item.mask_to.empty()) folders.insert((folder / item.mask_to).parent_path());
    }
    for (const fs::path& path : folders) make_folder(path);

    Progress progress("preparing VisA", "pictures", static_cast<std::int64_t>(items.size()));
    std::set<std::string> classes;
    std::size_t train = 0, bad = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const Item& item = items[i];
        copy_picture(options.data / item.picture, folder / item.picture_to, options.link);
        if (!item.mask.empty()) write_mask(options.data / item.mask, folder / item.mask_to);
        classes.insert(item.picture_to.begin()->string());
        if (*std::next(item.picture_to.begin()) == "train") ++train;
        if (!item.mask.empty()) ++bad;
        progress.update(static_cast<std::int64_t>(i + 1));
    }
    progress.pause();
    std::cout << "wrote " << folder.string() << ": " << classes.size() << " classes, " << train
              << " pictures to learn from, " << items.size() - train << " to judge (" << bad << " of them bad)\n"
              << "train on it with --data " << options.out.string() << std::endl;
    return status_done;
}

}  // namespace dinomaly::program
