// SPDX-License-Identifier: Apache-2.0
#include "data/data_report.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "dinomaly/io/file.hpp"
#include "dinomaly/io/hash.hpp"
#include "dinomaly/vision/objects.hpp"

namespace dinomaly::program {

namespace {

namespace fs = std::filesystem;
using vision::ClassData, vision::DataSet, vision::PictureSize, vision::Sample;

constexpr std::size_t most_opened = 20000;          // pictures whose headers are read, over all classes
constexpr std::uintmax_t most_compared = 1U << 28;  // bytes of a class that are read to find the same picture twice
constexpr std::size_t most_named = 3;               // files that a note names

/// "a, b, c and 4 more".
std::string named(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i) text += (i > 0 ? ", " : "") + names[i];
    if (names.size() > most_named) text += " and " + std::to_string(names.size() - most_named) + " more";
    return text;
}

/// "1 picture", "2 pictures".
std::string counted(std::size_t count, const std::string& what) {
    return std::to_string(count) + ' ' + what + (count == 1 ? "" : "s");
}

std::string size_text(const PictureSize& size) {
    std::ostringstream text;
    text << size;
    return text.str();
}

/// Looks into the files of one class and gathers what there is to say.
class ClassReporter {
public:
    /// Every `step`-th picture is opened.
    ClassReporter(const DataSet& whole, const ClassData& data, std::size_t step)
        : whole_(whole), data_(data), step_(step) {}

    /// The line of the class and its notes; sentences on unusable files go to `unusable`.
    void write(std::ostream& out, std::vector<std::string>& unusable) {
        look();
        out << "class " << data_.name << ": " << data_.train.size() << " pictures to learn from, " << data_.test.size()
            << " to judge (" << count_bad(data_.test) << " of them bad)";
        if (!sizes_.empty()) out << "; " << sizes_text() << color_text();
        out << masks_text() << '\n';
        write_objects(out);
        note_published();
        note_training();
        note_masks();
        note_copies();
        for (std::size_t i = 0; i < std::min(faults_.size(), most_named); ++i) note(faults_[i]);
        if (faults_.size() > most_named)
            note(std::to_string(faults_.size() - most_named) + " more files of " + data_.name + " cannot be used");
        for (const std::string& text : notes_) out << "  note: " << text << '\n';
        out << std::flush;
        unusable.insert(unusable.end(), faults_.begin(), faults_.end());
    }

private:
    static std::size_t count_bad(const std::vector<Sample>& samples) {
        return static_cast<std::size_t>(std::ranges::count(samples, true, &Sample::anomalous));
    }

    /// How many objects there are, where several pictures are judged together or seen together.
    void write_objects(std::ostream& out) const {
        const std::vector<Sample>& some = data_.train.empty() ? data_.test : data_.train;
        if (!some.front().depth.empty())
            out << "  each with its depths, " << some.front().depth.parent_path().filename().string() << '\n';
        if (data_.fusion == vision::ScoreFusion::single) return;
        const vision::ObjectCounts counts = vision::count_objects(data_.test);
        out << "  "
            << (data_.fusion == vision::ScoreFusion::sum ? "pairs of an RGB and an infrared picture"
                                                         : "views of objects")
            << ": " << counted(vision::objects_of(data_.train).size(), "object") << " to learn from, "
            << counts.good + counts.bad << " to judge (" << counts.bad << " of them bad)\n";
    }

    /// A path below the root, as it is short.
    std::string short_name(const fs::path& path) const { return path.lexically_relative(whole_.root).generic_string(); }

    void note(std::string text) { notes_.push_back(std::move(text)); }

    // --- files

    void look() {
        std::size_t number = 0;
        for (const std::vector<Sample>* samples : {&data_.train, &data_.test})
            for (std::size_t i = 0; i < samples->size(); ++i) {
                const Sample& sample = (*samples)[i];
                if (i > 0 && sample.picture == (*samples)[i - 1].picture) continue;  // another view of it
                if (!sample.depth.empty()) look_into(sample.depth, false);
                const bool opened = number++ % step_ == 0;
                const PictureSize picture = look_into(sample.picture, opened);
                if (picture != PictureSize{}) ++sizes_[{picture.width, picture.height}];
                if (!sample.mask) continue;
                const PictureSize mask = look_into(*sample.mask, opened);
                if (picture != PictureSize{} && mask != PictureSize{} && picture != mask)
                    other_sizes_.push_back(short_name(*sample.mask) + ": the mask is " + size_text(mask) +
                                           ", its picture " + size_text(picture));
            }
    }

    /// The size of a picture; none where it is not opened, missing, empty or unreadable, which is noted.
    PictureSize look_into(const fs::path& path, bool opened) {
        std::error_code problem;
        const std::uintmax_t bytes = fs::file_size(path, problem);
        if (problem) {
            faults_.push_back(path.string() + ": " + problem.message());
        } else if (bytes == 0) {
            faults_.push_back(path.string() + ": the file is empty");
        } else if (opened) {
            try {
                return vision::read_size(path);
            } catch (const Error& error) {
                faults_.emplace_back(error.what());
            }
        }
        return {};
    }

    std::string sizes_text() const {
        const auto text = [](const auto& entry) {
            return std::to_string(entry.first.first) + 'x' + std::to_string(entry.first.second);
        };
        if (sizes_.size() == 1) return text(*sizes_.begin());
        const auto pixels = [](const auto& entry) {
            return PictureSize{entry.first.first, entry.first.second}.pixels();
        };
        const auto [least, most] = std::ranges::minmax_element(sizes_, {}, pixels);
        return std::to_string(sizes_.size()) + " sizes, from " + text(*least) + " to " + text(*most);
    }

    /// Whether the first picture that can be decoded has colours.
    std::string color_text() const {
        const std::vector<Sample>& samples = data_.train.empty() ? data_.test : data_.train;
        try {
            const vision::Image image = vision::read_picture(samples.front().picture);
            if (image.channels == 1) return " grey";
            for (std::size_t i = 0; i < image.pixels.size(); i += 3)
                if (image.pixels[i] != image.pixels[i + 1] || image.pixels[i] != image.pixels[i + 2]) return " colour";
            return " grey, stored as colour";
        } catch (const Error&) {  // said where its header is read, or when it is learned from
            return "";
        }
    }

    // --- masks

    /// "; masks by name" where all kinds of defects have the same rule, else each with its own.
    std::string masks_text() const {
        if (data_.pairings.empty()) return "";
        const vision::MaskRule first = data_.pairings.front().rule;
        if (std::ranges::all_of(data_.pairings, [&](const auto& pairing) { return pairing.rule == first; }))
            return std::string("; ") + (first == vision::MaskRule::none ? "" : "masks ") + mask_rule_name(first);
        std::string text;
        for (const vision::MaskPairing& pairing : data_.pairings)
            text += (text.empty() ? "; masks: " : ", ") + pairing.defect + ' ' + mask_rule_name(pairing.rule);
        return text;
    }

    void note_masks() {
        for (const vision::MaskPairing& pairing : data_.pairings) {
            std::vector<std::string> without, pairs;
            for (const Sample& sample : data_.test) {
                if (sample.defect != pairing.defect || !sample.anomalous) continue;
                const std::string name = sample.picture.filename().string();
                if (sample.mask)
                    pairs.push_back(name + " with " + sample.mask->filename().string());
                else
                    without.push_back(name);
            }
            const std::string place = data_.name + '/' + pairing.defect;
            if (pairs.empty())
                note(place + ": no masks for " + counted(without.size(), "bad picture") +
                     "; for figures of pixels nothing counts as defect there");
            else if (!without.empty())
                note(place + ": no mask for " + std::to_string(without.size()) + " of " +
                     counted(pairing.pictures, "picture") + ", nothing counts as defect there: " + named(without));
            if (pairing.masks > pairs.size())
                note(place + ": " + counted(pairing.masks - pairs.size(), "mask") + " of no picture");
            if (pairing.rule == vision::MaskRule::by_order)
                note(place + ": names differ, masks are paired by order: " + named(pairs));
        }
        for (std::size_t i = 0; i < std::min(other_sizes_.size(), most_named); ++i)
            note(other_sizes_[i] + "; both are resized");
        if (other_sizes_.size() > most_named)
            note("so are " + std::to_string(other_sizes_.size() - most_named) + " more masks of " + data_.name);
    }

    // --- counts

    void note_published() {
        const bool other_lists = whole_.kind == vision::DataSetKind::realiad && whole_.lists != "realiad_jsons";
        const vision::PublishedClass* published = vision::find_published(whole_.kind, data_.name);
        if (vision::published_classes(whole_.kind).empty()) return;
        if (published == nullptr) {
            note('\'' + data_.name + "' is no class of " + vision::data_set_name(whole_.kind));
            return;
        }
        if (published->train == 0 || other_lists) return;
        const std::size_t bad = count_bad(data_.test), good = data_.test.size() - bad;
        std::string text;
        const auto compare = [&](std::size_t found, std::size_t expected, const char* what) {
            if (found != expected)
                text +=
                    (text.empty() ? "" : ", ") + std::to_string(found) + " of " + std::to_string(expected) + ' ' + what;
        };
        compare(data_.train.size(), published->train, "to learn from");
        compare(good, published->test_good, "good ones to judge");
        compare(bad, published->test_bad, "bad ones to judge");
        if (!text.empty())
            note(data_.name + ": not the published pictures of " + vision::data_set_name(whole_.kind) + ": " + text);
    }

    void note_training() {
        if (const std::size_t bad = count_bad(data_.train); bad > 0)
            note(data_.name + ": " + std::to_string(bad) + " of " + std::to_string(data_.train.size()) +
                 " pictures to learn from are bad ones; all are used, as the list says");
    }

    // --- the same picture to learn from and to judge

    void note_copies() {
        std::set<std::string> learned;
        std::unordered_map<std::uintmax_t, std::vector<const fs::path*>> by_bytes;
        for (const Sample& sample : data_.train) {
            learned.insert(sample.picture.lexically_normal().string());
            by_bytes[bytes_of(sample.picture)].push_back(&sample.picture);
        }
        std::vector<std::string> same_path;
        std::vector<const fs::path*> suspects;
        std::uintmax_t to_read = 0;
        std::set<std::uintmax_t> seen;
        for (const Sample& sample : data_.test) {
            if (learned.contains(sample.picture.lexically_normal().string())) {
                same_path.push_back(short_name(sample.picture));
                continue;
            }
            const std::uintmax_t bytes = bytes_of(sample.picture);
            const auto alike = by_bytes.find(bytes);
            if (bytes == 0 || alike == by_bytes.end()) continue;
            if (!suspects.empty() && *suspects.back() == sample.picture) continue;  // another view of it
            suspects.push_back(&sample.picture);
            to_read += bytes * (1 + (seen.insert(bytes).second ? alike->second.size() : 0));
        }
        if (!same_path.empty())
            note(data_.name + ": " + counted(same_path.size(), "picture") +
                 " to judge learned from as well: " + named(same_path));
        if (suspects.empty()) return;
        if (to_read > most_compared) {
            note(data_.name + ": too many pictures of the same length to look for copies of what is learned from");
            return;
        }
        note_same_content(suspects, by_bytes);
    }

    void note_same_content(const std::vector<const fs::path*>& suspects,
                           const std::unordered_map<std::uintmax_t, std::vector<const fs::path*>>& by_bytes) {
        std::map<std::uintmax_t, std::map<std::uint64_t, const fs::path*>> hashes;
        std::vector<std::string> copies;
        for (const fs::path* suspect : suspects) {
            const std::uintmax_t bytes = bytes_of(*suspect);
            const auto [at, is_new] = hashes.try_emplace(bytes);
            if (is_new)
                for (const fs::path* learned : by_bytes.at(bytes)) at->second.emplace(hash_of(*learned), learned);
            if (const auto same = at->second.find(hash_of(*suspect)); same != at->second.end())
                copies.push_back(short_name(*suspect) + " (" + short_name(*same->second) + ')');
        }
        if (!copies.empty())
            note(data_.name + ": " + counted(copies.size(), "picture") +
                 " to judge equal to one learned from: " + named(copies));
    }

    static std::uintmax_t bytes_of(const fs::path& path) {
        std::error_code missing;
        const std::uintmax_t bytes = fs::file_size(path, missing);
        return missing ? 0 : bytes;
    }

    static std::uint64_t hash_of(const fs::path& path) { return io::hash_bytes(io::map_file(path).view); }

    const DataSet& whole_;
    const ClassData& data_;
    std::size_t step_;
    std::map<std::pair<int, int>, std::size_t> sizes_;
    std::vector<std::string> faults_, other_sizes_, notes_;
};

/// What concerns the data set as a whole.
void write_totals(std::ostream& out, const DataSet& data) {
    if (!data.left_out.empty()) out << "  note: a list but no pictures, left out: " << named(data.left_out) << '\n';
    const std::size_t published = vision::published_classes(data.kind).size();
    if (data.classes.size() < 2) return;
    std::size_t train = 0, test = 0, bad = 0;
    for (const ClassData& entry : data.classes) {
        train += entry.train.size();
        test += entry.test.size();
        bad += static_cast<std::size_t>(std::ranges::count(entry.test, true, &Sample::anomalous));
    }
    out << "in all: " << train << " pictures to learn from, " << test << " to judge (" << bad << " of them bad)";
    const bool other_lists = data.kind == vision::DataSetKind::realiad && data.lists != "realiad_jsons";
    if (published > 0 && !other_lists) {
        const vision::PublishedClass total = vision::published_total(data.kind);
        if (data.classes.size() != published)
            out << "; " << data.classes.size() << " of " << published << " classes of "
                << vision::data_set_name(data.kind);
        else if (train == total.train && test == total.test_good + total.test_bad && bad == total.test_bad)
            out << ", as published";
        else
            out << "; published: " << total.train << ", " << total.test_good + total.test_bad << " (" << total.test_bad
                << ')';
    }
    out << std::endl;
}

}  // namespace

std::vector<std::string> describe_data(std::ostream& out, const DataSet& data) {
    std::size_t pictures = 0;
    for (const ClassData& entry : data.classes) pictures += entry.train.size() + entry.test.size();
    const std::size_t step = (pictures + most_opened - 1) / most_opened;
    out << "data " << data.root.string() << ": " << vision::data_set_name(data.kind);
    if (!data.lists.empty()) out << " with the lists " << data.lists;
    out << " (" << data.reason << ")\n";
    if (step > 1) out << "  note: of " << pictures << " pictures one in " << step << " is opened to see its size\n";
    std::vector<std::string> unusable;
    for (const ClassData& entry : data.classes) ClassReporter(data, entry, step).write(out, unusable);
    write_totals(out, data);
    return unusable;
}

void check_pictures(const DataSet& data, const std::vector<std::string>& unusable) {
    if (unusable.empty()) return;
    fail(data.root.string(), counted(unusable.size(), "file"), " cannot be used, the first: ", unusable.front());
}

}  // namespace dinomaly::program
