// SPDX-License-Identifier: Apache-2.0
// The published data sets: their names, their classes, and how many pictures each has.
//
// Counts are those of MVTec-AD, of MPDD, and of VisA with the split 1cls.csv, each as published. Of Real-IAD's classes
// the numbers were seen for two only; zero stands for a number that is not known here.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dinomaly/core/error.hpp"
#include "dinomaly/core/macros.hpp"

namespace dinomaly::vision::inline DINOMALY_ABI {

/// Which data set, and with it which layout on disk; `automatic` looks at the folder.
enum class DataSetKind { automatic, mvtec, visa, realiad, mpdd, manta, mulsen, mvtec3d, folder };

/// A class and its published numbers of pictures; zero: not known.
struct PublishedClass {
    std::string_view name;
    std::size_t train = 0, test_good = 0, test_bad = 0;
};

/// "auto", "mvtec", "visa", "realiad", "mpdd", "manta", "mulsen", "mvtec3d", "folder": as options name it.
inline const char* data_set_option(DataSetKind kind) {
    switch (kind) {
        case DataSetKind::automatic: return "auto";
        case DataSetKind::mvtec: return "mvtec";
        case DataSetKind::visa: return "visa";
        case DataSetKind::realiad: return "realiad";
        case DataSetKind::mpdd: return "mpdd";
        case DataSetKind::manta: return "manta";
        case DataSetKind::mulsen: return "mulsen";
        case DataSetKind::mvtec3d: return "mvtec3d";
        case DataSetKind::folder: return "folder";
    }
    return "";
}

/// "MVTec-AD", "VisA", ...: as papers name it.
inline const char* data_set_name(DataSetKind kind) {
    switch (kind) {
        case DataSetKind::automatic: return "to be recognised";
        case DataSetKind::mvtec: return "MVTec-AD";
        case DataSetKind::visa: return "VisA";
        case DataSetKind::realiad: return "Real-IAD";
        case DataSetKind::mpdd: return "MPDD";
        case DataSetKind::manta: return "MANTA-Tiny";
        case DataSetKind::mulsen: return "MulSen-AD";
        case DataSetKind::mvtec3d: return "MVTec 3D-AD";
        case DataSetKind::folder: return "own folder";
    }
    return "";
}

/// The kind that an option names. Throws for any other word.
inline DataSetKind data_set_kind(const std::string& option) {
    for (const DataSetKind kind :
         {DataSetKind::automatic, DataSetKind::mvtec, DataSetKind::visa, DataSetKind::realiad, DataSetKind::mpdd,
          DataSetKind::manta, DataSetKind::mulsen, DataSetKind::mvtec3d, DataSetKind::folder})
        if (option == data_set_option(kind)) return kind;
    fail("dataset", "'", option, "', auto, mvtec, visa, realiad, mpdd, manta, mulsen, mvtec3d or folder expected");
}

inline constexpr std::array mvtec_classes{
    PublishedClass{"bottle", 209, 20, 63},     PublishedClass{"cable", 224, 58, 92},
    PublishedClass{"capsule", 219, 23, 109},   PublishedClass{"carpet", 280, 28, 89},
    PublishedClass{"grid", 264, 21, 57},       PublishedClass{"hazelnut", 391, 40, 70},
    PublishedClass{"leather", 245, 32, 92},    PublishedClass{"metal_nut", 220, 22, 93},
    PublishedClass{"pill", 267, 26, 141},      PublishedClass{"screw", 320, 41, 119},
    PublishedClass{"tile", 230, 33, 84},       PublishedClass{"toothbrush", 60, 12, 30},
    PublishedClass{"transistor", 213, 60, 40}, PublishedClass{"wood", 247, 19, 60},
    PublishedClass{"zipper", 240, 32, 119},
};

inline constexpr std::array mpdd_classes{
    PublishedClass{"bracket_black", 289, 32, 47}, PublishedClass{"bracket_brown", 185, 26, 51},
    PublishedClass{"bracket_white", 110, 30, 30}, PublishedClass{"connector", 128, 30, 14},
    PublishedClass{"metal_plate", 54, 26, 71},    PublishedClass{"tubes", 122, 32, 69},
};

inline constexpr std::array visa_classes{
    PublishedClass{"candle", 900, 100, 100},    PublishedClass{"capsules", 542, 60, 100},
    PublishedClass{"cashew", 450, 50, 100},     PublishedClass{"chewinggum", 453, 50, 100},
    PublishedClass{"fryum", 450, 50, 100},      PublishedClass{"macaroni1", 900, 100, 100},
    PublishedClass{"macaroni2", 900, 100, 100}, PublishedClass{"pcb1", 904, 100, 100},
    PublishedClass{"pcb2", 901, 100, 100},      PublishedClass{"pcb3", 905, 101, 100},
    PublishedClass{"pcb4", 904, 101, 100},      PublishedClass{"pipe_fryum", 450, 50, 100},
};

/// Real-IAD with the lists realiad_jsons.
inline constexpr std::array realiad_classes{
    PublishedClass{"audiojack", 1235, 2519, 1296},
    PublishedClass{"bottle_cap"},
    PublishedClass{"button_battery"},
    PublishedClass{"end_cap"},
    PublishedClass{"eraser"},
    PublishedClass{"fire_hood"},
    PublishedClass{"mint"},
    PublishedClass{"mounts"},
    PublishedClass{"pcb", 1235, 1486, 2289},
    PublishedClass{"phone_battery"},
    PublishedClass{"plastic_nut"},
    PublishedClass{"plastic_plug"},
    PublishedClass{"porcelain_doll"},
    PublishedClass{"regulator"},
    PublishedClass{"rolled_strip_base"},
    PublishedClass{"sim_card_set"},
    PublishedClass{"switch"},
    PublishedClass{"tape"},
    PublishedClass{"terminalblock"},
    PublishedClass{"toothbrush"},
    PublishedClass{"toy"},
    PublishedClass{"toy_brick"},
    PublishedClass{"transistor1"},
    PublishedClass{"u_block"},
    PublishedClass{"usb"},
    PublishedClass{"usb_adaptor"},
    PublishedClass{"vcpill"},
    PublishedClass{"wooden_beads"},
    PublishedClass{"woodstick"},
    PublishedClass{"zipper"},
};

/// The classes of a published data set, sorted by name; none for an own folder.
inline std::span<const PublishedClass> published_classes(DataSetKind kind) {
    switch (kind) {
        case DataSetKind::mvtec: return mvtec_classes;
        case DataSetKind::visa: return visa_classes;
        case DataSetKind::realiad: return realiad_classes;
        case DataSetKind::mpdd: return mpdd_classes;
        case DataSetKind::automatic:
        case DataSetKind::manta:  // neither classes nor numbers are known here
        case DataSetKind::mulsen:
        case DataSetKind::mvtec3d:
        case DataSetKind::folder: break;
    }
    return {};
}

/// Published numbers over all classes; zero: not known.
inline PublishedClass published_total(DataSetKind kind) {
    if (kind == DataSetKind::realiad) return {"all", 36465, 63256, 51329};
    PublishedClass total{"all"};
    for (const PublishedClass& entry : published_classes(kind)) {
        total.train += entry.train;
        total.test_good += entry.test_good;
        total.test_bad += entry.test_bad;
    }
    return total;
}

/// The entry of a class, or null where the data set has no class of this name.
inline const PublishedClass* find_published(DataSetKind kind, std::string_view name) {
    const std::span<const PublishedClass> all = published_classes(kind);
    const auto at = std::ranges::find(all, name, &PublishedClass::name);
    return at == all.end() ? nullptr : &*at;
}

namespace detail {

/// Letters to insert, remove or exchange until two words are equal; small and capital letters count as the same.
inline std::size_t edit_distance(std::string_view one, std::string_view other) {
    const auto is_same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    std::vector<std::size_t> row(other.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < one.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < other.size(); ++j) {
            const std::size_t exchanged = diagonal + (is_same(one[i], other[j]) ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({exchanged, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

}  // namespace detail

/// The name that was probably meant: the one fewest letters away, at most 2 or a third of the word; "" when none is
/// near.
inline std::string nearest_name(std::string_view wanted, std::span<const std::string> names) {
    std::string nearest;
    std::size_t least =
        wanted.size() < 4 ? 2 : std::max<std::size_t>(2, wanted.size() / 3) + 1;  // letters, and one more
    for (const std::string& name : names)
        if (const std::size_t distance = detail::edit_distance(wanted, name); distance < least) {
            least = distance;
            nearest = name;
        }
    return nearest;
}

}  // namespace dinomaly::vision::inline DINOMALY_ABI
